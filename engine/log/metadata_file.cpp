#include "log/metadata_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::log {

namespace {

using reactor::OpenMode;

Block block_at(const AlignedBuffer& buffer, std::uint64_t offset) {
  return Block(buffer.data() + offset, kBlockBytes);
}

/// All copies are written at once here, so one write that was lost would take them all.
Status check_written(BlockingFiles& files, const NamedFile& file,
                     std::span<const std::byte> content) {
  AlignedBuffer read(content.size());
  Error error;
  if (files.read(file, read.span(), error) == content.size() &&
      std::equal(content.begin(), content.end(), read.data())) {
    return Done{};
  }
  return error.text.empty() ? Error(Errc::corrupt, file.path + ": reads back otherwise") : error;
}

}  // namespace

MetadataFile::MetadataFile(reactor::Files& files, const std::string& directory) : files_(files) {
  file_.path = path_in(directory);
  for (Copy& copy : copies_) bind<&MetadataFile::on_written>(copy.operation, *this);
  bind<&MetadataFile::on_opened>(open_, *this);
}

MetadataFile::~MetadataFile() {
  CHECK(!saving());
  if (file_.file.valid()) files_.close(file_.file);
}

Status MetadataFile::create(BlockingFiles& files, const std::string& directory,
                            Metadata metadata) {
  const std::string path = path_in(directory), draft = path + ".new";
  // Left over by a creation that did not come to its end; nothing depends on it.
  static_cast<void>(files.remove(draft));
  Result<NamedFile> file = files.open(draft, OpenMode::create);
  if (!file) return file.error();
  AlignedBuffer content(kMetadataFileBytes);
  for (metadata.sequence = 1; metadata.sequence <= 2; ++metadata.sequence) {
    for (const std::size_t copy : {0u, 1u}) {
      const std::uint64_t offset = metadata_offset(metadata.sequence, copy);
      encode_metadata(metadata, block_at(content, offset));
    }
    metadata.previous_crc = 0;
  }
  Status status = files.preallocate(*file, kMetadataFileBytes);
  if (status) status = files.write(*file, content.span(), 0);
  if (status) status = files.sync(*file);
  if (status) status = check_written(files, *file, content.span());
  files.close(*file);
  if (status) status = files.rename(draft, path);
  if (status) status = files.sync_directory(directory);
  return status;
}

Result<std::optional<Metadata>> MetadataFile::load(BlockingFiles& files) {
  Result<NamedFile> opened = files.open(file_.path, OpenMode::write);
  if (!opened) return opened.error();
  files.close(file_);
  file_ = *opened;
  // A save of a process that died may be readable and not durable: it is made so first.
  if (const Status synced = files.sync(file_); !synced) return synced.error();
  return read(files, file_);
}

Result<std::optional<Metadata>> MetadataFile::examine(BlockingFiles& files) {
  Result<NamedFile> opened = files.open(file_.path, OpenMode::read);
  if (!opened) return opened.error();
  Result<std::optional<Metadata>> best = read(files, *opened);
  files.close(*opened);
  return best;
}

/// A generation without a copy that can be believed, of which the operating system does not give
/// out both, may be the latest, and be read the next time: that is an error, and no reason to
/// believe in an older one or in none.
Result<std::optional<Metadata>> MetadataFile::read(BlockingFiles& files, const NamedFile& file) {
  std::optional<Metadata> best;
  for (const std::uint64_t sequence : {0u, 1u}) {
    Error refused;
    bool sound = false;
    for (const std::size_t copy : {0u, 1u}) {
      Error error;
      const std::uint64_t offset = metadata_offset(sequence, copy);
      if (files.read(file, block_.span(), error, offset) < kBlockBytes) {
        if (!error.text.empty()) refused = error;
        continue;
      }
      Metadata found;
      const Flaw flaw = decode_metadata(block_at(block_, 0), found);
      if (flaw != Flaw::none || found.sequence % 2 != sequence) continue;
      sound = true;
      if (!best || found.sequence > best->sequence) best = found;
    }
    if (!sound && !refused.text.empty()) return read_refused(refused);
  }
  if (best) latest_ = *best;
  return best;
}

void MetadataFile::save(const Metadata& metadata, Listener& listener) {
  CHECK(!saving());
  next_ = metadata;
  next_.sequence = latest_.sequence + (QUORATE_MUTANT(metadata_over_itself) ? 2 : 1);
  next_.previous_crc = latest_.header_crc;
  next_.header_crc = encode_metadata(next_, Block(block_.data(), kBlockBytes));
  listener_ = &listener;
  worst_ = 0;
  if (file_.file.valid()) return write_copies();
  files_.open(open_, file_.path.c_str(), OpenMode::write, direct_);
}

void MetadataFile::on_opened(std::int32_t result) {
  if (result == -EINVAL && std::exchange(direct_, false)) {
    return files_.open(open_, file_.path.c_str(), OpenMode::write, false);
  }
  if (result < 0) return listener_->on_saved(file_error("open", file_.path, result));
  file_.file = reactor::File{result};
  write_copies();
}

void MetadataFile::write_copies() {
  pending_ = copies_.size();
  const bool durably = !QUORATE_MUTANT(metadata_unsynced);
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    copies_[i].vector = {block_.data(), kBlockBytes};
    files_.write(copies_[i].operation, file_.file, {&copies_[i].vector, 1},
                 metadata_offset(next_.sequence, i), durably);
  }
}

void MetadataFile::on_written(std::int32_t result) {
  const bool whole = result == static_cast<std::int32_t>(kBlockBytes);
  if (!whole && worst_ == 0) worst_ = result < 0 ? result : -EIO;
  if (--pending_ > 0) return;
  if (worst_ == 0) latest_ = next_;
  listener_->on_saved(worst_ == 0 ? Status(Done{}) : file_error("save", file_.path, worst_));
}

}  // namespace quorate::log
