#include "core/session.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace quorate::core {

namespace {

/// A peer's text in our line: it must not be able to begin another one.
std::string quoted(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return '"' + text + '"';
}

std::string range(std::uint64_t low, std::uint64_t high) {
  return std::to_string(low) + "…" + std::to_string(high);
}

std::nullopt_t refuse(Goodbye& goodbye, GoodbyeReason reason, std::string text) {
  goodbye = {reason, std::move(text)};
  return std::nullopt;
}

std::optional<Admitted> admit_replica(const Hello& hello, const Admission& admission,
                                      std::uint16_t version, Goodbye& goodbye) {
  const auto found = std::find(admission.replicas.begin(), admission.replicas.end(), hello.node);
  if (found == admission.replicas.end()) {
    return refuse(goodbye, GoodbyeReason::unknown_node,
                  "node: found " + quoted(hello.node) + ", which is no replica of this primary");
  }
  if (hello.loop >= admission.loops) {
    return refuse(goodbye, GoodbyeReason::protocol_violation,
                  "loop: found " + std::to_string(hello.loop) + ", allowed " +
                      range(0, admission.loops - 1));
  }
  if (hello.ring_bytes < admission.ring_bytes_min) {
    return refuse(goodbye, GoodbyeReason::too_large,
                  "ring_bytes: found " + std::to_string(hello.ring_bytes) + ", at least " +
                      std::to_string(admission.ring_bytes_min) +
                      " for the largest frame of this primary");
  }
  return Admitted{version, static_cast<std::uint32_t>(found - admission.replicas.begin())};
}

}  // namespace

std::optional<Admitted> admit(const Hello& hello, const Admission& admission, Goodbye& goodbye) {
  if (hello.cluster != admission.cluster) {
    return refuse(goodbye, GoodbyeReason::wrong_cluster,
                  "cluster: found " + quoted(hello.cluster) + ", this is \"" + admission.cluster +
                      '"');
  }
  const std::uint16_t version = std::min(hello.version_max, admission.version_max);
  if (version < std::max(hello.version_min, admission.version_min)) {
    return refuse(goodbye, GoodbyeReason::incompatible_version,
                  "version: found " + range(hello.version_min, hello.version_max) +
                      ", this node speaks " +
                      range(admission.version_min, admission.version_max));
  }
  if (hello.role == Role::client) return Admitted{version, 0};
  return admit_replica(hello, admission, version, goodbye);
}

bool Liveness::peer_gone(Instant now) const noexcept {
  return now - heard_at_ >= timeout_ns_ && !QUORATE_MUTANT(silence_unnoticed);
}

Instant Liveness::next_deadline(bool sending) const noexcept {
  const Instant gone_at = heard_at_ + timeout_ns_;
  return sending ? gone_at : std::min(sent_at_ + heartbeat_ns_, gone_at);
}

Backoff::Backoff(std::int64_t min_ns, std::int64_t max_ns, std::uint64_t seed) noexcept
    : min_ns_(min_ns), max_ns_(max_ns), bound_ns_(min_ns), random_(seed) {}

void Backoff::on_session_began(Instant now) noexcept { began_at_ = now; }

std::int64_t Backoff::on_failure(Instant now) noexcept {
  if (began_at_ != kNever && now - began_at_ >= kHealthy_ns) bound_ns_ = min_ns_;
  began_at_ = kNever;
  const auto choices = static_cast<std::uint64_t>(bound_ns_) + 1;
  const auto delay = static_cast<std::int64_t>(random_.below(choices));
  bound_ns_ = std::min(bound_ns_ * 2, max_ns_);
  return delay;
}

}  // namespace quorate::core
