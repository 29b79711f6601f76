#include "shard/snapshot_files.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "log/aligned_buffer.h"
#include "log/file_error.h"
#include "wire/crc32c.h"
#include "wire/limits.h"

namespace quorate::shard {

namespace {

constexpr std::string_view kPrefix = "snapshot-";
constexpr std::size_t kIdDigits = 16;
constexpr std::uint32_t kHeadMagic = 0x31485251;  // "QRH1"
constexpr std::uint16_t kHeadVersion = 1;

/// Little-endian, as everything on disk; the rest of its block is zeros.
struct Layout {
  std::uint32_t magic = kHeadMagic;         //  0
  std::uint16_t version = kHeadVersion;     //  4
  std::uint16_t has_file = 0;               //  6
  std::uint64_t id = 0;                     //  8
  std::uint64_t position = 0;               // 16
  std::uint64_t epoch_number = 0;           // 24
  std::uint64_t epoch_incarnation = 0;      // 32
  std::uint64_t program = 0;                // 40
  std::uint64_t bytes = 0;                  // 48
  std::uint32_t stream = 0;                 // 56
  std::uint32_t checksum = 0;               // 60  of the frame that ends at `position`
  std::uint32_t crc = 0;                    // 64  of the file
  std::uint32_t head_crc = 0;               // 68  CRC32C of the 68 bytes before
};
static_assert(sizeof(Layout) == 72 && offsetof(Layout, head_crc) == 68);

std::uint32_t checksum_of(const Layout& layout) noexcept {
  return wire::crc32c({reinterpret_cast<const std::byte*>(&layout), offsetof(Layout, head_crc)});
}

std::string_view suffix(SnapshotFile file) noexcept {
  switch (file) {
    case SnapshotFile::head: return ".head";
    case SnapshotFile::part: return ".part";
    case SnapshotFile::data: break;
  }
  return ".data";
}

}  // namespace

std::string snapshot_name(std::uint64_t id, SnapshotFile file) {
  char digits[kIdDigits + 1];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, id);
  return std::string(kPrefix) + digits + std::string(suffix(file));
}

std::uint64_t snapshot_id(std::string_view name) noexcept {
  if (!name.starts_with(kPrefix)) return 0;
  name.remove_prefix(kPrefix.size());
  if (name.size() <= kIdDigits) return 0;
  std::uint64_t id = 0;
  const char* end = name.data() + kIdDigits;
  const auto read = std::from_chars(name.data(), end, id, 16);
  return read.ec == std::errc() && read.ptr == end ? id : 0;
}

void encode_snapshot_head(const core::SnapshotHead& head, log::Block out) noexcept {
  Layout layout;
  layout.has_file = head.has_file ? 1 : 0;
  layout.id = head.id;
  layout.position = head.position;
  layout.epoch_number = head.epoch.number;
  layout.epoch_incarnation = head.epoch.incarnation;
  layout.program = head.program;
  layout.bytes = head.bytes;
  layout.stream = head.stream;
  layout.checksum = head.checksum;
  layout.crc = head.crc;
  layout.head_crc = checksum_of(layout);
  std::memset(out.data(), 0, out.size());
  std::memcpy(out.data(), &layout, sizeof layout);
}

bool decode_snapshot_head(log::ConstBlock block, core::SnapshotHead& head) noexcept {
  Layout layout;
  std::memcpy(&layout, block.data(), sizeof layout);
  if (layout.magic != kHeadMagic || layout.version != kHeadVersion) return false;
  if (layout.head_crc != checksum_of(layout) || layout.id == 0 || layout.has_file > 1) return false;
  if (layout.program < layout.position || layout.bytes > wire::kSnapshotBytesMax) return false;
  head = {layout.stream,
          layout.id,
          layout.position,
          {layout.epoch_number, layout.epoch_incarnation},
          layout.checksum,
          layout.program,
          layout.bytes,
          layout.crc,
          layout.has_file == 1};
  return true;
}

