#pragma once

// Snapshots of what a replica of the load makes of the records: the digest of a stream as of a
// position, in a file of one line. The writer that alone writes a stream keeps the same digest, and
// offers it from time to time.

#include <cstdint>
#include <optional>
#include <string>

#include "quorate/error.h"
#include "tools/load/digest.h"
#include "tools/load/feed.h"

namespace quorate::tools {

struct DigestSnapshot {
  Position end = 0;
  StreamDigest digest;
};

Status write_snapshot(const std::string& path, const DigestSnapshot& snapshot);
Result<DigestSnapshot> read_snapshot(const std::string& path);

/// Of one stream; used by its writer.
class SnapshotMaker {
 public:
  SnapshotMaker(std::string directory, std::uint64_t every_bytes)
      : directory_(std::move(directory)), every_bytes_(every_bytes) {}

  /// After a record was put: cheap unless one is due.
  void note(const Lane& lane) {
    if (lane.end - taken_at_ < every_bytes_ && !waiting_) return;
    if (!waiting_) take(lane);
    if (++tries_ % kTriesAPart == 0) offer(lane);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  /// What was written last is committed only some records later.
  static constexpr std::uint32_t kTriesAPart = 64;

  void take(const Lane& lane);
  void offer(const Lane& lane);

  std::string directory_;
  std::uint64_t every_bytes_;
  Position taken_at_ = 0;
  std::uint64_t count_ = 0;
  std::string path_;
  std::string offered_path_;
  Position offered_at_ = 0;
  bool waiting_ = false;
  std::uint32_t tries_ = 0;
  std::optional<Error> error_;
};

}  // namespace quorate::tools
