#include "tools/load/snapshots.h"

#include <fmt/format.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace quorate::tools {

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Error file_error(const char* operation, const std::string& path) {
  const int number = errno;
  return Error(Errc::io, fmt::format("{} {}: {}", operation, path, std::strerror(number)), number);
}

}  // namespace

Status write_snapshot(const std::string& path, const DigestSnapshot& snapshot) {
  File file(std::fopen(path.c_str(), "we"), std::fclose);
  if (!file) return file_error("write", path);
  const StreamDigest& digest = snapshot.digest;
  std::fprintf(file.get(), "digest %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
               snapshot.end, digest.records, digest.bytes, digest.sum);
  if (std::fclose(file.release()) != 0) return file_error("write", path);
  return Done{};
}

Result<DigestSnapshot> read_snapshot(const std::string& path) {
  File file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return file_error("read", path);
  DigestSnapshot snapshot;
  StreamDigest& digest = snapshot.digest;
  const int found = std::fscanf(file.get(), "digest %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                                &snapshot.end, &digest.records, &digest.bytes, &digest.sum);
  if (found == 4) return snapshot;
  return Error(Errc::corrupt, path + ": not a digest that `quorate load` has offered");
}

void SnapshotMaker::take(const Lane& lane) {
  taken_at_ = lane.end;
  path_ = fmt::format("{}/digest-{}-{}", directory_, lane.stream.id(), count_++);
  if (Status written = write_snapshot(path_, {lane.end, lane.digest}); !written) {
    error_ = written.error();
    return;
  }
  waiting_ = true;
}

/// Once one is ready, the file of the one before is of no use.
void SnapshotMaker::offer(const Lane& lane) {
  Stream stream = lane.stream;
  const Status offered = stream.offer_snapshot(path_, taken_at_);
  if (!offered && offered.error().code == Errc::busy) return;
  waiting_ = false;
  if (!offered) {
    error_ = offered.error();
    return;
  }
  if (!offered_path_.empty() && stream.status().snapshot_position == offered_at_) {
    std::remove(offered_path_.c_str());
  }
  offered_path_ = path_;
  offered_at_ = taken_at_;
}

}  // namespace quorate::tools
