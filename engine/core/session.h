#pragma once

// What a connection decides: whom to admit, when to speak, when a peer counts as gone, when to dial
// again. Pure functions and small machines over time; no I/O.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "core/message.h"

namespace quorate::core {

struct Admission {
  std::string cluster;
  std::span<const std::string> replicas;  ///< names of the configuration
  std::uint32_t loops = 1;
  std::uint16_t version_min = 1;
  std::uint16_t version_max = 1;
  std::uint64_t ring_bytes_min = 0;  ///< a replica's ring must hold the largest frame
};

struct Admitted {
  std::uint16_t version = 0;
  std::uint32_t replica = 0;  ///< index in the configuration; meaningless for a client
};

/// Checks a hello. On refusal `goodbye` says why, naming the field, what was found and allowed.
std::optional<Admitted> admit(const Hello& hello, const Admission& admission, Goodbye& goodbye);

/// Speaking and listening on one connection: heartbeats when nothing was sent for an interval,
/// silence beyond the timeout means the peer is gone.
class Liveness {
 public:
  Liveness(std::int64_t heartbeat_ns, std::int64_t timeout_ns, Instant now) noexcept
      : heartbeat_ns_(heartbeat_ns), timeout_ns_(timeout_ns), sent_at_(now), heard_at_(now) {}

  void on_sent(Instant now) noexcept { sent_at_ = now; }
  void on_heard(Instant now) noexcept { heard_at_ = now; }
  [[nodiscard]] bool heartbeat_due(Instant now) const noexcept {
    return now - sent_at_ >= heartbeat_ns_;
  }
  [[nodiscard]] bool peer_gone(Instant now) const noexcept;
  /// When one of the two above may become true. `sending`: a send is in flight, so no heartbeat can
  /// go out and none is owed; without it a peer that does not read would keep the loop awake.
  [[nodiscard]] Instant next_deadline(bool sending) const noexcept;

 private:
  std::int64_t heartbeat_ns_;
  std::int64_t timeout_ns_;
  Instant sent_at_;
  Instant heard_at_;
};

/// Full jitter: a uniform draw between 0 and a bound that doubles from min to max with each
/// failure. Reset only by a session that stayed healthy for long, not by a connect that fails soon.
class Backoff {
 public:
  /// A session that lived this long proves that the peer is well.
  static constexpr std::int64_t kHealthy_ns = 30 * kSecond_ns;

  Backoff(std::int64_t min_ns, std::int64_t max_ns, std::uint64_t seed) noexcept;

  void on_session_began(Instant now) noexcept;
  /// The peer is known to be well.
  void reset() noexcept { bound_ns_ = min_ns_; }
  /// An attempt failed or a session ended: the delay before the next attempt.
  std::int64_t on_failure(Instant now) noexcept;

 private:
  std::int64_t min_ns_;
  std::int64_t max_ns_;
  std::int64_t bound_ns_;
  base::Random random_;
  Instant began_at_ = kNever;
};

}  // namespace quorate::core
