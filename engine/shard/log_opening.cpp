#include "shard/log_opening.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/time.h"
#include "log/aligned_buffer.h"
#include "wire/frame.h"

namespace quorate::shard {

namespace {

/// Buffers of one log while it is written; with large frames there are fewer units in flight.
constexpr std::uint64_t kStaging_bytes = 8u << 20;
constexpr std::uint32_t kUnit_bytes = 512u << 10;
constexpr std::uint32_t kUnitsMin = 2;
constexpr std::uint32_t kUnitsMax = 8;

std::string stream_directory(const std::string& directory, StreamId stream) {
  char name[32];
  std::snprintf(name, sizeof name, "/stream-%05u", stream);
  return directory + name;
}

struct Saved final : log::MetadataFile::Listener {
  void on_saved(const Status& saved) override { status = saved; }
  Status status = Done{};
};

struct NoVisitor final : log::FrameVisitor {
  void on_frame(const wire::FrameHeader&, std::span<const std::byte>) override {}
};

}  // namespace

log::LogOptions log_options(const StorageOptions& storage, std::uint64_t frame_bytes_max) {
  log::LogOptions options;
  const std::uint64_t unit =
      log::blocks_up(log::kHeaderBytes + wire::kFramePrologueBytes + frame_bytes_max);
  options.limits.segment_bytes = storage.segment_bytes;
  options.limits.unit_bytes_max =
      static_cast<std::uint32_t>(std::max<std::uint64_t>(unit, kUnit_bytes));
  options.limits.units_in_flight = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      kStaging_bytes / options.limits.unit_bytes_max, kUnitsMin, kUnitsMax));
  options.direct = storage.direct;
  return options;
}

LogOpening::LogOpening(std::unique_ptr<reactor::Reactor> reactor, const StorageOptions& storage)
    : reactor_(std::move(reactor)),
      storage_(storage),
      blocking_(reactor_->files(), [this] { turn(); }) {}

void LogOpening::turn() {
  reactor_->wait(kNever);
  reactor_->reap();
}

Result<log::DirectoryLock> LogOpening::open_node(const std::string& directory,
                                                 const std::string& cluster,
                                                 const std::string& name) {
  if (auto made = files().make_directory(directory); !made) return made.error();
  const std::size_t slash = directory.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : directory.substr(0, slash);
  if (auto synced = blocking_.sync_directory(parent); !synced) return synced.error();
  auto lock = log::DirectoryLock::take(directory);
  if (!lock) return lock;
  if (auto is_own = sign(directory, "cluster " + cluster + "\nnode " + name + "\n"); !is_own) {
    return is_own.error();
  }
  return lock;
}

/// A file of one block, zeros behind the text. A creation that did not come to its end is empty.
Status LogOpening::sign(const std::string& directory, const std::string& owner) {
  const std::string path = directory + "/owner";
  log::AlignedBuffer block(log::kBlockBytes);
  auto file = blocking_.open(path, reactor::OpenMode::write);
  const bool fresh = !file && file.error().system_errno == ENOENT;
  if (fresh) file = blocking_.open(path, reactor::OpenMode::create);
  if (!file) return file.error();
  Error error;
  const bool whole = !fresh && blocking_.read(*file, block.span(), error) == log::kBlockBytes;
  const std::string found(reinterpret_cast<const char*>(block.data()),
                          strnlen(reinterpret_cast<const char*>(block.data()), log::kBlockBytes));
  Status status = error.text.empty() ? Status(Done{}) : Status(error);
  if (status && (!whole || found.empty())) {
    std::memcpy(block.data(), owner.data(), owner.size());
    status = blocking_.write(*file, block.span(), 0);
    if (status) status = blocking_.sync(*file);
    if (status) status = blocking_.sync_directory(directory);
  } else if (status && found != owner) {
    std::string line = found.substr(0, found.find('\n', found.find('\n') + 1));
    std::replace_if(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    status = Error(Errc::incompatible, directory + ": belongs to " + line.substr(0, 160));
  }
  blocking_.close(*file);
  return status;
}

Result<std::uint32_t> LogOpening::count_streams(const std::string& directory) {
  auto names = files().list(directory);
  if (!names) return names.error();
  std::uint32_t count = 0;
  for (;; ++count) {
    const std::string path = stream_directory(directory, count);
    const std::string name = path.substr(directory.size() + 1);
    if (std::find(names->begin(), names->end(), name) == names->end()) return count;
  }
}

Result<OpenedLog> LogOpening::open_stream(const std::string& directory, StreamId stream) {
  OpenedLog opened;
  opened.storage = storage_;
  opened.retention = {storage_.retain_bytes, storage_.retain_age.count() * kSecond_ns,
                      storage_.retain_bytes_hard, storage_.segment_bytes};
  opened.directory = stream_directory(directory, stream);
  NoVisitor nobody;
  for (bool fresh = false;; fresh = true) {
    log::MetadataFile metadata(files(), opened.directory);
    log::Recovery recovery(blocking_, metadata, opened.directory, stream, nobody);
    auto found = recovery.run();
    if (!found) return found.error();
    opened.found = std::move(found).value();
    opened.metadata = metadata.latest();
    if (opened.found.state != log::RecoveryState::none || fresh) break;
    log::Metadata first;
    first.stream = stream;
    first.storage = {reactor_->random_seed(), reactor_->random_seed()};
    if (auto made = log::create_log(blocking_, opened.directory, first); !made) {
      return made.error();
    }
  }
  switch (opened.found.state) {
    case log::RecoveryState::whole:
    case log::RecoveryState::fault: return opened;
    case log::RecoveryState::none:
    case log::RecoveryState::lost_identity: break;
  }
  return Error(Errc::corrupt,
               opened.directory + ": no copy of the metadata can be believed, so nothing that was "
                                  "promised here is known; move the directory away and join again "
                                  "as a new node");
}

Status LogOpening::find_snapshots(OpenedLog& opened, StreamId stream) {
  const log::Recovered& log = opened.found;
  auto found = shard::find_snapshots(blocking_, opened.directory, stream, log.first.position,
                                     log.start.end.position);
  if (!found) return found.error();
  opened.snapshots = std::move(found).value();
  return Done{};
}

Status LogOpening::begin(OpenedLog& opened, const Epoch& epoch) {
  log::Metadata metadata = opened.metadata;
  metadata.flags &= static_cast<std::uint16_t>(~log::kClosed);
  metadata.promised_number = epoch.number;
  metadata.promised_incarnation = epoch.incarnation;
  metadata.known_durable = opened.found.start.end.position;
  metadata.oldest_segment = std::max(metadata.oldest_segment, opened.found.oldest_segment);
  return save(opened, metadata);
}

Status LogOpening::save(OpenedLog& opened, const log::Metadata& metadata) {
  log::MetadataFile file(files(), opened.directory);
  file.go_on(opened.metadata);
  Saved saved;
  file.save(metadata, saved);
  while (file.saving()) turn();
  opened.metadata = file.latest();
  return saved.status;
}

}  // namespace quorate::shard
