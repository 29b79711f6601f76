#include "core/primary_machine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::core {

namespace {

std::uint64_t first_bits(std::uint32_t count) {
  return count >= 64 ? ~0ull : (1ull << count) - 1;
}

std::size_t index_of(Level level) { return static_cast<std::size_t>(level); }

ReplicaState state_after(Verdict verdict) {
  switch (verdict) {
    case Verdict::resumed:
    case Verdict::from_start: return ReplicaState::streaming;
    case Verdict::catch_up:
    case Verdict::snapshot: return ReplicaState::catching_up;
    case Verdict::truncate: return ReplicaState::absent;
    case Verdict::needs_full_copy: break;
  }
  return ReplicaState::needs_full_copy;
}

}  // namespace

PrimaryMachine::PrimaryMachine(const PrimaryConfig& config) noexcept : config_(config) {
  CHECK(config.replicas <= kReplicasMax);
  CHECK(config.protected_copies >= 1 && config.protected_copies <= config.replicas + 1);
  holders_ = first_bits(config.replicas);
  CHECK(config.committed <= config.start);
  const Level level = config.durable ? Level::durable : Level::received;
  protected_ = {level, config.protected_copies - 1, holders_};
  level_used_[index_of(Level::received)] = level_used_[index_of(level)] = true;
  awaited_[index_of(level)] = true;
  sealed_ = durable_ = config.start;
  committed_ = config.committed;
  // Who protects nothing but itself has committed all it begins with, also if nothing more comes.
  PrimaryEffects nobody_to_tell;
  recompute(nobody_to_tell);
}

Position PrimaryMachine::own(Level level) const noexcept {
  const bool waits = level == Level::durable && !QUORATE_MUTANT(own_copy_at_once);
  return waits ? durable_ : sealed_;
}

bool PrimaryMachine::fed(const ReplicaProgress& replica) const noexcept {
  return replica.state == ReplicaState::streaming || replica.state == ReplicaState::parked;
}

void PrimaryMachine::copy_positions(Level level, Positions& out) const noexcept {
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    const ReplicaProgress& replica = replicas_[i];
    switch (level) {
      case Level::received:
        out[i] = QUORATE_MUTANT(sent_is_received) ? replica.sent : replica.received;
        break;
      case Level::durable: out[i] = replica.durable; break;
      case Level::applied: out[i] = replica.applied; break;
    }
  }
}

void PrimaryMachine::recompute(PrimaryEffects& effects) noexcept {
  std::array<Positions, kLevels> reached;
  for (const Level level : {Level::received, Level::durable, Level::applied}) {
    if (level_used_[index_of(level)]) copy_positions(level, reached[index_of(level)]);
  }
  for (std::uint32_t r = 0; r < rule_count_; ++r) {
    if (watermarks_[r] == sealed_) continue;
    const Positions& positions = reached[index_of(rules_[r].level)];
    const Position released = released_position(rules_[r], own(rules_[r].level), positions);
    if (released <= watermarks_[r]) continue;
    watermarks_[r] = released;
    effects.rules_advanced |= 1u << r;
  }
  const Position committed = released_position(protected_, own(protected_.level),
                                               reached[index_of(protected_.level)]);
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
  level_used_[index_of(rule.level)] = true;
  if (rule.count > 0) awaited_[index_of(rule.level)] = true;
  ++rule_count_;
  recompute(effects);
}

void PrimaryMachine::on_sealed(Position end, PrimaryEffects& effects) noexcept {
  CHECK(end > sealed_);
  sealed_ = end;
  recompute(effects);
}

void PrimaryMachine::on_durable(Position durable, PrimaryEffects& effects) noexcept {
  CHECK(durable >= durable_ && durable <= sealed_);
  durable_ = durable;
  recompute(effects);
}

bool PrimaryMachine::matches(const ResumeClaim& claim, const History& history) const noexcept {
  if (claim.position < history.reclaimed || claim.position > sealed_) return false;
  if (QUORATE_MUTANT(history_unmatched)) return true;
  if (QUORATE_MUTANT(resume_refused) && claim.position > 0) return false;
  if (claim.position == 0) return claim.epoch == Epoch{};
  const FrameEntry* frame = history.frames.ends_at(claim.position);
  return frame != nullptr && frame->epoch == claim.epoch && frame->checksum == claim.checksum;
}

