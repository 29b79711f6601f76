#include "tests/simulation/durable/settings.h"

#include <algorithm>

#include "tests/simulation/system/draw.h"

namespace quorate::simulation::durable {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

void draw_storage(StorageOptions& storage, Draw& draw) {
  storage.segment_bytes = 8 * kMiB;
  storage.direct = draw.chance(700);
  storage.retain_bytes = static_cast<std::uint64_t>(draw.between(0, 2)) * 16 * kMiB;
  // As little as can be: what was given up too early would be missed.
  if (draw.chance(150)) storage.retain_bytes = 1;
  if (draw.chance(300)) storage.retain_age = std::chrono::seconds(draw.between(1, 20));
}

void draw_rules(Settings& settings, Draw& draw) {
  settings.rules = {async(),
                    async(Level::durable),
                    semi_sync(1),
                    semi_sync(1, Level::durable),
                    semi_sync(1, Level::applied),
                    sync(Level::durable),
                    sync(Level::applied),
                    any(1, {"r1"}, Level::durable)};
  // Rules that need a replica hold writers for it; some worlds have none.
  if (draw.chance(200)) settings.rules.resize(2);
  // Where nobody awaits level received, replicas tell of it later.
  if (draw.chance(400)) {
    std::erase_if(settings.rules, [](const Rule& rule) {
      return rule.kind == Rule::Kind::any && rule.level == Level::received;
    });
  }
}

void leave_alone(Settings& settings) {
  settings.left_alone = true;
  settings.bytes_per_s = 16 * kMiB;
  settings.load_per_mille = 800;
  settings.fault_gap_max_ns = 20 * kSecond_ns;
}

/// A primary that protects nothing but itself goes on at the hard limit, any other stops there when
/// those it needs are away for long.
void draw_hard_limit(Settings& settings, Draw& draw) {
  settings.primary.storage.retain_bytes_hard = 32 * kMiB;
  if (draw.chance(500)) {
    settings.protected_copies = settings.primary.protected_copies = 1;
    return;
  }
  if (draw.chance(500)) settings.replica.storage.retain_bytes_hard = 32 * kMiB;
  if (draw.chance(700)) {
    settings.protected_copies = settings.primary.protected_copies = settings.replicas + 1;
  }
  leave_alone(settings);
}

/// No snapshot stands for what they lack when they come back: all of it is there.
void draw_long_hold(Settings& settings, Draw& draw) {
  settings.primary.storage.retain_bytes = 1;
  if (draw.chance(500)) settings.protected_copies = settings.primary.protected_copies = 1;
  leave_alone(settings);
}

}  // namespace

Settings Settings::draw(std::uint64_t seed, Instant horizon) {
  Draw draw = Draw::of(seed, "durable settings");
  Settings settings;
  settings.seed = seed;
  settings.horizon = horizon;
  settings.replicas = draw.chance(700) ? 2 : draw.chance(500) ? 1 : 3;
  settings.streams = draw.chance(750) ? 1 : 2;
  if (settings.streams > 1) {
    settings.primary_loops = draw.chance(700) ? 1 : 2;
    settings.replica_loops = draw.chance(700) ? 1 : 2;
  }
  PrimaryOptions& primary = settings.primary;
  ReplicaOptions& replica = settings.replica;
  primary.ring_bytes = 1ull << draw.between(17, 20);
  replica.ring_bytes = std::max<std::uint64_t>(primary.ring_bytes, 1ull << draw.between(19, 20));
  draw_storage(primary.storage, draw);
  draw_storage(replica.storage, draw);
  primary.max_batch_bytes = static_cast<std::uint32_t>(draw.magnitude(4 << 10, 256 << 10));
  if (draw.chance(500)) {
    primary.protected_copies = static_cast<std::uint32_t>(draw.between(1, settings.replicas + 1));
  }
  settings.protected_copies = primary.protected_copies != 0 ? primary.protected_copies
                                                            : (settings.replicas + 1) / 2 + 1;
  primary.lag.kind = draw.chance(500) ? LagPolicy::Kind::hold : LagPolicy::Kind::drop;
  primary.lag.stall_limit = std::chrono::milliseconds(draw.magnitude(50, 2000));
  primary.heartbeat = replica.heartbeat = std::chrono::milliseconds(draw.magnitude(50, 400));
  primary.peer_timeout = replica.peer_timeout = primary.heartbeat * draw.between(3, 8);
  primary.close_timeout = std::chrono::milliseconds(draw.between(0, 500));
  replica.backoff_max = std::chrono::milliseconds(draw.magnitude(100, 1000));
  primary.catch_ups_max = draw.chance(300) ? 1 : 4;
  if (draw.chance(300)) {
    primary.catch_up_bytes_per_second = static_cast<std::uint64_t>(draw.between(2, 16)) * kMiB;
  }
  draw_rules(settings, draw);
  settings.record_bytes_max = static_cast<std::uint32_t>(std::min<std::int64_t>(
      draw.magnitude(1 << 10, 64 << 10), static_cast<std::int64_t>(primary.ring_bytes / 4 - 8)));
  settings.bytes_per_s = static_cast<std::uint64_t>(draw.magnitude(1, 8)) * kMiB;
  settings.load_per_mille = static_cast<std::uint32_t>(draw.between(100, 600));
  settings.fault_gap_max_ns = draw.magnitude(500 * kMillisecond_ns, 8 * kSecond_ns);
  // Drawn apart, so that the other worlds are what they were.
  Draw draw_of_snapshots = Draw::of(seed, "durable snapshots");
  settings.snapshots = draw_of_snapshots.chance(400);
  if (settings.snapshots) {
    primary.storage.retain_bytes = std::min<std::uint64_t>(primary.storage.retain_bytes, 8 * kMiB);
    if (primary.storage.retain_bytes == 0) primary.storage.retain_bytes = 1;
    settings.bytes_per_s = std::max<std::uint64_t>(settings.bytes_per_s, 4 * kMiB);
    if (draw_of_snapshots.chance(500)) draw_hard_limit(settings, draw_of_snapshots);
  } else if (draw_of_snapshots.chance(150)) {
    draw_long_hold(settings, draw_of_snapshots);
  }
  settings.disk_latency_max_ns = draw.magnitude(100 * kMicrosecond_ns, 4 * kMillisecond_ns);
  return settings;
}

std::string Settings::to_string() const {
  const auto of = [](const StorageOptions& storage) {
    return std::to_string(storage.retain_bytes >> 20) + " MiB/" +
           std::to_string(storage.retain_age.count()) + " s";
  };
  return "replicas " + std::to_string(replicas) + ", streams " + std::to_string(streams) +
         " on " + std::to_string(primary_loops) + "/" + std::to_string(replica_loops) +
         " loops, rings " + std::to_string(primary.ring_bytes >> 10) + "/" +
         std::to_string(replica.ring_bytes >> 10) + " KiB, protected " +
         std::to_string(protected_copies) + ", kept " + of(primary.storage) + " and " +
         of(replica.storage) + ", records up to " + std::to_string(record_bytes_max) + ", " +
         std::to_string(bytes_per_s >> 20) + " MiB/s for " + std::to_string(load_per_mille) +
         " of 1000, rules " + std::to_string(rules.size()) + ", faults each " +
         std::to_string(fault_gap_max_ns / kMillisecond_ns) + " ms, " +
         (primary.lag.kind == LagPolicy::Kind::hold ? "hold" : "drop") +
         (snapshots ? ", snapshots" : "") +
         (left_alone ? ", left alone" : "");
}

}  // namespace quorate::simulation::durable
