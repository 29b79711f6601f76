#include "core/primary_machine.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace quorate::core {

namespace {
constexpr Position kInfinitelyFar = ~Position{0};
}

PrimaryMachine::PrimaryMachine(const PrimaryConfig& config) noexcept : config_(config) {
  CHECK(config.replicas <= kReplicasMax);
  CHECK(config.protected_copies >= 1 && config.protected_copies <= config.replicas + 1);
  const std::uint64_t all = config.replicas == 64 ? ~0ull : (1ull << config.replicas) - 1;
  protected_ = {Level::received, config.protected_copies - 1, all};
}

PrimaryMachine::Levels PrimaryMachine::positions(Level level) const noexcept {
  Levels result;
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    const ReplicaProgress& replica = replicas_[i];
    switch (level) {
      case Level::received: result[i] = replica.received; break;
      case Level::durable: result[i] = replica.durable; break;
      case Level::applied: result[i] = replica.applied; break;
    }
  }
  return result;
}

void PrimaryMachine::recompute(PrimaryEffects& effects) noexcept {
  const Levels received = positions(Level::received);
  for (std::uint32_t r = 0; r < rule_count_; ++r) {
    const CompiledRule& rule = rules_[r];
    const Position released =
        rule.level == Level::received
            ? released_position(rule, sealed_, received)
            : released_position(rule, sealed_, positions(rule.level));
    if (released <= watermarks_[r]) continue;
    watermarks_[r] = released;
    effects.rules_advanced |= 1u << r;
  }
  const Position committed = released_position(protected_, sealed_, received);
  if (committed > committed_) {
    committed_ = committed;
    effects.committed_advanced = true;
  }
}

void PrimaryMachine::on_rule(std::uint32_t index, const CompiledRule& rule,
                             PrimaryEffects& effects) noexcept {
  CHECK(index == rule_count_ && index < kRulesMax);
  rules_[index] = rule;
  watermarks_[index] = 0;
  ++rule_count_;
  recompute(effects);
}

void PrimaryMachine::on_sealed(Position end, PrimaryEffects& effects) noexcept {
  CHECK(end > sealed_);
  sealed_ = end;
  recompute(effects);
}

ResumeVerdict PrimaryMachine::on_resume(std::uint32_t index, const ResumeClaim& claim,
                                        const FrameIndex& frames, Position reclaimed, Instant now,
                                        PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  DCHECK(replica.state == ReplicaState::absent);
  bool fits = claim.position >= reclaimed && claim.position <= sealed_;
  if (claim.position == 0) {
    fits = fits && claim.epoch == Epoch{};
  } else if (fits) {
    const FrameEntry* frame = frames.ends_at(claim.position);
    fits = frame != nullptr && frame->epoch == claim.epoch && frame->checksum == claim.checksum;
  }
  if (!fits) {
    replica.state = ReplicaState::needs_full_copy;
    replica.holds = false;
    replica.received = replica.durable = replica.applied = 0;
    return {config_.stream, Verdict::needs_full_copy, reclaimed};
  }
  // A valid claim is a match up to its position in this session: it acknowledges as much.
  replica = ReplicaProgress{};
  replica.state = ReplicaState::streaming;
  replica.incarnation = claim.incarnation;
  replica.sent = replica.pin = replica.received = claim.position;
  replica.credit_limit = std::max(claim.credit_limit, claim.position);
  replica.progress_at = now;
  recompute(effects);
  return {config_.stream, claim.position == 0 ? Verdict::from_start : Verdict::resumed,
          claim.position};
}

PrimaryMachine::AckVerdict PrimaryMachine::on_acknowledgement(std::uint32_t index,
                                                              const Acknowledgement& ack,
                                                              Instant now,
                                                              PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  const bool in_session =
      replica.state == ReplicaState::streaming || replica.state == ReplicaState::parked;
  if (!in_session || ack.epoch != config_.epoch || ack.incarnation != replica.incarnation) {
    return AckVerdict::stale;
  }
  if (ack.received > replica.sent || ack.durable > ack.received || ack.applied > ack.received ||
      ack.credit_limit < ack.received) {
    return AckVerdict::violation;
  }
  if (ack.received > replica.received) {
    replica.received = ack.received;
    replica.progress_at = now;
  }
  replica.durable = std::max(replica.durable, ack.durable);
  replica.applied = std::max(replica.applied, ack.applied);
  replica.credit_limit = std::max(replica.credit_limit, ack.credit_limit);
  recompute(effects);
  return AckVerdict::counted;
}