/// Up to where the claimant's history can be this one's, as far as reigns tell. A frame of a reign
/// that is not known here is not: the claimant goes back by a frame at least, and claims again.
Position PrimaryMachine::common_end(const ResumeClaim& claim,
                                    const History& history) const noexcept {
  if (claim.position == 0) return 0;
  if (claim.epoch == config_.epoch) return sealed_;
  Position end = 0;
  for (const EpochEnd& each : history.epochs) {
    if (each.epoch > claim.epoch) break;
    end = each.end;
    if (each.epoch == claim.epoch) return end;
  }
  return std::min(end, claim.position - 1);
}

Verdict PrimaryMachine::judge(const ResumeClaim& claim, const History& history,
                              Position& position) const noexcept {
  position = claim.position;
  if (history.oldest != kNoLog) {
    // In place of all that is held there, whatever it is. Nothing that was released is lost by it:
    // the snapshot is of what is committed, and reaches further than the claim.
    const bool serves = history.snapshot >= history.oldest && history.snapshot <= committed_;
    if (claim.position < history.oldest && serves) {
      position = history.snapshot;
      return Verdict::snapshot;
    }
    const Position common = common_end(claim, history);
    if (claim.position > common) {
      position = common;
      return Verdict::truncate;
    }
    if (claim.position >= history.oldest && claim.position < history.reclaimed) {
      return Verdict::catch_up;
    }
  }
  if (matches(claim, history)) {
    return claim.position == 0 ? Verdict::from_start : Verdict::resumed;
  }
  position = std::min(history.reclaimed, history.oldest);
  return Verdict::needs_full_copy;
}

ResumeVerdict PrimaryMachine::on_resume(std::uint32_t index, const ResumeClaim& claim,
                                        const History& history, Instant now,
                                        PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  if (fed(replica)) {
    return {config_.stream, Verdict::needs_full_copy, history.reclaimed};
  }
  // One that comes back again and again and gets nowhere must not hold writers for ever.
  const Instant patience_from = replica.barren ? replica.progress_at : now;
  const ReplicaProgress before = std::exchange(replica, ReplicaProgress{});
  replica.incarnation = claim.incarnation;
  ResumeVerdict answer{config_.stream, Verdict::resumed, 0};
  answer.verdict = judge(claim, history, answer.position);
  if (answer.verdict != Verdict::resumed && answer.verdict != Verdict::from_start) {
    replica.state = state_after(answer.verdict);
    replica.holds = false;
    holders_ &= ~(1ull << index);
    // The same process still has what it acknowledged in this reign. Were that forgotten, replicas
    // that are fed in turns would never be known to have the same at the same time.
    const bool same = before.incarnation == claim.incarnation && claim.position >= before.received;
    if (replica.state == ReplicaState::catching_up && same) {
      replica.sent = replica.pin = replica.received = before.received;
      replica.durable = before.durable;
      replica.applied = before.applied;
    }
    return answer;
  }
  // A valid claim is a match up to its position in this session: it acknowledges as much.
  holders_ |= 1ull << index;
  replica.state = ReplicaState::streaming;
  replica.sent = replica.pin = replica.received = claim.position;
  replica.credit_limit = std::max(claim.credit_limit, claim.position);
  replica.frames = FrameCredit(claim.frames, claim.frame_limit);
  replica.barren = true;
  replica.progress_at = patience_from;
  if (QUORATE_MUTANT(restart_unnoticed)) {
    replica.received = std::max(replica.received, before.received);
    replica.applied = before.applied;
  }
  recompute(effects);
  return answer;
}

PrimaryMachine::AckVerdict PrimaryMachine::on_acknowledgement(std::uint32_t index,
                                                              const Acknowledgement& ack,
                                                              Instant now,
                                                              PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  const bool counts = fed(replica) || replica.state == ReplicaState::catching_up;
  if (!counts || (ack.epoch != config_.epoch && !QUORATE_MUTANT(stale_epoch_counts)) ||
      (ack.incarnation != replica.incarnation && !QUORATE_MUTANT(stale_incarnation_counts))) {
    return AckVerdict::stale;
  }
  if (ack.received > replica.sent || ack.durable > ack.received || ack.applied > ack.received ||
      ack.credit_limit < ack.received) {
    return AckVerdict::violation;
  }
  if (ack.received > replica.received) {
    replica.received = ack.received;
    replica.progress_at = now;
    replica.barren = false;
  }
  replica.durable = std::max(replica.durable, ack.durable);
  replica.applied = std::max(replica.applied, ack.applied);
  replica.credit_limit = std::max(replica.credit_limit, ack.credit_limit);
  replica.frames.raise(ack.frame_limit);
  recompute(effects);
  return AckVerdict::counted;
}

