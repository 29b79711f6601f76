#pragma once

// A whole replica: its streams, one link per loop of the primary, and what the applying thread
// waits on. Streams are made when the first primary says how many there are.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ready_list.h"
#include "base/ring_memory.h"
#include "base/watermark_waiters.h"
#include "core/message.h"
#include "quorate/engine.h"
#include "quorate/replica.h"
#include "reactor/reactor.h"
#include "shard/log_opening.h"
#include "shard/replica_link.h"
#include "shard/replica_stream.h"
#include "shard/shard_group.h"

namespace quorate::shard {

class ReplicaNode {
 public:
  static Result<std::unique_ptr<ReplicaNode>> open(std::unique_ptr<Engine> engine, Engine* shared,
                                                   ReplicaOptions options);
  ~ReplicaNode();

  // The applying thread.

  Status run(const Apply& apply);
  Result<std::size_t> poll(const Apply& apply, std::size_t records_max,
                           std::chrono::nanoseconds timeout);

  // Any thread.

  void stop() noexcept;
  [[nodiscard]] ReplicaReport report() const;
  Status confirm(StreamId stream, Position position);
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  void close();

  // Links, on their loops.

  [[nodiscard]] const ReplicaOptions& options() const noexcept { return options_; }
  [[nodiscard]] const reactor::Address& primary() const noexcept { return primary_; }
  [[nodiscard]] std::uint64_t incarnation() const noexcept { return incarnation_; }
  /// The first link was welcomed: makes the streams and the other links, or checks that the
  /// primary has the same as before. The error says why this primary cannot be followed.
  Status on_welcome(const core::Welcome& welcome);
  [[nodiscard]] std::vector<ReplicaStream*> streams_of(std::uint32_t loop) const;
  /// Wakes the applying thread.
  void ring() noexcept;

  void on_session(std::uint32_t loop);
  void on_resumed();
  void on_state(ReplicaReport::State state, const std::string& reason);
  void on_primary_closed(std::uint32_t loop, const std::string& why);
  /// Final, unless the program takes snapshots.
  void on_needs_full_copy(StreamId stream, const std::string& why);
  /// There is a way on for it after all.
  void on_copy_found(StreamId stream);
  /// Nothing is acknowledged any more: final.
  void on_log_failed(const std::string& why);
  [[nodiscard]] bool log_failed() const noexcept {
    return log_failed_.load(std::memory_order_acquire);
  }
  void count_frame() noexcept { frames_received_.fetch_add(1, std::memory_order_relaxed); }
  void count_refused() noexcept { frames_refused_.fetch_add(1, std::memory_order_relaxed); }

 private:
  ReplicaNode(std::unique_ptr<Engine> engine, Engine* shared);

  Status start(ReplicaOptions options);
  Status open_logs();
  Status make_logs(std::uint32_t streams);
  Status make_streams(const core::Welcome& welcome);
  Status check_fits(const core::Welcome& welcome) const;
  void close_logs();
  /// Returns how many; see install_error_.
  std::size_t apply_ready(const Apply& apply, std::size_t records_max);
  void wait_for_records(Instant deadline);
  /// Why applying ends; has a value while it goes on.
  enum class End : std::uint8_t { none, stopped, primary_closed, needs_full_copy, log_failed };
  [[nodiscard]] End end_reason() const noexcept;
  Result<std::size_t> end_result(End end, std::size_t count) const;
  [[nodiscard]] bool hosts_loops();
  /// Until there may be more to apply than when `rings` was read, or an end.
  void turn_loops(Instant until, Position rings);
  [[nodiscard]] Instant now() const noexcept;

  std::unique_ptr<Engine> own_engine_;
  Engine* engine_;
  ReplicaOptions options_;
  reactor::Address primary_;
  std::uint64_t incarnation_ = 0;

  /// Grows on loop 0 at the first welcome; close() reads it only after it has stopped link 0 there.
  std::vector<std::unique_ptr<ReplicaLink>> links_;
  std::vector<std::unique_ptr<base::RingArena>> arenas_;
  std::optional<log::DirectoryLock> lock_;
  std::vector<OpenedLog> logs_;  ///< by stream, until the streams are made
  std::vector<std::unique_ptr<ReplicaStream>> streams_;
  std::uint32_t primary_loops_ = 0;
  std::atomic<bool> streams_made_{false};

  base::ReadyList to_apply_;
  std::vector<ReplicaStream*> applying_;  ///< the applying thread's own queue
  std::optional<Error> install_error_;    ///< its own as well: the program could not install
  std::atomic<Position> rings_{0};        ///< counts calls of ring()
  base::WatermarkWaiters ring_waiters_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> never_{false};
  std::atomic<bool> primary_closed_{false};
  std::vector<bool> loop_closed_;         ///< under report_mutex_: loops that said goodbye
  std::atomic<bool> needs_full_copy_{false};
  std::atomic<bool> log_failed_{false};
  std::string log_failure_;  ///< under report_mutex_
  bool closed_ = false;

  mutable std::mutex report_mutex_;  ///< rare changes: sessions, refusals
  ReplicaReport report_;
  std::set<StreamId> waiting_for_copy_;  ///< under report_mutex_; of a program that takes snapshots
  std::atomic<std::uint64_t> frames_received_{0};
  std::atomic<std::uint64_t> frames_refused_{0};
};

}  // namespace quorate::shard
