#include "core/replica_machine.h"

#include <algorithm>

#include "base/check.h"

namespace quorate::core {

std::string_view to_string(FrameVerdict verdict) noexcept {
  switch (verdict) {
    case FrameVerdict::accept: return "accepted";
    case FrameVerdict::not_session: return "frame of a stream without a session";
    case FrameVerdict::wrong_epoch: return "frame of an unexpected epoch";
    case FrameVerdict::gap: return "frame does not continue what is held";
    case FrameVerdict::mismatch: return "frame names another predecessor";
    case FrameVerdict::no_credit: return "frame beyond the credit limit";
  }
  return "?";
}

void ReplicaMachine::on_session(const Epoch& epoch) noexcept {
  session_epoch_ = epoch;
  if (state_ != State::needs_full_copy) state_ = State::claiming;
  // What the last session was told does not bind this primary's view of us.
  told_received_ = received_;
  told_applied_ = 0;
  told_credit_ = credit_limit();
}

ResumeClaim ReplicaMachine::claim() const noexcept {
  return {config_.stream, last_epoch_,  received_, last_checksum_, config_.incarnation,
          credit_limit()};
}

bool ReplicaMachine::on_verdict(const ResumeVerdict& verdict) noexcept {
  if (verdict.verdict == Verdict::needs_full_copy) {
    state_ = State::needs_full_copy;
    return true;
  }
  if (state_ != State::claiming || verdict.position != received_) {
    return state_ == State::needs_full_copy;
  }
  if (verdict.verdict == Verdict::from_start && received_ != 0) return false;
  state_ = State::streaming;
  return true;
}

void ReplicaMachine::on_disconnected() noexcept {
  if (state_ != State::needs_full_copy) state_ = State::idle;
}

FrameVerdict ReplicaMachine::check_frame(const FrameInfo& frame) const noexcept {
  if (state_ != State::streaming) return FrameVerdict::not_session;
  if (frame.epoch > session_epoch_ || frame.epoch < last_epoch_) return FrameVerdict::wrong_epoch;
  if (frame.begin != received_) return FrameVerdict::gap;
  if (frame.previous_epoch != last_epoch_ || frame.previous_checksum != last_checksum_) {
    return FrameVerdict::mismatch;
  }
  return frame.end > credit_limit() ? FrameVerdict::no_credit : FrameVerdict::accept;
}

void ReplicaMachine::on_frame(const FrameInfo& frame) noexcept {
  CHECK(frame.begin == received_);
  received_ = frame.end;
  last_epoch_ = frame.epoch;
  last_checksum_ = frame.checksum;
}

void ReplicaMachine::on_committed(Position committed) noexcept {
  committed_ = std::max(committed_, committed);
}

Position ReplicaMachine::exposed() const noexcept { return std::min(committed_, received_); }

void ReplicaMachine::on_applied(Position applied) noexcept {
  CHECK(applied <= exposed());
  applied_ = std::max(applied_, applied);
}

Acknowledgement ReplicaMachine::acknowledgement() const noexcept {
  return {config_.stream, session_epoch_, config_.incarnation, received_, 0, applied_,
          credit_limit()};
}

bool ReplicaMachine::acknowledgement_due() const noexcept {
  return state_ == State::streaming && (received_ != told_received_ || applied_ != told_applied_);
}

void ReplicaMachine::on_acknowledged() noexcept {
  told_received_ = received_;
  told_applied_ = applied_;
  told_credit_ = credit_limit();
}

}  // namespace quorate::core
