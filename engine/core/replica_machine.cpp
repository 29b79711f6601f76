#include "core/replica_machine.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::core {

namespace {
/// Credit is renewed at the latest when this part of the ring has become free.
constexpr std::uint64_t kCreditShare = 4;
/// And what nobody awaits received is told of when it is this part of the ring.
constexpr std::uint64_t kReceivedShare = 8;
/// Or so many frames: the primary needs room in its index of frames as it does in its ring.
constexpr std::uint32_t kUntoldFramesMax = 256;
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

ReplicaMachine::ReplicaMachine(const ReplicaStreamConfig& config) noexcept
    : config_(config),
      last_epoch_(config.last_epoch),
      last_checksum_(config.last_checksum),
      received_(config.start),
      durable_(config.start),
      stored_(config.start),
      committed_(config.committed),
      read_(config.applied),
      applied_(config.applied),
      fed_{config.applied, config.applied, config.start, false} {
  CHECK(config.committed <= config.start);
  grant();
}

void ReplicaMachine::on_session(const Epoch& epoch) noexcept {
  end_session();
  session_epoch_ = epoch;
  state_ = State::claiming;
  // The claim says what is received. What else the last session was told, this one was not.
  told_received_ = received_;
  told_read_ = told_applied_ = told_durable_ = 0;
  granted_ = 0;
  grant();
  told_credit_ = granted_;
}

/// Keeps of the primary's word what it proved.
void ReplicaMachine::end_session() noexcept {
  committed_ = committed();
  matched_ = false;
  if (!QUORATE_MUTANT(committed_of_old_session)) told_committed_ = 0;
}

ResumeClaim ReplicaMachine::claim() const noexcept {
  return {config_.stream,       last_epoch_,    received_, last_checksum_,
          config_.incarnation, credit_limit(), frames_,   frame_limit()};
}

bool ReplicaMachine::on_verdict(const ResumeVerdict& verdict) noexcept {
  if (verdict.verdict == Verdict::needs_full_copy) {
    end_session();
    state_ = State::needs_full_copy;
    return true;
  }
  const bool moves_on = state_ == State::claiming || state_ == State::streaming;
  if (verdict.verdict == Verdict::catch_up && moves_on) {
    end_session();
    state_ = State::catching_up;
    return true;
  }
  if (state_ != State::claiming) return false;
  if (verdict.verdict == Verdict::snapshot) return on_snapshot(verdict.position);
  if (verdict.verdict == Verdict::truncate) return on_truncate(verdict.position);
  if (verdict.position != received_) return false;
  if (verdict.verdict == Verdict::from_start && received_ != 0) return false;
  state_ = State::streaming;
  matched_ = true;
  return true;
}

/// Without a log there is nothing to cut, and what was committed or applied is not given up.
bool ReplicaMachine::on_truncate(Position position) noexcept {
  if (position >= received_) return false;
  const bool may = config_.durable && position >= committed() && position >= read_;
  state_ = may ? State::truncating : State::needs_full_copy;
  return true;
}

bool ReplicaMachine::on_snapshot(Position position) noexcept {
  if (!config_.takes_snapshots || position <= received_) return false;
  end_session();
  state_ = State::catching_up;
  return true;
}

void ReplicaMachine::on_claiming_again() noexcept {
  end_session();
  state_ = State::claiming;
  told_received_ = received_;
  told_read_ = told_applied_ = told_durable_ = 0;
  granted_ = 0;
  grant();
  told_credit_ = granted_;
}

void ReplicaMachine::on_truncated(Position end, const Epoch& epoch,
                                  std::uint32_t checksum) noexcept {
  CHECK(end <= received_ && end >= committed());
  received_ = durable_ = stored_ = end;
  stored_frames_ = frames_;
  last_epoch_ = epoch;
  last_checksum_ = checksum;
  granted_ = 0;
  grant();
}

void ReplicaMachine::on_begun_anew(Position end, const Epoch& epoch,
                                   std::uint32_t checksum) noexcept {
  CHECK(config_.takes_snapshots && end >= received_ && state_ != State::streaming);
  received_ = durable_ = stored_ = end;
  stored_frames_ = frames_;
  last_epoch_ = epoch;
  last_checksum_ = checksum;
  // It is of what the primary knew to be committed.
  committed_ = end;
  fed_.shown = fed_.copied = fed_.floor = end;
  granted_ = 0;
  grant();
}

void ReplicaMachine::on_installed(Position program) noexcept {
  read_ = std::max(read_, program);
  applied_ = std::max(applied_, program);
}

void ReplicaMachine::on_disconnected() noexcept {
  end_session();
  if (state_ != State::needs_full_copy) state_ = State::idle;
}

FrameVerdict ReplicaMachine::check_frame(const FrameInfo& frame, State expected) const noexcept {
  if (state_ != expected) return FrameVerdict::not_session;
  if (frame.epoch > session_epoch_ || frame.epoch < last_epoch_) return FrameVerdict::wrong_epoch;
  if (frame.begin != received_ && !QUORATE_MUTANT(gap_accepted)) return FrameVerdict::gap;
  if (frame.previous_epoch != last_epoch_ || frame.previous_checksum != last_checksum_) {
    return FrameVerdict::mismatch;
  }
  const bool fits = frame.end <= credit_limit() && !out_of_frames();
  return fits ? FrameVerdict::accept : FrameVerdict::no_credit;
}

void ReplicaMachine::on_frame(const FrameInfo& frame) noexcept {
  CHECK(frame.begin == received_ || QUORATE_MUTANT(gap_accepted));
  received_ = frame.end;
  ++untold_frames_;
  ++frames_;
  last_epoch_ = frame.epoch;
  last_checksum_ = frame.checksum;
  // It names its predecessor, which is the frame held last.
  matched_ = true;
  if (config_.durable) return;
  stored_ = received_;
  stored_frames_ = frames_;
}

void ReplicaMachine::on_committed(Position committed) noexcept {
  told_committed_ = std::max(told_committed_, committed);
}

Position ReplicaMachine::committed() const noexcept {
  if (!matched_) return committed_;
  if (QUORATE_MUTANT(committed_beyond_held)) return std::max(committed_, told_committed_);
  if (QUORATE_MUTANT(exposes_received)) return received_;
  return std::max(committed_, std::min(told_committed_, received_));
}

/// What the program has seen must not be missing after a restart.
Position ReplicaMachine::exposed() const noexcept {
  const bool waits = config_.durable && !QUORATE_MUTANT(shown_in_flight);
  return waits ? std::min(committed(), durable_) : committed();
}

void ReplicaMachine::on_applied(Position applied) noexcept {
  on_read(applied);
  applied_ = std::max(applied_, applied);
}

void ReplicaMachine::on_read(Position read) noexcept {
  CHECK(read <= std::max(read_, exposed()));
  read_ = std::max(read_, read);
}

void ReplicaMachine::on_stored(Position stored) noexcept {
  CHECK(stored >= stored_ && stored <= received_ && stored_frames_ != frames_);
  stored_ = stored;
  ++stored_frames_;
  grant();
}

void ReplicaMachine::on_durable(Position durable) noexcept {
  CHECK(durable >= durable_ && durable <= stored_);
  durable_ = durable;
}

/// That more is copied because the program read says nothing of what is committed.
void ReplicaMachine::on_fed(const Fed& fed) noexcept {
  if (fed.shown != fed_.shown) let_go_ = false;
  fed_ = fed;
  grant();
}

/// While its own disk is what is waited for, frames that come would wait for it as well.
void ReplicaMachine::on_nothing_shown() noexcept {
  if (durable_ != stored_) return;
  let_go_ = true;
  grant();
}

/// What the ring must still hold. Who copies from the log is waited for when it is near enough to
/// find the rest in the ring, which holds the same meanwhile.
Position ReplicaMachine::kept_from() const noexcept {
  const bool waits = !fed_.slow && !let_go_;
  const bool near = fed_.copied + config_.ring_bytes >= fed_.floor;
  return waits && near ? std::min(stored_, std::max(fed_.copied, fed_.floor)) : stored_;
}

void ReplicaMachine::grant() noexcept {
  granted_ = std::max(granted_, kept_from() + config_.ring_bytes);
}

Position ReplicaMachine::credit_limit() const noexcept {
  return std::max(received_, config_.durable ? granted_ : read_ + config_.ring_bytes);
}

Acknowledgement ReplicaMachine::acknowledgement() const noexcept {
  return {config_.stream, session_epoch_, config_.incarnation,
          QUORATE_MUTANT(acknowledges_ahead) ? received_ + 8 : received_,
          QUORATE_MUTANT(durable_told) ? received_ : config_.durable ? durable_ : 0,
          std::min(applied_, received_), credit_limit(), frame_limit()};
}

/// With a log, what is durable is told soon after, and one message tells of both.
bool ReplicaMachine::received_due(bool awaited) const noexcept {
  const bool waits = config_.durable && !awaited;
  const std::uint64_t untold = received_ - std::min(told_received_, received_);
  const bool many =
      untold >= config_.ring_bytes / kReceivedShare || untold_frames_ >= kUntoldFramesMax;
  return waits ? many : untold != 0;
}

bool ReplicaMachine::acknowledgement_due(const Awaited& awaited) const noexcept {
  if (state_ != State::streaming) return false;
  if (received_due(awaited.received) || durable_ != told_durable_) return true;
  if (applied_ != told_applied_ && awaited.applied) return true;
  const std::uint64_t room =
      config_.durable ? credit_limit() - std::min(told_credit_, credit_limit())
                      : read_ - told_read_;
  return room >= config_.ring_bytes / kCreditShare;
}

void ReplicaMachine::on_acknowledged() noexcept {
  told_received_ = received_;
  untold_frames_ = 0;
  told_read_ = read_;
  told_applied_ = applied_;
  told_durable_ = durable_;
  told_credit_ = credit_limit();
}

}  // namespace quorate::core