namespace {

/// One stream's directory, while it is looked through.
class Finder {
 public:
  Finder(log::BlockingFiles& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  Status list() {
    auto names = files_.files().list(directory_);
    if (!names) return names.error();
    std::erase_if(*names, [](const std::string& name) { return snapshot_id(name) == 0; });
    names_ = std::move(names).value();
    return Done{};
  }

  [[nodiscard]] std::vector<std::uint64_t> ids() const {
    std::vector<std::uint64_t> ids;
    for (const std::string& name : names_) {
      if (ids.empty() || ids.back() != snapshot_id(name)) ids.push_back(snapshot_id(name));
    }
    return ids;
  }

  /// None: there is nothing of it that can be used. An error says nothing about what is there.
  Result<std::optional<core::HeldSnapshot>> read(std::uint64_t id, StreamId stream) {
    using Held = std::optional<core::HeldSnapshot>;
    core::HeldSnapshot held;
    const auto sound = read_head(id, held.head);
    if (!sound) return sound.error();
    if (!*sound || held.head.id != id || held.head.stream != stream) return Held();
    const auto data = bytes_of(id, SnapshotFile::data);
    if (!data) return data.error();
    held.whole = !held.head.has_file || *data == held.head.bytes;
    held.bytes = held.head.bytes;
    if (held.whole) return Held(held);
    const auto part = bytes_of(id, SnapshotFile::part);
    if (!part) return part.error();
    if (!*part) return Held();
    held.bytes = std::min(**part, held.head.bytes);
    return Held(held);
  }

  /// What cannot be removed takes space and does no other harm: it is found again.
  void remove(std::uint64_t id) {
    for (const std::string& name : names_) {
      if (snapshot_id(name) == id) static_cast<void>(files_.remove(directory_ + "/" + name));
    }
  }

 private:
  [[nodiscard]] std::string path(std::uint64_t id, SnapshotFile file) const {
    return directory_ + "/" + snapshot_name(id, file);
  }

  [[nodiscard]] bool listed(std::uint64_t id, SnapshotFile which) const {
    return std::find(names_.begin(), names_.end(), snapshot_name(id, which)) != names_.end();
  }

  /// False: it is missing or damaged.
  Result<bool> read_head(std::uint64_t id, core::SnapshotHead& head) {
    if (!listed(id, SnapshotFile::head)) return false;
    auto file = files_.open(path(id, SnapshotFile::head), reactor::OpenMode::read);
    if (!file) return file.error();
    log::AlignedBuffer block(log::kBlockBytes);
    Error error;
    const std::uint64_t read = files_.read(*file, block.span(), error);
    files_.close(*file);
    if (!error.text.empty()) return log::read_refused(error);
    return read == log::kBlockBytes &&
           decode_snapshot_head(log::ConstBlock(block.data(), log::kBlockBytes), head);
  }

  Result<std::optional<std::uint64_t>> bytes_of(std::uint64_t id, SnapshotFile which) {
    if (!listed(id, which)) return std::optional<std::uint64_t>();
    auto file = files_.open(path(id, which), reactor::OpenMode::read);
    if (!file) return file.error();
    const auto bytes = files_.files().size(file->file);
    files_.close(*file);
    if (!bytes) return bytes.error();
    return std::optional<std::uint64_t>(*bytes);
  }

  log::BlockingFiles& files_;
  const std::string directory_;
  std::vector<std::string> names_;
};

}  // namespace

Result<FoundSnapshots> find_snapshots(log::BlockingFiles& files, const std::string& directory,
                                      StreamId stream, Position first, Position end) {
  Finder finder(files, directory);
  if (auto listed = finder.list(); !listed) return listed.error();
  FoundSnapshots found;
  for (const std::uint64_t id : finder.ids()) {
    const auto read = finder.read(id, stream);
    if (!read) return read.error();
    const std::optional<core::HeldSnapshot>& held = *read;
    if (!held) continue;
    const Position position = held->head.position;
    if (held->whole && position >= first && position <= end) {
      if (!found.base || found.base->position < position) found.base = held->head;
    } else if (position > end) {
      const bool better = !found.held || held->whole || found.held->bytes < held->bytes;
      if (better) found.held = held;
    }
  }
  for (const std::uint64_t id : finder.ids()) {
    const bool base = found.base && found.base->id == id;
    const bool held = found.held && found.held->head.id == id;
    if (!base && !held) finder.remove(id);
  }
  return found;
}

}  // namespace quorate::shard
