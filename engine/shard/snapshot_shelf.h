#pragma once

// What a primary's stream has to offer to replicas that are behind its log: the snapshot that is
// ready, the one that is being made, and who waits. Used on the stream's loop, but for describe().

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "log/retention.h"
#include "quorate/status.h"
#include "reactor/reactor.h"
#include "shard/snapshot_offer.h"

namespace quorate::shard {

class Shard;
class StreamLog;

class SnapshotShelf {
 public:
  /// `log_is_state`: where the log begins is as good as a snapshot; see PrimaryOptions.
  SnapshotShelf(Shard& shard, const StreamLog& log, StreamId stream, bool log_is_state) noexcept
      : shard_(shard), log_(log), stream_(stream), log_is_state_(log_is_state) {}

  /// The file will be ready before long, unless another one is offered after it.
  void offer(std::string path, Position position);
  /// What serves a claim that lies before the log; null: nothing.
  [[nodiscard]] std::shared_ptr<const OpenSnapshot> serving() const;
  /// The file is not what was offered.
  void drop(std::uint64_t id, const std::string& why);
  /// The replica waits for a snapshot, or no longer.
  void note_waiting(std::uint32_t replica, bool waits);
  /// The lowest position of the log that it still needs; log::kNoHold: none.
  [[nodiscard]] Position needed_from() const noexcept {
    return ready_ ? ready_->head().position : log::kNoHold;
  }
  /// Time passes, and the log may have begun to begin elsewhere.
  void keep_house();

  void stop() noexcept;
  [[nodiscard]] bool idle() const noexcept;

  /// From any thread.
  void describe(StreamStatus& status) const;

 private:
  using Made = Result<std::shared_ptr<const OpenSnapshot>>;

  void begin(std::string path, Position position);
  void on_made(Made made);
  void on_begin_found(Made made);
  void fail(const std::string& why);
  void publish();
  [[nodiscard]] bool reaches(const std::shared_ptr<const OpenSnapshot>& snapshot) const noexcept;

  struct Request {
    std::string path;
    Position position = 0;
  };

  Shard& shard_;
  const StreamLog& log_;
  const StreamId stream_;
  const bool log_is_state_;
  std::shared_ptr<const OpenSnapshot> ready_;
  std::shared_ptr<const OpenSnapshot> log_begin_;
  std::unique_ptr<SnapshotOffer> making_;
  std::unique_ptr<SnapshotOffer> finding_;
  std::optional<Request> next_;
  std::uint64_t waiting_ = 0;  ///< bit i: replica i
  std::string error_;
  bool made_ = false;   ///< making_ has ended, and may go
  bool found_ = false;
  bool stopped_ = false;

  mutable std::mutex mutex_;  ///< rare changes
  StreamStatus told_;         ///< under mutex_: the fields that are about snapshots
};

}  // namespace quorate::shard
