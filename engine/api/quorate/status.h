#pragma once

// How far each replica has got, as the primary knows it: plain values, from Stream::status() inside
// the primary's process and from query_status() outside it.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"
#include "quorate/types.h"

namespace quorate {

/// What one replica has reached on one stream, as the primary knows it.
struct ReplicaStatus {
  enum class State : std::uint8_t {
    absent,          ///< not connected
    streaming,       ///< receives frames as they are sealed
    parked,          ///< beyond its lag budget: fed again once its connection drains
    needs_full_copy, ///< ring and log no longer hold what it lacks
    catching_up,     ///< is fed from the log, or with a snapshot, until the ring has what it lacks
  };
  std::string name;
  State state = State::absent;
  Position sent = 0;
  Position received = 0;
  Position durable = 0;
  Position applied = 0;
  std::uint64_t lag_bytes = 0;  ///< appended and not yet received there
  double lag_seconds = 0;       ///< age, by the primary's clock, of the oldest byte not yet
                                ///< received there; 0 when there is none
  std::uint64_t catch_up_bytes_per_second = 0;  ///< while it is fed from the log, of late

  /// Until it has caught up if nothing more is written, so at least; 0: nobody knows yet.
  [[nodiscard]] double catch_up_seconds_left() const {
    if (state != State::catching_up || catch_up_bytes_per_second == 0) return 0;
    return static_cast<double>(lag_bytes) / static_cast<double>(catch_up_bytes_per_second);
  }
};
[[nodiscard]] std::string_view to_string(ReplicaStatus::State state) noexcept;

/// How long a log reaches back, as its limits have it.
enum class RetentionState : std::uint8_t {
  ok,
  extended,  ///< more than the soft limits ask for, because a replica still needs it
  at_risk,   ///< what a replica needs is near the hard limit
  lost,      ///< a replica needs what is not there any more: it needs a full copy
  full,      ///< at the hard limit. A primary, with what is not committed: when this segment and
             ///< the ring are full, writes are refused (Errc::log_full). A replica, with what its
             ///< program has not read, for which it waits, or with what is not committed, for
             ///< which it goes on. See StorageOptions::retain_bytes_hard
};
[[nodiscard]] std::string_view to_string(RetentionState state) noexcept;

struct StreamStatus {
  StreamId stream = 0;
  Epoch epoch;
  Position appended = 0;   ///< end of the last record sealed into a frame
  Position committed = 0;  ///< the protected rule's watermark
  std::vector<ReplicaStatus> replicas;
  Position durable = 0;  ///< with a directory: what the primary's own log holds
  Position log_first = 0;       ///< and from where on
  std::uint64_t log_bytes = 0;  ///< of its files; 0: it keeps no log
  RetentionState retention = RetentionState::ok;
  /// Of the snapshot that is ready, as of where; 0: none is.
  Position snapshot_position = 0;
  std::uint64_t snapshot_bytes = 0;
  bool snapshot_wanted = false;  ///< a replica waits for one that reaches back to the log
  std::string snapshot_error{};  ///< why the last one offered is not ready, or not any more
};

/// What a running primary answers about itself.
struct NodeStatus {
  std::string node;
  std::uint32_t streams_total = 0;
  std::vector<StreamStatus> streams;  ///< as many as asked for, in order
};

struct StatusQuery {
  std::string address;              ///< host:port of a primary
  std::string cluster = "quorate";
  StreamId first = 0;
  std::uint32_t count = 256;        ///< streams wanted; 1 … 65,536
  std::chrono::milliseconds timeout{3000};  ///< for all of it; 1 … 3,600,000
};

/// Asks a primary over the network; blocks the calling thread. Errors: invalid_option, unreachable,
/// timed_out, incompatible (wrong cluster or version), corrupt.
Result<NodeStatus> query_status(const StatusQuery& query);

}  // namespace quorate
