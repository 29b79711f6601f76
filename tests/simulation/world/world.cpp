#include "tests/simulation/world/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "tests/simulation/system/heap.h"

namespace quorate::simulation {

namespace {

constexpr Instant kLook_ns = 200 * kMillisecond_ns;
constexpr Instant kTend_ns = 5 * kMillisecond_ns;
/// As many of the latest frames the smallest ring remembers surely, and a record may be a frame.
constexpr std::uint64_t kFrames = 32;
/// Time is counted in pieces of this length: long enough for many bursts.
constexpr Instant kCounted_ns = 2 * kSecond_ns;
/// How long the operator lets a reign go on in which a replica can have no part any more.
constexpr Instant kPatience_ns = 15 * kSecond_ns;
/// A world in which so much happens in a second of its time makes no progress.
constexpr std::uint64_t kEventsPerSecondMax = 2'000'000;

ModelConfig model_of(const Plan& plan) {
  ModelConfig config;
  config.replicas = plan.replicas;
  config.streams = plan.streams;
  config.protected_copies =
      plan.primary.protected_copies != 0 ? plan.primary.protected_copies
                                         : (plan.replicas + 1) / 2 + 1;
  const std::uint64_t all = (1ull << plan.replicas) - 1;
  config.near_bytes = plan.primary.ring_bytes / 8;
  config.near_records = kFrames;
  for (const Rule& rule : plan.rules) {
    ModelRule model{rule.level, rule.count, all};
    if (!rule.names.empty()) model.members = 0;
    for (const std::string& name : rule.names) model.members |= 1ull << (name[1] - '1');
    if (rule.kind == Rule::Kind::async) model.count = 0;
    if (rule.kind == Rule::Kind::copies) model.count = rule.count - 1;
    if (rule.kind == Rule::Kind::all) {
      model.count = static_cast<std::uint32_t>(__builtin_popcountll(model.members));
    }
    config.rules.push_back(model);
  }
  return config;
}

}  // namespace

World::World(const Plan& plan, bool trace)
    : plan_(plan),
      trace_(trace),
      scheduler_(plan.seed),
      network_(scheduler_, plan.seed),
      model_(model_of(plan)),
      tap_([this](const HistoryEvent& event) { tell(event); }),
      forger_(network_, tap_, Draw::of(plan.seed, "forger")),
      draw_(Draw::of(plan.seed, "world")),
      dice_(0),
      flapping_(Draw::of(plan.seed, "flapping")),
      forging_(Draw::of(plan.seed, "forging")),
      strangers_(Draw::of(plan.seed, "strangers")),
      places_(plan.replicas) {
  network_.observe(&tap_);
  Draw drifts = Draw::of(plan.seed, "drift");
  for (HostId host = 0; host <= plan.replicas; ++host) {
    Host& added = network_.add_host(drifts.between(-plan.drift_ppm_max, plan.drift_ppm_max));
    added.law.late_sends = plan.late_sends;
  }
  if (plan.ledgers) ledgers_ = std::make_unique<Ledgers>(network_, plan);
  // Ledgers are on the disks of those. Twins and strangers come from machines of their own.
  network_.add_host(0).law.late_sends = plan.late_sends;
  network_.add_host(0).law.late_sends = plan.late_sends;
}

World::~World() = default;

void World::tell(const HistoryEvent& event) {
  const HeapScope world(0);
  scheduler_.mix(event.end ^ (static_cast<std::uint64_t>(event.kind) << 56) ^ event.content);
  if (event.kind == EventKind::applied) ++result_.applied;
  if (event.kind == EventKind::resolved && event.outcome == OutcomeKind::released) {
    ++result_.releases;
  }
  model_.on(event);
  if (model_.violated()) fail(model_.violation());
}

void World::trace(const char* who, const std::string& text) {
  const HeapScope world(0);
  const Instant now = scheduler_.now();
  std::printf("%6lld.%06lld %-8s %s\n", static_cast<long long>(now / kSecond_ns),
              static_cast<long long>(now % kSecond_ns / kMicrosecond_ns), who, text.c_str());
}

void World::fail(const std::string& what) {
  const HeapScope world(0);
  if (!result_.failure.empty()) return;
  result_.failure = what;
  result_.failed_at = scheduler_.now();
  if (trace_) trace("FAIL", what);
}

void World::later(Instant delay_ns, What what, std::uint32_t index) {
  scheduler_.at(scheduler_.now() + delay_ns, *this,
                (static_cast<std::uint64_t>(what) << 32) | index);
}

void World::fire(std::uint64_t what) {
  if (finished_) return;
  const auto index = static_cast<std::uint32_t>(what);
  switch (static_cast<What>(what >> 32)) {
    case What::write: return write();
    case What::tend: return tend();
    case What::look: return look();
    case What::forge: return forge();
    case What::flap: return flap(plan_.episodes[index]);
    case What::begin:
      expect_episode(index + 1);
      return begin(plan_.episodes[index]);
    case What::end: return end(plan_.episodes[index]);
  }
}

/// One at a time: a heap full of what is far away costs each event.
void World::expect_episode(std::uint32_t index) {
  if (index >= plan_.episodes.size()) return;
  later(plan_.episodes[index].at - scheduler_.now(), What::begin, index);
}

WorldResult World::run() {
  if (trace_) trace("plan", plan_.to_string());
  later(0, What::look);
  later(kMillisecond_ns, What::write);
  later(kTend_ns, What::tend);
  expect_episode(0);
  run_until(plan_.horizon);
  heal();
  converge();
  finish();
  result_.hash = scheduler_.hash();
  result_.events = scheduler_.fired();
  return result_;
}

void World::run_until(Instant time) {
  Instant second = 0;
  std::uint64_t events = 0;
  while (result_.failure.empty() && scheduler_.next() <= time) {
    scheduler_.run_one();
    if (scheduler_.now() - second >= kSecond_ns) {
      second = scheduler_.now();
      events = scheduler_.fired();
    } else if (scheduler_.fired() - events > kEventsPerSecondMax) {
      fail("liveness: events without end, and time does not go on; " + state());
    }
  }
}

// Load.

void World::write() {
  if (!writing_) return;
  const auto burst = static_cast<std::uint32_t>(draw_.between(1, 2 * plan_.burst - 1));
  const bool up = primary_ && !primary_->ended() && !primary_->process().paused() &&
                  !primary_->process().blocked();
  if (up) {
    result_.offered += burst;
    result_.appended += primary_->write(burst);
  }
  // On average a burst every burst / rate seconds, and a little more often: the rate is the least.
  const Instant mean_ns = kSecond_ns * 9 / 10 * plan_.burst / plan_.rate_per_s;
  later(draw_.between(mean_ns / 2, mean_ns * 3 / 2), What::write);
}

void World::tend() {
  if (primary_ && !primary_->ended() && !primary_->process().paused()) {
    primary_->tend_claims(primary_->process().local_now());
  }
  later(kTend_ns, What::tend);
}

// The operator.

void World::look() {
  const Instant now = scheduler_.now();
  count_time();
  tend_primary(now);
  if (primary_ && !primary_->ended() && !primary_->process().blocked()) primary_->show();
  for (std::uint32_t i = 0; i < places_.size(); ++i) tend_replica(places_[i], i, now);
  if (ledgers_ && !ledgers_->violation().empty()) fail(ledgers_->violation());
  check_bounds();
  for (std::uint32_t i = 0; i < places_.size(); ++i) check_silence(places_[i], i);
  later(kLook_ns, What::look);
}

/// Only time in which the primary was there, was offered 100 records a second and took some.
void World::count_time() {
  const Instant now = scheduler_.now();
  const Instant passed = now - looked_at_;
  if (passed < kCounted_ns) return;
  const std::uint64_t offered = result_.offered - looked_offered_;
  const bool enough = offered * kSecond_ns >= 100 * static_cast<std::uint64_t>(passed);
  if (!outage_ && enough && result_.appended > looked_appended_) result_.counted_ns += passed;
  looked_at_ = now;
  looked_offered_ = result_.offered;
  looked_appended_ = result_.appended;
  outage_ = !primary_ || primary_->ended();
}

void World::tend_primary(Instant now) {
  if (primary_ && primary_->fenced() && !primary_->ended()) end_reign(kSecond_ns);
  if (primary_ && primary_->ended()) {
    outage_ = true;
    past_primaries_.push_back(std::move(primary_));
  }
  if (!primary_ && now >= primary_down_until_) return begin_reign();
  if (!primary_) return;
  for (const Place& place : places_) {
    if (place.refused_in == result_.reigns && now - place.refused_at >= kPatience_ns) {
      return end_reign(kMillisecond_ns);
    }
  }
}

void World::begin_reign() {
  ++result_.reigns;
  if (trace_) trace("operator", "starts a primary");
  for (Place& place : places_) place.fresh = false;
  primary_ = std::make_unique<PrimaryActor>(network_, teller(), plan_, ledgers_.get(), kPrimaryHost,
                                            Draw::of(plan_.seed, "primary", result_.reigns));
}

void World::end_reign(Instant down_ns) {
  if (!primary_ || primary_->ended() || primary_->process().blocked()) return;
  if (trace_) trace("operator", "closes the primary");
  primary_down_until_ = scheduler_.now() + down_ns;
  if (primary_->process().paused()) primary_->process().resume();
  primary_->close();
}

/// A process that has lost its place is started again, empty; if the ring no longer has the
/// beginning, only the next reign has a use for it.
void World::tend_replica(Place& place, std::uint32_t index, Instant now) {
  if (place.actor && place.actor->lost()) {
    if (trace_) trace("operator", "r" + std::to_string(index + 1) + " needs a full copy");
    if (place.fresh) {
      place.refused_in = result_.reigns;
      place.refused_at = now;
    }
    place.actor->kill(Ending::process);
    place.down_until = now + kLook_ns;
    past_replicas_.push_back(std::move(place.actor));
  }
  if (place.actor) return place.actor->show();
  if (now < place.down_until || place.refused_in == result_.reigns) return;
  if (trace_) trace("operator", "starts r" + std::to_string(index + 1));
  place.fresh = true;
  place.actor = std::make_unique<ReplicaActor>(
      network_, teller(), plan_, ledgers_.get(), index + 1, index,
      Draw::of(plan_.seed, "replica", past_replicas_.size() * 64 + index));
}

// The end.

void World::heal() {
  healed_ = true;
  for (const Episode& episode : plan_.episodes) end(episode);
  for (Place& place : places_) place.down_until = 0;
  primary_down_until_ = 0;
  run_until(scheduler_.now() + 2 * kLook_ns);
  // Who cannot come back into this reign comes into the next.
  for (const Place& place : places_) {
    if (place.refused_in == result_.reigns) {
      end_reign(0);
      break;
    }
  }
  run_until(scheduler_.now() + 5 * kSecond_ns);
  writing_ = false;
}

bool World::converged() {
  if (!primary_ || primary_->ended() || primary_->fenced()) return false;
  for (StreamId id = 0; id < plan_.streams; ++id) {
    const StreamStatus status = primary_->status(id);
    if (status.appended != primary_->claimed(id)) return false;
    for (const ReplicaStatus& replica : status.replicas) {
      if (replica.applied != status.appended) return false;
    }
    for (const Place& place : places_) {
      if (!place.actor || place.actor->lost()) return false;
      const ReplicaReport report = place.actor->report();
      if (report.streams.size() <= id) return false;
      if (report.streams[id].received != status.appended) return false;
      if (report.streams[id].applied != status.appended) return false;
    }
  }
  return model_.waiters_open() == 0;
}

void World::converge() {
  const Instant bound_ns =
      (3 * std::max(plan_.primary.peer_timeout, plan_.replica.peer_timeout).count() +
       3 * plan_.replica.backoff_max.count() + 3 * plan_.primary.lag.stall_limit.count() + 60'000) *
      kMillisecond_ns;
  const Instant deadline = scheduler_.now() + bound_ns;
  while (result_.failure.empty() && !converged()) {
    if (scheduler_.now() >= deadline) {
      return fail("liveness: faults have ended and the cluster does not converge; " + state());
    }
    run_until(scheduler_.now() + kLook_ns);
  }
  if (!result_.failure.empty()) return;
  for (Place& place : places_) place.actor->show();
  HistoryEvent event;
  event.kind = EventKind::quiet;
  event.content = (1ull << plan_.replicas) - 1;
  tell(event);
}

void World::finish() {
  result_.simulated_ns = scheduler_.now();
  // After a failure nothing may go on that could hide it.
  if (primary_ && !primary_->ended()) {
    if (result_.failure.empty()) {
      primary_->close();
    } else {
      primary_->kill(Ending::process);
    }
  }
  finished_ = true;
  for (Place& place : places_) {
    if (place.actor) place.actor->kill(Ending::process);
  }
  if (ledgers_ && result_.failure.empty()) {
    ledgers_->read_back();
    if (!ledgers_->violation().empty()) fail(ledgers_->violation());
  }
  count_effects();
}

void World::count_effects() {
  const NetworkCounts& counts = network_.counts();
  Effects& effects = result_.effects;
  effects[Effect::held_by_cuts] = counts.pieces_held_by_cuts;
  effects[Effect::limited] = counts.pieces_limited;
  effects[Effect::connections_reset] = counts.resets;
  effects[Effect::half_open] = counts.half_open;
  effects[Effect::bits_flipped] = counts.bits_flipped;
  result_.forged = forger_.counts();
  if (ledgers_) ledgers_->add_to(effects);
}

std::string World::state() {
  std::string text = primary_ && !primary_->ended() ? "primary up" : "primary down";
  if (primary_ && !primary_->ended()) {
    for (StreamId id = 0; id < plan_.streams; ++id) {
      const StreamStatus status = primary_->status(id);
      text += ", stream " + std::to_string(id) + " at " + std::to_string(status.appended) + "/" +
              std::to_string(primary_->claimed(id));
      for (const ReplicaStatus& replica : status.replicas) {
        text += " " + replica.name + " " + std::string(quorate::to_string(replica.state)) + " " +
                std::to_string(replica.received) + " applied " + std::to_string(replica.applied);
      }
    }
  }
  for (const Place& place : places_) {
    if (!place.actor) {
      text += "; down";
      continue;
    }
    const ReplicaReport report = place.actor->report();
    text += "; " + std::string(quorate::to_string(report.state)) + " " + report.reason;
    for (const auto& stream : report.streams) {
      text += " " + std::to_string(stream.received) + "/" + std::to_string(stream.committed) + "/" +
              std::to_string(stream.applied);
    }
  }
  return text + "; waiters " + std::to_string(model_.waiters_open());
}

}  // namespace quorate::simulation
