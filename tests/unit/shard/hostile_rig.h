#pragma once

// A replica that an honest primary has fed, so that there is something to lose; then a hostile one
// in its place; then the honest one again.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"
#include "tests/unit/shard/hostile_primary.h"

namespace quorate::shard {

/// A replica and its program, on a thread of its own.
class Follower {
 public:
  explicit Follower(ReplicaOptions options);
  ~Follower();

  [[nodiscard]] Replica& replica() { return replica_; }
  [[nodiscard]] Position end() const;  ///< of what the program has seen
  [[nodiscard]] std::vector<Position> installed() const;

 private:
  mutable std::mutex mutex_;
  Position end_ = 0;
  std::vector<Position> installed_;
  Replica replica_;
  std::thread thread_;
};

class AfterAnHonestPrimary : public testing::TestWithParam<Backend> {
 protected:
  AfterAnHonestPrimary();
  ~AfterAnHonestPrimary() override;

  [[nodiscard]] ReplicaOptions replica_options() const;
  void begin_honest();
  void end_honest();
  void write(int count, std::size_t record_bytes = 100);
  /// Offers what the honest log no longer reaches back to, and has the replica take it.
  void take_honest_snapshot();
  /// The hostile primary listens where the honest one did, and the replica has claimed.
  HostilePrimary& begin_hostile();
  /// It has not changed what the replica holds, and the replica still follows an honest one.
  void expect_unharmed();

  /// One that would be taken: of bytes() that are not sent yet.
  [[nodiscard]] core::SnapshotHead good_head() const;
  [[nodiscard]] const test::Bytes& bytes() const noexcept { return bytes_; }
  /// The replica's claim says that it holds what it held.
  void expect_held(const core::ResumeClaim& claim) const;
  /// The catch-up ends with that goodbye, is closed on both sides, and the replica claims what it
  /// held.
  void expect_refused(HostileSession session, const std::string& reason);
  /// A replica that waits for the head of a snapshot as of there.
  HostileSession promised(Position position);
  /// One that has taken the head, and has asked for all of it.
  HostileSession asked(const core::SnapshotHead& head);

  /// Files of snapshots in the replica's directory, and the bytes in them.
  struct Files {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Files snapshot_files() const;
  [[nodiscard]] std::string stream_directory() const { return path_ + "/b/stream-00000"; }

  std::string path_;
  std::string address_ = "127.0.0.1:0";
  Epoch epoch_;
  Position end_ = 0;  ///< of what the honest primary has
  std::size_t installed_ = 0;  ///< by the replica, of the honest one
  core::ResumeClaim held_;
  test::Bytes bytes_;
  std::optional<Primary> honest_;
  std::unique_ptr<HostilePrimary> hostile_;
  std::unique_ptr<Follower> follower_;
};

/// Asks again and again until the condition holds. False when it did not for a minute.
bool eventually(const std::function<bool()>& condition);

}  // namespace quorate::shard