void PrimaryMachine::on_fed(std::uint32_t index, Position end) noexcept {
  ReplicaProgress& replica = replicas_[index];
  if (replica.state == ReplicaState::catching_up) replica.sent = replica.pin = end;
}

void PrimaryMachine::on_send_started(std::uint32_t index, Position end,
                                     std::uint32_t frames) noexcept {
  ReplicaProgress& replica = replicas_[index];
  CHECK(replica.state == ReplicaState::streaming && replica.pin == replica.sent);
  CHECK(end > replica.sent && end <= sealed_);
  replica.sent = end;
  replica.frames.on_sent(frames);
}

void PrimaryMachine::on_send_finished(std::uint32_t index) noexcept {
  ReplicaProgress& replica = replicas_[index];
  replica.pin = replica.sent;
  // It was to be cut and went out whole: nothing is left to drain.
  if (replica.state == ReplicaState::parked) replica.state = ReplicaState::streaming;
}

void PrimaryMachine::on_send_cut(std::uint32_t index, Position sent,
                                 std::uint32_t frames) noexcept {
  ReplicaProgress& replica = replicas_[index];
  CHECK(sent >= replica.pin && sent <= replica.sent);
  replica.sent = replica.pin = sent;
  replica.frames.on_cut(frames);
}

void PrimaryMachine::on_drained(std::uint32_t index, Position reclaimed,
                                PrimaryEffects& effects) noexcept {
  ReplicaProgress& replica = replicas_[index];
  if (replica.state != ReplicaState::parked) return;
  replica.state = ReplicaState::streaming;
  lose_passed(reclaimed, effects);
}

void PrimaryMachine::on_detached(std::uint32_t index) noexcept {
  ReplicaProgress& replica = replicas_[index];
  replica.state =
      QUORATE_MUTANT(detached_keeps_sending) ? ReplicaState::streaming : ReplicaState::absent;
  replica.pin = replica.sent;
}

/// What is left of a rule when only replicas that hold are counted: with some dropped, a rule holds
/// for as many of the others as it asks for.
CompiledRule PrimaryMachine::held_part(const CompiledRule& rule) const noexcept {
  const std::uint64_t members = rule.members & holders_;
  const auto left = static_cast<std::uint32_t>(std::popcount(members));
  return {rule.level, std::min(rule.count, left), members};
}

/// How far the rules allow space to be used again. Space is needed until received, whatever a
/// rule's level: what a replica has received, it never asks for again.
Position PrimaryMachine::hold_floor() const noexcept {
  if (config_.lag == LagPolicy::Kind::drop) return sealed_;
  Positions received;
  copy_positions(Level::received, received);
  Position floor = released_position(held_part(protected_), sealed_, received);
  for (std::uint32_t r = 0; r < rule_count_; ++r) {
    floor = std::min(floor, released_position(held_part(rules_[r]), sealed_, received));
  }
  return floor;
}

void PrimaryMachine::hold_again(Position wanted) noexcept {
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    if (replica.holds || !fed(replica) || replica.received < wanted) continue;
    replica.holds = true;
    holders_ |= 1ull << i;
  }
}

void PrimaryMachine::drop_stalled(Position wanted, Instant now, PrimaryEffects& effects) noexcept {
  drop_stalled_of(protected_, wanted, now, effects);
  for (std::uint32_t r = 0; r < rule_count_; ++r) drop_stalled_of(rules_[r], wanted, now, effects);
}

