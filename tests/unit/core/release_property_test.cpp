#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "core/primary_machine.h"
#include "core/replica_machine.h"

namespace quorate::core {
namespace {

constexpr std::uint32_t kReplicas = 3;
constexpr Position kRing = 400;
constexpr std::int64_t kStall_ns = 100;

/// Uniform in [low, high), whatever the size of the test case.
template <typename T>
T pick(T low, T high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

struct Peer {
  std::unique_ptr<ReplicaMachine> machine;
  std::uint64_t incarnation = 0;
  bool connected = false;
  std::deque<FrameInfo> down;        ///< frames on their way
  std::deque<Acknowledgement> up;    ///< acknowledgements on their way
  std::vector<Acknowledgement> late; ///< of sessions that ended
  Position known = 0;                ///< what the primary may count: by the naive model
  Position ever = 0;                 ///< the most it truly had in this epoch
};

/// One primary, three replicas and the connections between them, which lose what is on its way when
/// they end. Beside the machines it keeps the truth and a model of release that only counts.
class World {
 public:
  World() {
    for (Peer& peer : peers_) restart_machine(peer);
    new_primary();
  }

  void step() {
    const auto i = pick<std::uint32_t>(0, kReplicas);
    switch (*rc::gen::weightedElement<int>({{6, 0}, {4, 1}, {1, 2}, {1, 3}, {6, 4}, {6, 5}, {9, 6},
                                            {2, 7}, {9, 8}, {2, 9}, {4, 10}, {4, 11}, {4, 12},
                                            {2, 13}, {1, 14}, {1, 15}, {2, 16}})) {
      case 0: seal(pick<Position>(1, 60)); break;
      case 1: connect(i); break;
      case 2: disconnect(i); break;
      case 3: restart(i); break;
      case 4: start_send(i); break;
      case 5: finish_send(i); break;
      case 6: deliver(i); break;
      case 7: deliver_again(i); break;
      case 8: deliver_acknowledgement(i); break;
      case 9: deliver_late(i); break;
      case 10: apply(i); break;
      case 11: tell_committed(i); break;
      case 12: reclaim(); break;
      case 13: now_ += pick<Instant>(1, 2 * kStall_ns); break;
      case 14: lose_frame(i); break;
      case 15: pick(0, 4) == 0 ? new_primary() : add_rule(); break;
      case 16: cut_send(i); break;
      default: break;
    }
    check();
  }

  /// Every connection works again: who is not told otherwise gets all that it has room for.
  void heal() {
    for (std::uint32_t i = 0; i < kReplicas; ++i) {
      if (primary_->replica(i).state == ReplicaState::parked) disconnect(i);
    }
    for (int round = 0; round < 40; ++round) {
      for (std::uint32_t i = 0; i < kReplicas; ++i) {
        heal_step(i);
        check();
      }
    }
    for (std::uint32_t i = 0; i < kReplicas; ++i) check_caught_up(i);
  }

 private:
  void restart_machine(Peer& peer) {
    peer.machine = std::make_unique<ReplicaMachine>(
        ReplicaStreamConfig{0, ++incarnations_, kRing});
    peer.incarnation = incarnations_;
  }

  void new_primary() {
    for (std::uint32_t i = 0; i < kReplicas; ++i) {
      if (primary_ != nullptr) disconnect(i);
      peers_[i].known = peers_[i].ever = 0;
    }
    epoch_ = Epoch{epoch_.number + 1, 9};
    copies_ = pick<std::uint32_t>(1, kReplicas + 2);
    const auto lag = *rc::gen::element(LagPolicy::Kind::hold, LagPolicy::Kind::drop);
    primary_ = std::make_unique<PrimaryMachine>(
        PrimaryConfig{0, epoch_, kReplicas, copies_, lag, kStall_ns});
    memory_.assign(512, FrameEntry{});
    frames_ = std::make_unique<FrameIndex>(memory_);
    history_.clear();
    rules_.clear();
    reclaimed_ = 0;
  }

  void add_rule() {
    if (rules_.size() == kRulesMax) return;
    CompiledRule rule;
    rule.members = pick<std::uint64_t>(1, 1 << kReplicas);
    const auto members = static_cast<std::uint32_t>(std::popcount(rule.members));
    rule.count = pick<std::uint32_t>(0, members + 1);
    rules_.push_back({rule, 0});
    primary_->on_rule(static_cast<std::uint32_t>(rules_.size()) - 1, rule, effects_);
  }

  void seal(Position bytes) {
    const Position begin = primary_->sealed();
    if (frames_->full() || begin + bytes > reclaimed_ + kRing) return;
    FrameInfo info{0, epoch_, begin, begin + bytes, {}, 0, 0};
    if (!history_.empty()) {
      info.previous_epoch = epoch_;
      info.previous_checksum = history_.rbegin()->second.checksum;
    }
    info.checksum = *rc::gen::arbitrary<std::uint32_t>();
    history_[info.end] = info;
    frames_->push({info.begin, info.end, epoch_, info.checksum, 0});
    primary_->on_sealed(info.end, effects_);
  }

  void connect(std::uint32_t i) {
    Peer& peer = peers_[i];
    if (peer.connected) return;
    peer.connected = true;
    peer.machine->on_session(epoch_);
    const ResumeClaim claim = peer.machine->claim();
    const ResumeVerdict verdict =
        primary_->on_resume(i, claim, {*frames_, reclaimed_}, now_, effects_);
    RC_ASSERT(peer.machine->on_verdict(verdict));
    if (verdict.verdict == Verdict::needs_full_copy) {
      peer.known = 0;
      return;
    }
    // Nothing but bytes of this epoch may be resumed, and only those the ring goes on from.
    if (claim.position != 0) {
      RC_ASSERT(history_.at(claim.position).checksum == claim.checksum);
    }
    RC_ASSERT(claim.position >= reclaimed_);
    peer.known = claim.position;
  }

  void disconnect(std::uint32_t i) {
    Peer& peer = peers_[i];
    if (!peer.connected) return;
    peer.connected = false;
    peer.late.insert(peer.late.end(), peer.up.begin(), peer.up.end());
    peer.up.clear();
    peer.down.clear();
    peer.machine->on_disconnected();
    primary_->on_detached(i);
  }

  void restart(std::uint32_t i) {
    disconnect(i);
    restart_machine(peers_[i]);
  }

  void start_send(std::uint32_t i) {
    const auto range = primary_->sendable(i);
    const Position end = frames_->end_at_or_before(range.end, range.begin);
    if (range.empty() || end <= range.begin) return;
    std::uint32_t frames = 0;
    for (Position at = range.begin; at < end; ++frames) {
      const FrameEntry* entry = frames_->begins_at(at, nullptr);
      RC_ASSERT(entry != nullptr);
      peers_[i].down.push_back(history_.at(entry->end));
      at = entry->end;
    }
    primary_->on_send_started(i, end, frames);
  }

  void finish_send(std::uint32_t i) { primary_->on_send_finished(i); }

  /// Some of the frames in flight were sent or copied, the others were not; then all is drained.
  void cut_send(std::uint32_t i) {
    const ReplicaProgress& progress = primary_->replica(i);
    if (progress.pin == progress.sent) return;
    auto& down = peers_[i].down;
    std::uint32_t unsent = 0;
    for (; !down.empty() && down.back().begin >= progress.pin && pick(0, 2) == 0; ++unsent) {
      down.pop_back();
    }
    const Position received = peers_[i].machine->received();
    const Position sent = down.empty() ? std::max(progress.pin, received) : down.back().end;
    primary_->on_send_cut(i, sent, unsent);
    primary_->on_drained(i, reclaimed_, effects_);
  }

  void deliver(std::uint32_t i) {
    Peer& peer = peers_[i];
    if (peer.down.empty()) return;
    const FrameInfo info = peer.down.front();
    peer.down.pop_front();
    if (peer.machine->check_frame(info) != FrameVerdict::accept) return disconnect(i);
    RC_ASSERT(info.begin == peer.machine->received());
    peer.machine->on_frame(info);
    peer.ever = std::max(peer.ever, info.end);
    acknowledge(peer);
  }

  void acknowledge(Peer& peer) {
    if (!peer.connected || !peer.machine->acknowledgement_due({.applied = true})) return;
    peer.up.push_back(peer.machine->acknowledgement());
    peer.machine->on_acknowledged();
  }

  void deliver_again(std::uint32_t i) {
    Peer& peer = peers_[i];
    const auto held = history_.find(peer.machine->received());
    if (held == history_.end()) return;
    RC_ASSERT(peer.machine->check_frame(held->second) != FrameVerdict::accept);
  }

  void lose_frame(std::uint32_t i) {
    Peer& peer = peers_[i];
    if (peer.down.size() < 2) return;
    peer.down.pop_front();
    const Position before = peer.machine->received();
    deliver(i);
    RC_ASSERT(peer.machine->received() == before);
  }

  void deliver_acknowledgement(std::uint32_t i) {
    Peer& peer = peers_[i];
    if (peer.up.empty()) return;
    const Acknowledgement ack = peer.up.front();
    peer.up.pop_front();
    count(i, ack);
  }

  void deliver_late(std::uint32_t i) {
    if (!peers_[i].late.empty()) count(i, *rc::gen::elementOf(peers_[i].late));
  }

  void count(std::uint32_t i, const Acknowledgement& ack) {
    Peer& peer = peers_[i];
    const auto verdict = primary_->on_acknowledgement(i, ack, now_, effects_);
    RC_ASSERT(verdict != PrimaryMachine::AckVerdict::violation);
    const bool current = peer.connected && ack.epoch == epoch_ &&
                         ack.incarnation == peer.incarnation &&
                         primary_->replica(i).state != ReplicaState::needs_full_copy;
    RC_ASSERT((verdict == PrimaryMachine::AckVerdict::counted) == current);
    if (current) peer.known = std::max(peer.known, ack.received);
  }

  void tell_committed(std::uint32_t i) {
    if (peers_[i].connected) peers_[i].machine->on_committed(primary_->committed());
  }

  void apply(std::uint32_t i) {
    Peer& peer = peers_[i];
    peer.machine->on_applied(peer.machine->exposed());
    acknowledge(peer);
  }

  void reclaim() {
    effects_.clear();
    const Position half = kRing / 2;
    const Position used = primary_->sealed();
    const Position wanted = frames_->end_at_or_before(used > half ? used - half : 0, reclaimed_);
    const Position allowed = primary_->reclaim(wanted, now_, effects_);
    RC_ASSERT(allowed <= wanted);
    RC_ASSERT(primary_->next_deadline() > now_);
    const Position until = frames_->end_at_or_before(allowed, reclaimed_);
    reclaimed_ = std::max(reclaimed_, until);
    frames_->pop_until(reclaimed_);
    for (std::uint32_t i = 0; i < kReplicas; ++i) {
      if (effects_.lost >> i & 1) {
        RC_ASSERT(primary_->replica(i).sent < reclaimed_);
        peers_[i].machine->on_verdict({0, Verdict::needs_full_copy, reclaimed_});
      }
    }
  }

  void heal_step(std::uint32_t i) {
    connect(i);
    check();
    start_send(i);
    finish_send(i);
    while (!peers_[i].down.empty()) deliver(i);
    tell_committed(i);
    apply(i);
    while (!peers_[i].up.empty()) deliver_acknowledgement(i);
  }

  void check_caught_up(std::uint32_t i) {
    const ReplicaProgress& progress = primary_->replica(i);
    if (progress.state == ReplicaState::needs_full_copy) return;
    const auto next = history_.upper_bound(progress.received);
    if (next == history_.end()) {
      RC_ASSERT(progress.received == primary_->sealed());
    } else {
      // What it shows is bounded by what is committed, and so is the room it makes.
      RC_ASSERT(next->first > peers_[i].machine->credit_limit());
      RC_ASSERT(primary_->committed() < primary_->sealed());
    }
  }

  struct Registered {
    CompiledRule rule;
    Position watermark = 0;
  };

  void check_release(const CompiledRule& rule, Position released, Position& watermark) {
    RC_ASSERT(released >= watermark);
    Position best = 0;
    std::vector<Position> candidates{primary_->sealed()};
    for (const Peer& peer : peers_) candidates.push_back(peer.known);
    std::uint32_t true_copies = 0;
    for (std::uint32_t i = 0; i < kReplicas; ++i) {
      if ((rule.members >> i & 1) != 0 && peers_[i].ever >= released) ++true_copies;
    }
    for (const Position candidate : candidates) {
      std::uint32_t copies = 0;
      for (std::uint32_t i = 0; i < kReplicas; ++i) {
        if ((rule.members >> i & 1) != 0 && peers_[i].known >= candidate) ++copies;
      }
      if (copies >= rule.count) best = std::max(best, std::min(candidate, primary_->sealed()));
    }
    RC_ASSERT(true_copies >= rule.count);
    RC_ASSERT(released == std::max(best, watermark));
    watermark = released;
  }

  void check() {
    for (std::uint32_t r = 0; r < rules_.size(); ++r) {
      check_release(rules_[r].rule, primary_->watermark(r), rules_[r].watermark);
    }
    Position& committed = committed_[epoch_.number];
    check_release({Level::received, copies_ - 1, 0b111}, primary_->committed(), committed);
    for (std::uint32_t i = 0; i < kReplicas; ++i) check_replica(i);
  }

  void check_replica(std::uint32_t i) {
    const ReplicaMachine& machine = *peers_[i].machine;
    const ReplicaProgress& progress = primary_->replica(i);
    RC_ASSERT(machine.applied() <= machine.exposed());
    RC_ASSERT(machine.exposed() <= machine.received());
    // What is shown was committed in the epoch that sealed it.
    const Epoch held = machine.claim().epoch;
    RC_ASSERT(machine.exposed() <= (machine.received() == 0 ? 0 : committed_[held.number]));
    RC_ASSERT(progress.received <= peers_[i].ever);
    if (peers_[i].connected) RC_ASSERT(progress.received <= progress.sent);
    const bool fed =
        progress.state == ReplicaState::streaming || progress.state == ReplicaState::parked;
    if (fed) RC_ASSERT(progress.pin >= reclaimed_);
  }

  std::vector<Peer> peers_ = std::vector<Peer>(kReplicas);
  std::unique_ptr<PrimaryMachine> primary_;
  PrimaryEffects effects_;
  std::vector<FrameEntry> memory_;
  std::unique_ptr<FrameIndex> frames_;
  std::map<Position, FrameInfo> history_;       ///< every frame of this epoch, by its end
  std::map<std::uint64_t, Position> committed_; ///< by epoch number
  std::vector<Registered> rules_;
  Epoch epoch_;
  std::uint32_t copies_ = 1;
  std::uint64_t incarnations_ = 0;
  Position reclaimed_ = 0;
  Instant now_ = 1000;
};

RC_GTEST_PROP(Release, IsWhatEnoughReplicasHaveWhateverHappens, ()) {
  World world;
  const auto steps = *rc::gen::element(20, 100, 400);
  for (int i = 0; i < steps; ++i) world.step();
  world.heal();
}

}  // namespace
}  // namespace quorate::core
