#include "core/replica_machine.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::core {

namespace {
/// Credit is renewed at the latest when this part of the ring has become free.
constexpr std::uint64_t kCreditShare = 4;
}  // namespace

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
  end_session();
  session_epoch_ = epoch;
  state_ = State::claiming;
  // The claim says what is received. What else the last session was told, this one was not.
  told_received_ = received_;
  told_applied_ = 0;
}

/// Keeps of the primary's word what it proved.
void ReplicaMachine::end_session() noexcept {
  committed_ = exposed();
  if (!QUORATE_MUTANT(committed_of_old_session)) told_committed_ = 0;
}

ResumeClaim ReplicaMachine::claim() const noexcept {
  return {config_.stream, last_epoch_,  received_, last_checksum_, config_.incarnation,
          credit_limit()};
}

bool ReplicaMachine::on_verdict(const ResumeVerdict& verdict) noexcept {
  if (verdict.verdict == Verdict::needs_full_copy) {
    end_session();
    state_ = State::needs_full_copy;
    return true;
  }
  if (state_ != State::claiming || verdict.position != received_) return false;
  if (verdict.verdict == Verdict::from_start && received_ != 0) return false;
  state_ = State::streaming;
  return true;
}

void ReplicaMachine::on_disconnected() noexcept {
  end_session();
  if (state_ != State::needs_full_copy) state_ = State::idle;
}

FrameVerdict ReplicaMachine::check_frame(const FrameInfo& frame) const noexcept {
  if (state_ != State::streaming) return FrameVerdict::not_session;
  if (frame.epoch > session_epoch_ || frame.epoch < last_epoch_) return FrameVerdict::wrong_epoch;
  if (frame.begin != received_ && !QUORATE_MUTANT(gap_accepted)) return FrameVerdict::gap;
  if (frame.previous_epoch != last_epoch_ || frame.previous_checksum != last_checksum_) {
    return FrameVerdict::mismatch;
  }
  return frame.end > credit_limit() ? FrameVerdict::no_credit : FrameVerdict::accept;
}

void ReplicaMachine::on_frame(const FrameInfo& frame) noexcept {
  CHECK(frame.begin == received_ || QUORATE_MUTANT(gap_accepted));
  received_ = frame.end;
  last_epoch_ = frame.epoch;
  last_checksum_ = frame.checksum;
}

void ReplicaMachine::on_committed(Position committed) noexcept {
  told_committed_ = std::max(told_committed_, committed);
}

Position ReplicaMachine::exposed() const noexcept {
  if (state_ != State::streaming) return committed_;
  if (QUORATE_MUTANT(committed_beyond_held)) return std::max(committed_, told_committed_);
  if (QUORATE_MUTANT(exposes_received)) return received_;
  return std::max(committed_, std::min(told_committed_, received_));
}

void ReplicaMachine::on_applied(Position applied) noexcept {
  CHECK(applied <= exposed());
  applied_ = std::max(applied_, applied);
}

Acknowledgement ReplicaMachine::acknowledgement() const noexcept {
  return {config_.stream, session_epoch_, config_.incarnation,
          QUORATE_MUTANT(acknowledges_ahead) ? received_ + 8 : received_,
          QUORATE_MUTANT(durable_told) ? received_ : 0, applied_,
          credit_limit()};
}

bool ReplicaMachine::acknowledgement_due(bool applied_awaited) const noexcept {
  if (state_ != State::streaming) return false;
  if (received_ != told_received_) return true;
  const std::uint64_t untold_bytes = applied_ - told_applied_;
  return untold_bytes > 0 && (applied_awaited || untold_bytes >= config_.ring_bytes / kCreditShare);
}

void ReplicaMachine::on_acknowledged() noexcept {
  told_received_ = received_;
  told_applied_ = applied_;
}

}  // namespace quorate::core
