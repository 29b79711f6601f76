#include "tests/simulation/world/plan.h"

#include <algorithm>
#include <array>

#include "tests/simulation/system/draw.h"

namespace quorate::simulation {

namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "slow_link",     "narrow_link",   "reset",         "isolate",      "cut_to",
    "cut_from",      "partition",     "flap",          "flip",         "crash_replica",
    "crash_primary", "power_replica", "power_primary", "pause_replica", "pause_primary",
    "close_primary", "clock_leap",    "slow_loops",    "slow_apply",   "held_claim",
    "dead_claim",    "twin_replica",  "stranger",      "forgery",      "disk_short",
    "disk_error",    "disk_sync_error", "disk_dead",   "disk_stall",   "disk_full",
    "disk_misdirect", "disk_stale",   "disk_flip",     "disk_wipe"};

/// Faults that end a reign, and with it most of what was going on: rarer than the others.
bool ends_reign(Fault fault) {
  return fault == Fault::crash_primary || fault == Fault::power_primary ||
         fault == Fault::close_primary || fault == Fault::dead_claim || fault == Fault::disk_wipe;
}

void draw_cluster(Plan& plan, Draw& draw) {
  // Small clusters are cheap and find most; large ones are there as well.
  plan.replicas = draw.chance(700) ? 2 : static_cast<std::uint32_t>(draw.between(3, 6));
  plan.streams = draw.chance(700) ? 1 : static_cast<std::uint32_t>(draw.between(2, 4));
  plan.loops = draw.chance(900) ? 1 : 2;
  plan.replica_loops = draw.chance(900) ? 1 : 2;
  plan.primary.ring_bytes = 1ull << draw.between(16, 20);
  plan.replica.ring_bytes = 1ull << draw.between(19, 20);
  plan.primary.max_batch_bytes = static_cast<std::uint32_t>(draw.magnitude(4 << 10, 256 << 10));
  plan.primary.protected_copies =
      draw.chance(500) ? 0 : static_cast<std::uint32_t>(draw.between(1, plan.replicas + 1));
  plan.primary.lag.kind = draw.chance(700) ? LagPolicy::Kind::hold : LagPolicy::Kind::drop;
  plan.primary.lag.stall_limit = std::chrono::milliseconds(draw.magnitude(50, 4000));
  plan.primary.lag.courtesy = std::chrono::milliseconds(draw.between(0, 100));
  plan.primary.heartbeat = std::chrono::milliseconds(draw.magnitude(50, 1000));
  plan.replica.heartbeat = std::chrono::milliseconds(draw.magnitude(50, 1000));
  // Some wait so long that nothing but the lag policy frees their writers.
  const std::int64_t patience = draw.chance(850) ? 1 : 6;
  plan.primary.peer_timeout = plan.primary.heartbeat * draw.between(3, 10) * patience;
  plan.replica.peer_timeout = plan.replica.heartbeat * draw.between(3, 10) * patience;
  plan.replica.backoff_max = std::chrono::milliseconds(draw.magnitude(100, 4000));
  plan.primary.claim_deadline = std::chrono::milliseconds(draw.magnitude(100, 4000));
  plan.drift_ppm_max = draw.chance(500) ? 0 : draw.magnitude(10, 20000);
  plan.late_sends = draw.chance(500) ? 0 : static_cast<std::uint32_t>(draw.between(0, 500));
}

void draw_rules(Plan& plan, Draw& draw) {
  plan.rules = {async(), semi_sync(1), sync()};
  if (draw.chance(500)) plan.rules.push_back(semi_sync(1, Level::applied));
  if (draw.chance(300)) plan.rules.push_back(sync(Level::applied));
  if (draw.chance(300)) {
    plan.rules.push_back(copies(static_cast<std::uint32_t>(draw.between(1, plan.replicas + 1))));
  }
  if (draw.chance(300)) plan.rules.push_back(all({"r1"}));
  if (plan.replicas > 2 && draw.chance(500)) plan.rules.push_back(any(2, {"r1", "r2", "r3"}));
}

