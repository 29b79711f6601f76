#pragma once

// The replica handle: receive a primary's streams and apply their records in order.
//
// Threads: run, poll and stop_after may be used by one applying thread at a time; stop, status and
// applied from any thread. With engine-owned loops apply runs on the caller's thread behind a
// cursor, so that a slow apply never delays heartbeats; with hosted loops run and poll turn them.
// Delivery: in order per stream, at least once over restarts, never beyond what is committed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/engine.h"
#include "quorate/error.h"
#include "quorate/options.h"
#include "quorate/status.h"
#include "quorate/types.h"

namespace quorate {

namespace shard {
class ReplicaNode;
}

using Apply = std::function<void(const Record&)>;

struct ReplicaStreamStatus {
  StreamId stream = 0;
  Epoch epoch;
  Position received = 0;
  Position durable = 0;    ///< with a directory
  Position committed = 0;  ///< as far as the primary has told
  Position applied = 0;
  RetentionState retention = RetentionState::ok;  ///< with a directory
};

struct ReplicaReport {
  enum class State : std::uint8_t {
    connecting,
    streaming,
    /// What it holds is of another history or has a gap behind it. Final without
    /// ReplicaOptions::install; with it, it waits for a snapshot.
    needs_full_copy,
    refused,          ///< the primary refused it; `reason` says why; it goes on trying
    stopped,
    log_failed,       ///< final: its log met an error of the disk; `reason` names it
  };
  State state = State::connecting;
  std::string reason;            ///< of the last refusal, goodbye or disconnect
  bool primary_closed = false;   ///< the primary said goodbye because it closes
  std::uint64_t connects = 0;    ///< sessions begun
  std::uint64_t resumes = 0;     ///< sessions that went on from a position above 0
  std::uint64_t frames_received = 0;
  std::uint64_t frames_refused = 0;  ///< failed verification; each closed its connection
  std::vector<ReplicaStreamStatus> streams;
};
[[nodiscard]] std::string_view to_string(ReplicaReport::State state) noexcept;

class Replica {
 public:
  static Result<Replica> open(ReplicaOptions options);
  static Result<Replica> open(Engine& engine, ReplicaOptions options);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  /// Applies records until stop(), until the primary says goodbye because it closes, until a full
  /// copy is needed (Errc::needs_full_copy; not with ReplicaOptions::install), or until `install`
  /// fails, with its error. After a goodbye the replica goes on looking for a primary at that
  /// address, on hosted loops while this is called: who follows the next one calls again, and again
  /// while that returns at once because there is none (ReplicaReport::primary_closed).
  Status run(const Apply& apply);

  /// Applies at most `records_max` records that are ready, waiting up to `timeout` for the first.
  /// Returns how many. Errors as run().
  Result<std::size_t> poll(const Apply& apply, std::size_t records_max,
                           std::chrono::nanoseconds timeout = std::chrono::nanoseconds{0});

  /// Makes run() return, or the next run() if none is running; poll() likewise. From any thread or
  /// from within apply.
  void stop() noexcept;

  /// With ReplicaOptions::confirmed, from any thread: everything of that stream up to `position`,
  /// a Record::end, is applied. Error: apply has not returned from it yet.
  Status confirm(StreamId stream, Position position);

  [[nodiscard]] ReplicaReport report() const;
  [[nodiscard]] Engine& engine() noexcept;
  void close();

 private:
  explicit Replica(std::unique_ptr<shard::ReplicaNode> node);
  std::unique_ptr<shard::ReplicaNode> node_;
};

}  // namespace quorate
