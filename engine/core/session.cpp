#include "core/session.h"

#include <algorithm>

#include "base/random.h"

namespace quorate::core {

namespace {

/// A session that lived this long proves that the peer is well.
constexpr std::int64_t kHealthy_ns = 30 * kSecond_ns;

void refuse(Goodbye& goodbye, GoodbyeReason reason, std::string text) {
  goodbye = {reason, std::move(text)};
}

}  // namespace

std::optional<Admitted> admit(const Hello& hello, const Admission& admission, Goodbye& goodbye) {
  if (hello.cluster != admission.cluster) {
    refuse(goodbye, GoodbyeReason::wrong_cluster,
           "cluster: found \"" + hello.cluster + "\", this is \"" + admission.cluster + "\"");
    return std::nullopt;
  }
  const std::uint16_t version = std::min(hello.version_max, admission.version_max);
  if (hello.version_min > hello.version_max ||
      version < std::max(hello.version_min, admission.version_min)) {
    refuse(goodbye, GoodbyeReason::incompatible_version,
           "version: found " + std::to_string(hello.version_min) + "…" +
               std::to_string(hello.version_max) + ", this node speaks " +
               std::to_string(admission.version_min) + "…" + std::to_string(admission.version_max));
    return std::nullopt;
  }
  if (hello.role == Role::client) return Admitted{version, 0};
  const auto found = std::find(admission.replicas.begin(), admission.replicas.end(), hello.node);
  if (found == admission.replicas.end()) {
    refuse(goodbye, GoodbyeReason::unknown_node,
           "node: found \"" + hello.node + "\", which is no replica of this primary");
    return std::nullopt;
  }
  if (hello.loop >= admission.loops) {
    refuse(goodbye, GoodbyeReason::protocol_violation,
           "loop: found " + std::to_string(hello.loop) + ", allowed 0…" +
               std::to_string(admission.loops - 1));
    return std::nullopt;
  }
  if (hello.ring_bytes < admission.ring_bytes_min) {
    refuse(goodbye, GoodbyeReason::too_large,
           "ring_bytes: found " + std::to_string(hello.ring_bytes) + ", at least " +
               std::to_string(admission.ring_bytes_min) + " for the largest frame of this primary");
    return std::nullopt;
  }
  return Admitted{version, static_cast<std::uint32_t>(found - admission.replicas.begin())};
}

Instant Liveness::next_deadline() const noexcept {
  return std::min(sent_at_ + heartbeat_ns_, heard_at_ + timeout_ns_);
}

Backoff::Backoff(std::int64_t min_ns, std::int64_t max_ns, std::uint64_t seed) noexcept
    : min_ns_(min_ns), max_ns_(max_ns), bound_ns_(min_ns), random_state_(seed) {}

void Backoff::on_session_began(Instant now) noexcept { began_at_ = now; }

std::int64_t Backoff::on_failure(Instant now) noexcept {
  if (began_at_ != kNever && now - began_at_ >= kHealthy_ns) bound_ns_ = min_ns_;
  began_at_ = kNever;
  base::Random random(random_state_);
  random_state_ = random.next();
  const auto delay =
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound_ns_) + 1));
  bound_ns_ = std::min(bound_ns_ * 2, max_ns_);
  return delay;
}

}  // namespace quorate::core
