// How a durable world breaks its nodes, disks and links, and lets them recover.

#include <algorithm>
#include <string>

#include "tests/simulation/durable/durable_world.h"

namespace quorate::simulation::durable {

/// Mostly short: what follows soon after an end is what is hardest.
Instant DurableWorld::draw_pause() {
  return dice_.magnitude(kMillisecond_ns, 4 * kSecond_ns);
}

void DurableWorld::strike() {
  if (healed_) return;
  later(dice_.magnitude(5 * kMillisecond_ns, settings_.fault_gap_max_ns), [this] { strike(); });
  const std::int64_t kind = dice_.between(0, 99);
  if (kind < 45) return strike_nodes();
  if (kind < 70) return strike_disk();
  strike_link();
}

bool DurableWorld::catching_up() const {
  return primary() != nullptr && primary()->feeds_somebody();
}

void DurableWorld::end_node(std::uint32_t host, bool power) {
  Place& place = places_[host];
  if (place.node && !place.node->ended()) {
    trace("fault", std::string(power ? "power of" : "kills") + " host " + std::to_string(host));
    if (catching_up()) ++result_.counts[Count::deaths_in_catch_up];
    ++result_.counts[power ? Count::power_losses : Count::kills];
    place.node->kill(power ? Ending::machine : Ending::process);
  }
  place.down_until = scheduler_.now() + draw_pause();
}

/// Another disk takes the place of one that is gone.
void DurableWorld::wipe(std::uint32_t host) {
  end_node(host, true);
  trace("fault", "wipes the disk of host " + std::to_string(host));
  ++result_.counts[Count::wipes];
  network_.host(host).disk.wipe();
  oracle_.on_wiped(host - 1);
}

/// All replicas at once, for so long that the log of the primary comes to its hard limit, if any.
void DurableWorld::leave_alone() {
  const Instant lasts_ns = dice_.between(6 * kSecond_ns, 12 * kSecond_ns);
  for (std::uint32_t host = 1; host < hosts(); ++host) {
    end_node(host, dice_.chance(500));
    places_[host].down_until = scheduler_.now() + lasts_ns;
  }
}

void DurableWorld::close_node(std::uint32_t host) {
  Place& place = places_[host];
  if (!place.node || place.node->ended() || place.node->busy() || place.node->opening()) return;
  if (place.node->lost()) return;
  trace("fault", "closes host " + std::to_string(host));
  place.node->pause(false);
  ++result_.counts[Count::closes];
  place.down_until = kNever;
  // What its last steps leave behind, one by one.
  if (dice_.chance(500)) {
    const bool power = dice_.chance(700);
    later(dice_.magnitude(kMicrosecond_ns, 50 * kMillisecond_ns), [this, host, power] {
      if (places_[host].down_until == kNever) end_node(host, power);
    });
  }
  place.node->close();
  place.down_until = scheduler_.now() + draw_pause();
}

void DurableWorld::strike_nodes() {
  const auto any = static_cast<std::uint32_t>(dice_.between(0, hosts() - 1));
  const bool power = dice_.chance(500);
  if (settings_.snapshots && any != kPrimaryHost && dice_.chance(100)) return wipe(any);
  const std::int64_t kind = dice_.between(0, 99);
  if (kind < 50) return end_node(any, power);
  if (kind < 60) return end_node(kPrimaryHost, power);
  if (kind < 75) return close_node(any);
  if (kind < 83) return die_in_open(any, static_cast<std::uint32_t>(dice_.between(1, 4)));
  if (kind < 87) return slow_down(any);
  if (kind < 91) return pause(any);
  // All of them, or some.
  const bool all = dice_.chance(500);
  for (std::uint32_t host = 0; host < hosts(); ++host) {
    if (all || dice_.chance(500)) end_node(host, power);
  }
}

/// Ends it, starts it at once, and ends it again soon.
void DurableWorld::die_in_open(std::uint32_t host, std::uint32_t times) {
  if (healed_) return;
  end_node(host, dice_.chance(500));
  places_[host].down_until = 0;
  if (times == 0) return;
  const Instant soon = kMillisecond_ns * 50 + dice_.magnitude(kMicrosecond_ns, kSecond_ns);
  later(soon, [this, host, times] { die_in_open(host, times - 1); });
}

void DurableWorld::slow_down(std::uint32_t host) {
  if (host == kPrimaryHost || replica(host) == nullptr) return;
  ++result_.counts[Count::slow_programs];
  replica(host)->slow_down(scheduler_.now() + dice_.magnitude(100 * kMillisecond_ns,
                                                              5 * kSecond_ns));
}

/// Only outside of calls: a call that blocks would go on in the simulation.
void DurableWorld::pause(std::uint32_t host) {
  Node* node = places_[host].node.get();
  if (node == nullptr || node->ended() || node->busy() || node->opening()) return;
  trace("fault", "pauses host " + std::to_string(host));
  ++result_.counts[Count::pauses];
  node->pause(true);
  later(dice_.magnitude(10 * kMillisecond_ns, 5 * kSecond_ns), [this, host, node] {
    if (places_[host].node.get() == node) node->pause(false);
  });
}

// Disks.

void DurableWorld::strike_disk() {
  const auto host = static_cast<HostId>(dice_.between(0, hosts() - 1));
  Disk& disk = network_.host(host).disk;
  const Instant lasts_ns = dice_.magnitude(10 * kMillisecond_ns, 5 * kSecond_ns);
  const std::int64_t kind = dice_.between(0, 99);
  const auto begin = [&](const char* what, Count count) {
    trace("fault", what + (" of host " + std::to_string(host)) + " for " +
                       std::to_string(lasts_ns / kMillisecond_ns) + " ms");
    ++result_.counts[count];
  };
  if (kind < 15) {
    begin("sync error", Count::sync_errors);
    disk.fail_next_sync();
  } else if (kind < 30) {
    begin("errors", Count::error_spells);
    // Few end a log; many make one unreadable while it is opened.
    const std::int64_t most = dice_.chance(700) ? 20'000 : 500'000;
    disk.law.errors = static_cast<std::uint32_t>(dice_.magnitude(100, most));
  } else if (kind < 40) {
    begin("dead disk", Count::dead_disks);
    disk.fail_always(true);
  } else if (kind < 65) {
    begin("full disk", Count::full_disks);
    disk.law.capacity_bytes = static_cast<std::uint64_t>(dice_.magnitude(4096, 64 << 20));
  } else {
    begin("slow disk", Count::slow_disks);
    return wear(host, lasts_ns);
  }
  later(lasts_ns, [this, host] { heal_host(host); });
}

void DurableWorld::wear(HostId host, Instant lasts_ns) {
  DiskLaw& law = network_.host(host).disk.law;
  law.short_results = static_cast<std::uint32_t>(dice_.between(0, 50'000));
  if (dice_.chance(500)) {
    law.latency_max_ns = dice_.magnitude(10 * kMillisecond_ns, 200 * kMillisecond_ns);
  } else {
    law.stalls = static_cast<std::uint32_t>(dice_.magnitude(1'000, 20'000));
    law.stall_ns = dice_.magnitude(100 * kMillisecond_ns, 5 * kSecond_ns);
  }
  later(lasts_ns, [this, host] { heal_host(host); });
}

void DurableWorld::heal_host(HostId host) {
  Disk& disk = network_.host(host).disk;
  disk.fail_always(false);
  DiskLaw law;
  law.latency_max_ns = settings_.disk_latency_max_ns;
  disk.law = law;
}

// Links.

void DurableWorld::strike_link() {
  const auto host = static_cast<HostId>(dice_.between(1, hosts() - 1));
  const Instant lasts_ns = dice_.magnitude(10 * kMillisecond_ns, 6 * kSecond_ns);
  const std::int64_t kind = dice_.between(0, 99);
  trace("fault", "link of host " + std::to_string(host) + " " + std::to_string(kind) + " for " +
                     std::to_string(lasts_ns / kMillisecond_ns) + " ms");
  if (kind < 35) {
    ++result_.counts[Count::resets];
    network_.reset(kPrimaryHost, host);
    return;
  }
  if (kind < 70) {
    ++result_.counts[Count::cuts_of_links];
    const bool both = dice_.chance(700);
    network_.cut(kPrimaryHost, host, true);
    if (both) network_.cut(host, kPrimaryHost, true);
  } else {
    ++result_.counts[Count::slow_links];
    LinkLaw& there = network_.law(kPrimaryHost, host);
    if (dice_.chance(500)) {
      there.bytes_per_s = static_cast<std::uint64_t>(dice_.magnitude(50'000, 4'000'000));
    } else {
      there.latency_max_ns = dice_.magnitude(kMillisecond_ns, 300 * kMillisecond_ns);
    }
  }
  later(lasts_ns, [this, host] {
    network_.cut(kPrimaryHost, host, false);
    network_.cut(host, kPrimaryHost, false);
    network_.law(kPrimaryHost, host).latency_max_ns = LinkLaw{}.latency_max_ns;
    network_.widen(kPrimaryHost, host);
  });
}

}  // namespace quorate::simulation::durable
