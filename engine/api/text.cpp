// The names of the vocabulary's values, as they appear in traces, tables and JSON.

#include "quorate/error.h"
#include "quorate/replica.h"
#include "quorate/status.h"
#include "quorate/types.h"

namespace quorate {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::busy: return "busy";
    case Errc::too_large: return "too_large";
    case Errc::closed: return "closed";
    case Errc::fenced: return "fenced";
    case Errc::not_primary: return "not_primary";
    case Errc::unsupported: return "unsupported";
    case Errc::invalid_option: return "invalid_option";
    case Errc::timed_out: return "timed_out";
    case Errc::unreachable: return "unreachable";
    case Errc::incompatible: return "incompatible";
    case Errc::corrupt: return "corrupt";
    case Errc::needs_full_copy: return "needs_full_copy";
    case Errc::io: return "io";
    case Errc::no_space: return "no_space";
    case Errc::log_full: return "log_full";
  }
  return "?";
}

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::received: return "received";
    case Level::durable: return "durable";
    case Level::applied: return "applied";
  }
  return "?";
}

std::string_view to_string(OutcomeKind kind) noexcept {
  switch (kind) {
    case OutcomeKind::released: return "released";
    case OutcomeKind::pending: return "pending";
    case OutcomeKind::unknown: return "unknown";
    case OutcomeKind::lost: return "lost";
  }
  return "?";
}

std::string_view to_string(ReplicaStatus::State state) noexcept {
  switch (state) {
    case ReplicaStatus::State::absent: return "absent";
    case ReplicaStatus::State::streaming: return "streaming";
    case ReplicaStatus::State::parked: return "parked";
    case ReplicaStatus::State::needs_full_copy: return "needs_full_copy";
    case ReplicaStatus::State::catching_up: return "catching_up";
  }
  return "?";
}

std::string_view to_string(RetentionState state) noexcept {
  switch (state) {
    case RetentionState::ok: return "ok";
    case RetentionState::extended: return "extended";
    case RetentionState::at_risk: return "at_risk";
    case RetentionState::lost: return "lost";
    case RetentionState::full: return "full";
  }
  return "?";
}

std::string_view to_string(ReplicaReport::State state) noexcept {
  switch (state) {
    case ReplicaReport::State::connecting: return "connecting";
    case ReplicaReport::State::streaming: return "streaming";
    case ReplicaReport::State::needs_full_copy: return "needs_full_copy";
    case ReplicaReport::State::refused: return "refused";
    case ReplicaReport::State::stopped: return "stopped";
    case ReplicaReport::State::log_failed: return "log_failed";
  }
  return "?";
}

}  // namespace quorate