void PrimaryMachine::on_send_started(std::uint32_t index, Position end) noexcept {
  ReplicaProgress& replica = replicas_[index];
  CHECK(replica.state == ReplicaState::streaming && replica.pin == replica.sent);
  CHECK(end > replica.sent && end <= sealed_);
  replica.sent = end;
}

void PrimaryMachine::on_send_finished(std::uint32_t index) noexcept {
  replicas_[index].pin = replicas_[index].sent;
}

void PrimaryMachine::on_send_cut(std::uint32_t index, Position sent) noexcept {
  ReplicaProgress& replica = replicas_[index];
  CHECK(sent >= replica.pin && sent <= replica.sent);
  replica.sent = replica.pin = sent;
}

void PrimaryMachine::on_drained(std::uint32_t index, Position reclaimed,
                                PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  if (replica.state != ReplicaState::parked) return;
  if (replica.sent >= reclaimed) {
    replica.state = ReplicaState::streaming;
    return;
  }
  replica.state = ReplicaState::needs_full_copy;
  effects.lost |= 1ull << index;
}

void PrimaryMachine::on_detached(std::uint32_t index) noexcept {
  ReplicaProgress& replica = replicas_[index];
  replica.state = ReplicaState::absent;
  replica.pin = replica.sent;
}

/// How far rules allow space to be used again, counting only replicas that hold; `holders` gets the
/// members of the rules that determine it.
Position PrimaryMachine::hold_floor(std::uint64_t* holders) const noexcept {
  *holders = 0;
  if (config_.lag == LagPolicy::Kind::drop) return sealed_;
  Levels received = positions(Level::received);
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    if (!replicas_[i].holds) received[i] = kInfinitelyFar;
  }
  Position floor = released_position(protected_, sealed_, received);
  *holders = protected_.members;
  for (std::uint32_t r = 0; r < rule_count_; ++r) {
    const Position released = released_position(rules_[r], sealed_, received);
    if (released > floor) continue;
    *holders = released == floor ? *holders | rules_[r].members : rules_[r].members;
    floor = released;
  }
  return floor;
}

void PrimaryMachine::drop_stalled(Position wanted, std::uint64_t holders, Instant now,
                                  PrimaryEffects& effects) noexcept {
  for (std::uint64_t left = holders; left != 0; left &= left - 1) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(left));
    ReplicaProgress& replica = replicas_[i];
    if (!replica.holds || replica.received >= wanted) continue;
    const Instant patience_ends =
        std::max(replica.progress_at, stalled_since_) + config_.stall_limit_ns;
    if (now < patience_ends) {
      deadline_ = std::min(deadline_, patience_ends);
      continue;
    }
    replica.holds = false;
    effects.dropped |= 1ull << i;
  }
}

Position PrimaryMachine::reclaim(Position wanted, Instant now, PrimaryEffects& effects) noexcept {
  deadline_ = kNever;
  wanted = std::min(wanted, sealed_);
  std::uint64_t holders = 0;
  Position allowed = hold_floor(&holders);
  if (allowed < wanted) {
    if (stalled_since_ == kNever) stalled_since_ = now;
    drop_stalled(wanted, holders, now, effects);
    allowed = hold_floor(&holders);
  }
  if (allowed >= wanted) stalled_since_ = kNever;
  allowed = std::min(allowed, wanted);
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    if (replica.pin == replica.sent || replica.pin >= allowed) continue;
    allowed = replica.pin;
    if (replica.state == ReplicaState::streaming) {
      replica.state = ReplicaState::parked;
      effects.park |= 1ull << i;
    }
  }
  lose_passed(allowed, effects);
  return allowed;
}

void PrimaryMachine::lose_passed(Position reclaimed, PrimaryEffects& effects) noexcept {
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    const bool fed =
        replica.state == ReplicaState::streaming || replica.state == ReplicaState::parked;
    if (!fed || replica.sent >= reclaimed) continue;
    replica.state = ReplicaState::needs_full_copy;
    replica.holds = false;
    effects.lost |= 1ull << i;
  }
}

PrimaryMachine::Range PrimaryMachine::sendable(std::uint32_t index) const noexcept {
  const ReplicaProgress& replica = replicas_[index];
  if (replica.state != ReplicaState::streaming || replica.pin != replica.sent) return {};
  return {replica.sent, std::min(sealed_, replica.credit_limit)};
}

}  // namespace quorate::core