/// A rule that some of its members can still meet waits for those: dropping a stalled one would not
/// help it.
void PrimaryMachine::drop_stalled_of(const CompiledRule& rule, Position wanted, Instant now,
                                     PrimaryEffects& effects) noexcept {
  if (QUORATE_MUTANT(stall_never_ends)) return;
  const CompiledRule held = held_part(rule);
  std::uint32_t ready = 0;
  std::uint32_t waiting = 0;
  std::uint64_t stalled = 0;
  Instant patience_ends = kNever;
  for (std::uint64_t left = held.members; left != 0; left &= left - 1) {
    const ReplicaProgress& replica = replicas_[std::countr_zero(left)];
    const Instant until = std::max(replica.progress_at, stalled_since_) + config_.stall_limit_ns;
    if (replica.received >= wanted) {
      ++ready;
    } else if (now < until) {
      ++waiting;
      patience_ends = std::min(patience_ends, until);
    } else {
      stalled |= left & -left;
    }
  }
  if (ready >= held.count) return;
  deadline_ = std::min(deadline_, patience_ends);
  if (ready + waiting >= held.count) return;
  holders_ &= ~stalled;
  effects.dropped |= stalled;
  for (std::uint64_t left = stalled; left != 0; left &= left - 1) {
    replicas_[std::countr_zero(left)].holds = false;
  }
}

/// A live replica that no rule needs is waited for as well, lest a moment of bad scheduling cost it
/// its place: while it makes progress, and at most for the stall limit.
Position PrimaryMachine::courtesy_floor(Position target, Instant now,
                                        PrimaryEffects& effects) noexcept {
  if (config_.lag == LagPolicy::Kind::drop || config_.courtesy_ns == 0) return target;
  Position floor = target;
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    if (!fed(replica) || replica.received >= target) {
      replica.courtesy_since = kNever;
      replica.outpaced = false;
      continue;
    }
    if (replica.outpaced || !replica.holds) continue;
    if (replica.courtesy_since == kNever) replica.courtesy_since = now;
    const Instant until =
        std::min(std::max(replica.progress_at, replica.courtesy_since) + config_.courtesy_ns,
                 replica.courtesy_since + config_.stall_limit_ns);
    if (now >= until) {
      replica.outpaced = true;
      effects.dropped |= 1ull << i;
      continue;
    }
    deadline_ = std::min(deadline_, until);
    floor = std::min(floor, replica.received);
  }
  return floor;
}

/// Sends in flight pin the ring. Those of replicas that lack what is to go are parked; the others
/// are about to finish. Returns how far the pins allow to go.
Position PrimaryMachine::park_behind(Position target, PrimaryEffects& effects) noexcept {
  Position allowed = target;
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    if (replica.pin == replica.sent || replica.pin >= target) continue;
    if (QUORATE_MUTANT(pin_ignored)) continue;
    allowed = std::min(allowed, replica.pin);
    if (replica.state != ReplicaState::streaming || replica.received >= target) continue;
    replica.state = ReplicaState::parked;
    if (!QUORATE_MUTANT(park_forgotten)) effects.park |= 1ull << i;
  }
  return allowed;
}

void PrimaryMachine::lose_passed(Position reclaimed, PrimaryEffects& effects) noexcept {
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    ReplicaProgress& replica = replicas_[i];
    if (!fed(replica) || replica.sent >= reclaimed) continue;
    replica.state =
        config_.durable ? ReplicaState::catching_up : ReplicaState::needs_full_copy;
    replica.holds = false;
    holders_ &= ~(1ull << i);
    effects.lost |= 1ull << i;
  }
}

Position PrimaryMachine::reclaim(Position wanted, Instant now, PrimaryEffects& effects) noexcept {
  deadline_ = kNever;
  wanted = std::min(wanted, sealed_);
  hold_again(wanted);
  Position floor = hold_floor();
  if (floor >= wanted) {
    stalled_since_ = kNever;
  } else {
    if (stalled_since_ == kNever) stalled_since_ = now;
    drop_stalled(wanted, now, effects);
    floor = hold_floor();
    if (floor >= wanted) stalled_since_ = kNever;
  }
  const Position target = courtesy_floor(std::min(wanted, floor), now, effects);
  const Position allowed = park_behind(target, effects);
  lose_passed(allowed, effects);
  return allowed;
}

PrimaryMachine::Range PrimaryMachine::sendable(std::uint32_t index) const noexcept {
  const ReplicaProgress& replica = replicas_[index];
  if (replica.state != ReplicaState::streaming || replica.pin != replica.sent) return {};
  if (QUORATE_MUTANT(credit_ignored)) return {replica.sent, sealed_, kFramesUnlimited};
  const std::uint32_t frames = replica.frames.left();
  if (frames == 0) return {};
  return {replica.sent, std::min(sealed_, replica.credit_limit), frames};
}

}  // namespace quorate::core
