#include "log/segment_set.h"

#include <algorithm>
#include <utility>

#include "log/file_error.h"
#include "log/segment_maker.h"

namespace quorate::log {

using reactor::OpenMode;

namespace {

OpenMode open_mode(RecoveryMode mode) {
  return mode == RecoveryMode::examine ? OpenMode::read : OpenMode::write;
}

}  // namespace

Status SegmentContent::start(const FoundSegment& found) {
  finish();
  Result<NamedFile> opened = files_.open(found.path, open_mode(mode_));
  if (!opened) return opened.error();
  file_ = std::move(*opened);
  const std::uint64_t bytes = blocks_up(std::min(found.bytes, kSegmentBytesMax + kBlockBytes));
  if (bytes_.size() < bytes) bytes_ = AlignedBuffer(bytes);
  number_ = found.number;
  files_.start_read(read_, file_, bytes_.span().first(bytes));
  return Done{};
}

std::span<std::byte> SegmentContent::finish() {
  if (number_ == 0) return {};
  number_ = 0;
  error_ = Error();
  const std::uint64_t readable = files_.finish_read(read_, file_, error_);
  files_.close(file_);
  return bytes_.span().first(readable);
}

SegmentSet::SegmentSet(BlockingFiles& files, RecoveryMode mode)
    : files_(&files),
      mode_(mode),
      content_(std::make_unique<SegmentContent>(files, mode)),
      ahead_(std::make_unique<SegmentContent>(files, mode)) {}

Status SegmentSet::list(const std::string& directory) {
  const Result<std::vector<std::string>> names = files_->files().list(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::uint64_t number = segment_number(name);
    if (number == 0) continue;
    FoundSegment found;
    found.number = number;
    found.path = directory + "/" + name;
    found_.push_back(std::move(found));
    last_number_ = std::max(last_number_, number);
  }
  return Done{};
}

Status SegmentSet::prepare(const LogIdentity& identity, std::uint64_t oldest) {
  identity_ = identity;
  std::erase_if(found_, [&](const FoundSegment& found) { return found.number < oldest; });
  for (FoundSegment& found : found_) {
    if (const Status status = read_header(found); !status) return status;
  }
  // More than one, when a cut left the segment behind that had been made ahead.
  while (!found_.empty()) {
    const Result<bool> empty = never_begun(found_.back());
    if (!empty) return empty.error();
    if (!*empty) break;
    found_.pop_back();
  }
  forget_before_anew();
  return place_cuts();
}

/// By the header alone, damaged or not what lies before it: metadata that says so may not have been
/// saved yet, and some of the files may be gone.
void SegmentSet::forget_before_anew() {
  const auto last = std::find_if(found_.rbegin(), found_.rend(), [](const FoundSegment& found) {
    return found.begins_anew();
  });
  if (last != found_.rend()) found_.erase(found_.begin(), std::prev(last.base()));
}

const FoundSegment* SegmentSet::anew() const noexcept {
  return !found_.empty() && found_.front().begins_anew() ? &found_.front() : nullptr;
}

Flaw SegmentSet::check_header(const FoundSegment& found) const {
  const SegmentHeader& header = found.header;
  if (header.storage != identity_.storage) return Flaw::other_storage;
  if (header.stream != identity_.stream) return Flaw::other_stream;
  if (is_stale(identity_, header, found.number)) return Flaw::stale;
  return header.number == found.number ? Flaw::none : Flaw::other_place;
}

Status SegmentSet::read_header(FoundSegment& found) {
  Result<NamedFile> opened = files_->open(found.path, open_mode(mode_));
  if (!opened) return opened.error();
  Status status = Done{};
  if (mode_ == RecoveryMode::repair) status = files_->sync(*opened);
  const Result<std::uint64_t> bytes = files_->files().size(opened->file);
  if (status && !bytes) status = bytes.error();
  if (status) {
    found.bytes = *bytes;
    AlignedBuffer block(kBlockBytes);
    Error error;
    found.flaw = Flaw::unreadable;
    if (files_->read(*opened, block.span(), error) == kBlockBytes) {
      found.flaw = decode_segment_header(ConstBlock(block.data(), kBlockBytes), found.header);
      if (found.flaw == Flaw::none) found.flaw = check_header(found);
    }
    if (!error.text.empty() && must_be_read()) {
      status = read_refused(error);
    } else {
      found.refused = error;
    }
  }
  // There may be more segments than a process may have files.
  files_->close(*opened);
  return status;
}

Result<std::span<std::byte>> SegmentSet::read(const FoundSegment& found) {
  if (ahead_->number() == found.number) {
    std::swap(content_, ahead_);
  } else if (const Status started = content_->start(found); !started) {
    return started.error();
  }
  const std::span<std::byte> content = content_->finish();
  const Error& refused = content_->error();
  if (refused.text.empty()) return content;
  if (must_be_read()) return read_refused(refused);
  note_refused(found.number, refused);
  return content;
}

void SegmentSet::note_refused(std::uint64_t number, const Error& error) {
  for (FoundSegment& each : found_) {
    if (each.number == number) each.refused = error;
  }
}

/// An error is told by read(), which tries once more.
void SegmentSet::read_ahead(const FoundSegment& found) {
  static_cast<void>(ahead_->start(found));
}

/// The longest units that any header allows: the segment in question may have no header.
std::uint32_t SegmentSet::unit_bytes_max() const {
  std::uint32_t bytes = 0;
  for (const FoundSegment& found : found_) {
    const bool known = found.sound() || found.flaw == Flaw::stale;
    if (known) bytes = std::max(bytes, found.header.unit_bytes_max);
  }
  return bytes;
}

/// A segment that was made and not begun, or whose header was in flight. Nothing else was in flight
/// then, so there is nothing in it but zeros and what an older segment left. A stale header that is
/// whole proves that there was none of this segment, and then only units of it speak against that.
Result<bool> SegmentSet::never_begun(const FoundSegment& found) {
  switch (found.flaw) {
    case Flaw::none:
    case Flaw::other_storage:
    case Flaw::other_stream:
    case Flaw::other_place: return false;
    case Flaw::unreadable:
      if (found.bytes >= kBlockBytes) return false;
      break;
    default: break;
  }
  const Result<std::span<std::byte>> content = read(found);
  if (!content) return content.error();
  if (content->size() != found.bytes) return false;
  if (content->size() <= kBlockBytes) return true;
  SegmentHeader header;
  header.number = found.number;
  header.unit_bytes_max = unit_bytes_max();
  const SegmentRest rest = look_ahead(identity_, header, *content, kBlockBytes, kBlockBytes);
  if (found.flaw == Flaw::stale) return rest.units == 0;
  return rest.used_end == kBlockBytes && rest.strange == 0;
}

Status SegmentSet::place_cuts() {
  Position cut = kNoCut, least = kNoCut;
  bool damage = false;  // among later segments
  for (std::size_t i = found_.size(); i-- > 0;) {
    FoundSegment& found = found_[i];
    found.cut = cut;
    found.visible = damage ? std::min(cut, least) : cut;
    Position first = found.header.first_position;
    if (!found.sound()) {
      // Its units tell where it begins.
      const Result<std::span<std::byte>> content = read(found);
      if (!content) return content.error();
      SegmentHeader header;
      header.number = found.number;
      first = look_ahead(identity_, header, *content, 0, 0).first_position;
    }
    least = std::min(least, first);
    if (found.cuts()) cut = std::min(cut, first);
    damage = damage || !found.sound() || (i > 0 && found_[i - 1].number + 1 != found.number);
  }
  return Done{};
}

}  // namespace quorate::log