void draw_load(Plan& plan, Draw& draw, std::uint32_t rate_per_s) {
  plan.rate_per_s =
      rate_per_s != 0 ? rate_per_s : static_cast<std::uint32_t>(draw.magnitude(100, 400));
  plan.burst = static_cast<std::uint32_t>(draw.magnitude(1, 16));
  plan.record_bytes_max = static_cast<std::uint32_t>(
      draw.chance(800) ? draw.magnitude(16, 1024) : plan.primary.ring_bytes / 4 - 8);
  plan.waited_of_1000 = static_cast<std::uint32_t>(draw.between(0, 300));
  plan.blocked_of_10000 =
      draw.chance(500) ? 0 : static_cast<std::uint32_t>(draw.magnitude(1, 40));
  plan.ledgers = draw.chance(250);
}

/// Each seed has some kinds of faults and not others, each at a rate of its own.
void draw_faults(Plan& plan, Draw& draw) {
  for (std::size_t f = 0; f < kFaults; ++f) {
    const auto fault = static_cast<Fault>(f);
    const bool wanted = draw.chance(ends_reign(fault) ? 200 : 350);
    const Instant every_ns =
        draw.magnitude(ends_reign(fault) ? 60 : 8, 240) * kSecond_ns;
    if (!wanted || (is_of_disk(fault) && !plan.ledgers)) continue;
    for (Instant at = draw.between(0, every_ns); at < plan.horizon;
         at += draw.between(every_ns / 4, every_ns * 2)) {
      Episode episode;
      episode.fault = fault;
      episode.at = at;
      episode.lasts_ns = draw.magnitude(kMillisecond_ns, 20 * kSecond_ns);
      episode.replica = static_cast<std::uint32_t>(draw.between(0, plan.replicas - 1));
      episode.on_primary = is_of_disk(fault) && draw.chance(300);
      episode.dice = draw.bits();
      plan.episodes.push_back(episode);
    }
  }
  std::stable_sort(plan.episodes.begin(), plan.episodes.end(),
                   [](const Episode& a, const Episode& b) { return a.at < b.at; });
}

}  // namespace

std::string_view to_string(Fault fault) noexcept { return kNames[static_cast<std::size_t>(fault)]; }

Plan Plan::draw(std::uint64_t seed, std::uint32_t rate_per_s, Instant horizon) {
  Plan plan;
  plan.seed = seed;
  plan.horizon = horizon;
  Draw cluster = Draw::of(seed, "cluster");
  Draw rules = Draw::of(seed, "rules");
  Draw load = Draw::of(seed, "load");
  Draw faults = Draw::of(seed, "faults");
  draw_cluster(plan, cluster);
  draw_rules(plan, rules);
  draw_load(plan, load, rate_per_s);
  draw_faults(plan, faults);
  return plan;
}

std::string Plan::to_string() const {
  std::string text = "seed " + std::to_string(seed) + ": " + std::to_string(replicas) +
                     " replicas, " + std::to_string(streams) + " streams, " +
                     std::to_string(loops) + "/" + std::to_string(replica_loops) +
                     " loops, rings " +
                     std::to_string(primary.ring_bytes >> 10) + " KiB, " +
                     std::to_string(rate_per_s) + " records/s by " + std::to_string(burst) +
                     " up to " + std::to_string(record_bytes_max) + " bytes, protected " +
                     std::to_string(primary.protected_copies) + ", lag " +
                     (primary.lag.kind == LagPolicy::Kind::hold ? "hold" : "drop") + ", rules";
  for (const Rule& rule : rules) {
    text += ' ' + quorate::to_string(rule) + '/' + std::string(quorate::to_string(rule.level));
  }
  if (ledgers) text += ", ledgers";
  return text + ", " + std::to_string(episodes.size()) + " episodes";
}

}  // namespace quorate::simulation
