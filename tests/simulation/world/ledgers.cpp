#include "tests/simulation/world/ledgers.h"

#include <algorithm>

namespace quorate::simulation {

Ledgers::Ledgers(Network& network, const Plan& plan)
    : network_(network),
      draw_(Draw::of(plan.seed, "ledgers")),
      latency_max_ns_(draw_.magnitude(50, 1000) * kMillisecond_ns) {
  for (HostId host = 0; host < network.hosts(); ++host) {
    oracles_.push_back(std::make_unique<DiskOracle>(network.host(host).disk.counts()));
    calm(host);
  }
}

void Ledgers::calm(HostId host) {
  Disk& disk = network_.host(host).disk;
  disk.law = DiskLaw{};
  disk.law.latency_max_ns = latency_max_ns_;
  disk.fail_always(false);
}

std::unique_ptr<DiskActor> Ledgers::open(HostId host, reactor::Reactor& reactor) {
  auto actor = std::make_unique<DiskActor>(reactor, *oracles_[host], Draw(draw_.bits()));
  actor->recover();
  actor->start();
  return actor;
}

void Ledgers::begin(const Episode& episode, HostId host, Draw& draw) {
  Disk& disk = network_.host(host).disk;
  const auto often = static_cast<std::uint32_t>(draw.magnitude(5'000, 500'000));
  switch (episode.fault) {
    case Fault::disk_short: disk.law.short_results = often; break;
    case Fault::disk_error: disk.law.errors = often / 4; break;
    case Fault::disk_sync_error: disk.fail_next_sync(); break;
    case Fault::disk_dead: disk.fail_always(true); break;
    case Fault::disk_stall: disk.law.stalls = often; break;
    case Fault::disk_full:
      disk.law.capacity_bytes = static_cast<std::uint64_t>(draw.between(1, 64) * 8192);
      break;
    case Fault::disk_misdirect: disk.law.misdirected_writes = often / 4; break;
    case Fault::disk_stale: disk.law.lost_writes = often / 4; break;
    case Fault::disk_flip: disk.law.bit_flips = often / 4; break;
    default: break;
  }
}

void Ledgers::end(const Episode& episode, HostId host) {
  Disk& disk = network_.host(host).disk;
  switch (episode.fault) {
    case Fault::disk_short: disk.law.short_results = 0; break;
    case Fault::disk_error: disk.law.errors = 0; break;
    case Fault::disk_dead: disk.fail_always(false); break;
    case Fault::disk_stall: disk.law.stalls = 0; break;
    case Fault::disk_full: disk.law.capacity_bytes = 0; break;
    case Fault::disk_misdirect: disk.law.misdirected_writes = 0; break;
    case Fault::disk_stale: disk.law.lost_writes = 0; break;
    case Fault::disk_flip: disk.law.bit_flips = 0; break;
    default: break;
  }
}

void Ledgers::read_back() {
  Scheduler& scheduler = network_.scheduler();
  for (HostId host = 0; host < oracles_.size(); ++host) {
    calm(host);
    network_.host(host).disk.power_loss();
    auto process = network_.start_process(host);
    auto reactor = process->make_reactor();
    DiskActor actor(*reactor, *oracles_[host], Draw(draw_.bits()));
    actor.recover();
    while (!actor.idle() && (reactor->ready() || scheduler.run_one())) reactor->reap();
    process->kill(Ending::process);
  }
}

std::string Ledgers::violation() const {
  for (HostId host = 0; host < oracles_.size(); ++host) {
    const std::string& text = oracles_[host]->violation();
    if (!text.empty()) return "durability: disk of host " + std::to_string(host) + ": " + text;
  }
  return {};
}

void Ledgers::add_to(Effects& effects) {
  for (HostId host = 0; host < oracles_.size(); ++host) {
    const DiskCounts& counts = network_.host(host).disk.counts();
    effects[Effect::unsynced_lost] += counts.unsynced_sectors_lost;
    effects[Effect::torn_writes] += counts.torn_writes;
    effects[Effect::garbled_sectors] += counts.garbled_sectors;
    effects[Effect::short_results] += counts.short_results;
    effects[Effect::disk_errors] += counts.errors;
    effects[Effect::disk_dead] += counts.sticky_errors;
    effects[Effect::disk_stalls] += counts.stalls;
    effects[Effect::disk_misdirected] += counts.misdirected_writes;
    effects[Effect::disk_stale] += counts.lost_writes;
    effects[Effect::disk_bits_flipped] += counts.bit_flips;
    effects[Effect::disk_full] += counts.full;
    effects[Effect::disk_wiped] += counts.wipes;
    effects[Effect::units_acknowledged] += oracles_[host]->acknowledged;
    effects[Effect::units_confirmed] += oracles_[host]->confirmed;
    effects[Effect::units_excused] += oracles_[host]->excused;
  }
}

}  // namespace quorate::simulation
