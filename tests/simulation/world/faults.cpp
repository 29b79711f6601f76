// How a world performs the faults of its plan, and undoes them.

#include <algorithm>

#include "tests/simulation/world/world.h"

namespace quorate::simulation {

namespace {

HostId host_of(const Episode& episode) { return episode.replica + 1; }

bool is_of_primary(Fault fault) {
  return fault == Fault::crash_primary || fault == Fault::power_primary ||
         fault == Fault::pause_primary || fault == Fault::close_primary ||
         fault == Fault::held_claim || fault == Fault::dead_claim;
}

}  // namespace

void World::begin(const Episode& episode) {
  if (healed_) return;
  if (trace_) {
    trace("fault", std::string(to_string(episode.fault)) + " r" +
                       std::to_string(episode.replica + 1) + " for " +
                       std::to_string(episode.lasts_ns / kMicrosecond_ns) + " us");
  }
  dice_ = Draw(episode.dice);
  bool done = true;
  if (episode.fault <= Fault::flip) {
    begin_on_link(episode);
  } else if (is_of_disk(episode.fault)) {
    begin_on_disk(episode);
  } else if (is_of_primary(episode.fault)) {
    done = begin_on_primary(episode);
  } else {
    done = begin_on_replica(episode) || begin_elsewhere(episode);
  }
  if (done) ++result_.faults[static_cast<std::size_t>(episode.fault)];
  const auto index = static_cast<std::uint32_t>(&episode - plan_.episodes.data());
  later(episode.lasts_ns, What::end, index);
}

void World::begin_on_link(const Episode& episode) {
  const HostId host = host_of(episode);
  LinkLaw& there = network_.law(kPrimaryHost, host);
  LinkLaw& back = network_.law(host, kPrimaryHost);
  switch (episode.fault) {
    case Fault::slow_link:
      there.latency_max_ns = back.latency_max_ns = dice_.magnitude(kMillisecond_ns, kSecond_ns);
      break;
    case Fault::narrow_link:
      there.bytes_per_s = static_cast<std::uint64_t>(dice_.magnitude(2'000, 1'000'000));
      break;
    case Fault::reset:
      network_.reset(kPrimaryHost, host);
      break;
    case Fault::isolate:
      network_.cut(kPrimaryHost, host, true);
      network_.cut(host, kPrimaryHost, true);
      break;
    case Fault::cut_to: network_.cut(kPrimaryHost, host, true); break;
    case Fault::cut_from: network_.cut(host, kPrimaryHost, true); break;
    case Fault::partition:
      for (HostId other = 1; other <= plan_.replicas; ++other) {
        if (other != host && dice_.chance(500)) continue;
        network_.cut(kPrimaryHost, other, true);
        network_.cut(other, kPrimaryHost, true);
      }
      break;
    case Fault::flap: return flap(episode);
    case Fault::flip:
      there.flips_of_million = static_cast<std::uint32_t>(dice_.magnitude(1'000, 100'000));
      back.flips_of_million = there.flips_of_million / 2;
      break;
    default: break;
  }
  note_links();
}

/// Cuts or heals, a random number of times until the episode ends.
void World::flap(const Episode& episode) {
  const HostId host = host_of(episode);
  if (healed_ || scheduler_.now() >= episode.at + episode.lasts_ns) return;
  const bool on = !network_.is_cut(kPrimaryHost, host);
  network_.cut(kPrimaryHost, host, on);
  network_.cut(host, kPrimaryHost, on);
  note_links();
  later(flapping_.between(kMillisecond_ns, std::max(kMillisecond_ns, episode.lasts_ns / 3)),
        What::flap, static_cast<std::uint32_t>(&episode - plan_.episodes.data()));
}

/// False: there was nothing to do it to.
bool World::begin_on_primary(const Episode& episode) {
  if (!primary_ || primary_->ended()) return false;
  // A crash comes at any moment, also inside of a call; for the others the program must be there.
  const bool power = episode.fault == Fault::power_primary;
  if (power || episode.fault == Fault::crash_primary) {
    primary_->kill(power ? Ending::machine : Ending::process);
    primary_down_until_ = scheduler_.now() + episode.lasts_ns;
    return true;
  }
  if (primary_->process().blocked()) return false;
  switch (episode.fault) {
    case Fault::pause_primary: primary_->process().pause(); return true;
    case Fault::close_primary: end_reign(episode.lasts_ns); return true;
    case Fault::held_claim:
      primary_->hold_claims(primary_->process().local_now() + episode.lasts_ns);
      return true;
    default: return !primary_->process().paused() && primary_->die_with_claim();
  }
}

bool World::begin_on_replica(const Episode& episode) {
  Place& place = places_[episode.replica];
  const Instant until = scheduler_.now() + episode.lasts_ns;
  if (episode.fault == Fault::twin_replica && !place.twin) {
    start_twin(episode.replica);
    return true;
  }
  if (!place.actor) return false;
  switch (episode.fault) {
    case Fault::crash_replica: crash(place, Ending::process, until); return true;
    case Fault::power_replica: crash(place, Ending::machine, until); return true;
    case Fault::pause_replica: place.actor->process().pause(); return true;
    case Fault::slow_apply: place.actor->slow_down(until); return true;
    default: return false;
  }
}

bool World::begin_elsewhere(const Episode& episode) {
  const auto any_host = [&] {
    return static_cast<HostId>(dice_.between(0, plan_.replicas));
  };
  switch (episode.fault) {
    case Fault::clock_leap:
      network_.host(any_host())
          .clock.leap(scheduler_.now(), dice_.magnitude(kMillisecond_ns, 3600 * kSecond_ns));
      return true;
    case Fault::slow_loops:
      network_.host(any_host()).law.wake_max_ns =
          dice_.magnitude(100 * kMicrosecond_ns, 100 * kMillisecond_ns);
      return true;
    case Fault::stranger:
      if (stranger_) return false;
      start_stranger();
      return true;
    case Fault::forgery:
      forging_until_ = scheduler_.now() + episode.lasts_ns + kSecond_ns;
      later(0, What::forge);
      return true;
    default: return false;
  }
}

void World::crash(Place& place, Ending ending, Instant until) {
  place.actor->kill(ending);
  place.down_until = until;
  past_replicas_.push_back(std::move(place.actor));
}

void World::start_twin(std::uint32_t index) {
  places_[index].twin = std::make_unique<ReplicaActor>(
      network_, teller(), plan_, nullptr, plan_.replicas + 1, index,
      Draw::of(plan_.seed, "twin", past_replicas_.size() * 64 + index));
}

void World::end_twin(Place& place) {
  if (!place.twin) return;
  place.twin->kill(Ending::process);
  past_replicas_.push_back(std::move(place.twin));
}

/// Waits for a moment in which it would matter.
void World::forge() {
  if (healed_ || scheduler_.now() > forging_until_) return;
  if (forger_.forge()) {
    if (trace_) trace("fault", "a forged unit is sent");
    return;
  }
  later(forging_.between(50 * kMicrosecond_ns, 5 * kMillisecond_ns), What::forge);
}

void World::start_stranger() {
  const auto connections =
      static_cast<std::uint32_t>(dice_.chance(50) ? 200 : dice_.magnitude(1, 8));
  stranger_ = std::make_unique<Stranger>(network_, plan_.replicas + 2, kPrimaryHost, connections,
                                         plan_.replicas, Draw(dice_.bits()));
  tap_.ignore(stranger_->process());
  result_.effects[Effect::strangers] += connections;
}

void World::end_stranger() {
  if (!stranger_) return;
  stranger_->leave(strangers_.chance(700) ? Ending::process : Ending::machine);
  past_strangers_.push_back(std::move(stranger_));
}

void World::begin_on_disk(const Episode& episode) {
  const HostId host = episode.on_primary ? kPrimaryHost : host_of(episode);
  if (episode.fault != Fault::disk_wipe) return ledgers_->begin(episode, host, dice_);
  wipe(host, scheduler_.now() + episode.lasts_ns);
}

/// Another disk is put into a machine that has been switched off.
void World::wipe(HostId host, Instant until) {
  if (host == kPrimaryHost) {
    if (primary_ && !primary_->ended()) primary_->kill(Ending::machine);
    primary_down_until_ = until;
  } else if (Place& place = places_[host - 1]; place.actor) {
    crash(place, Ending::machine, until);
  }
  ledgers_->wipe(host);
}

/// Undoes what lasts. Doing so for an episode that has ended, or never began, changes nothing.
void World::end(const Episode& episode) {
  const HostId host = host_of(episode);
  LinkLaw& there = network_.law(kPrimaryHost, host);
  LinkLaw& back = network_.law(host, kPrimaryHost);
  const LinkLaw calm;
  if (is_of_disk(episode.fault)) {
    return ledgers_->end(episode, episode.on_primary ? kPrimaryHost : host);
  }
  switch (episode.fault) {
    case Fault::slow_link:
      there.latency_max_ns = back.latency_max_ns = calm.latency_max_ns;
      break;
    case Fault::narrow_link: network_.widen(kPrimaryHost, host); break;
    case Fault::flip: there.flips_of_million = back.flips_of_million = 0; break;
    case Fault::isolate:
    case Fault::cut_to:
    case Fault::cut_from:
    case Fault::partition:
    case Fault::flap:
      for (HostId other = 1; other <= plan_.replicas; ++other) {
        if (episode.fault != Fault::partition && other != host) continue;
        network_.cut(kPrimaryHost, other, false);
        network_.cut(other, kPrimaryHost, false);
      }
      break;
    case Fault::pause_replica:
      if (places_[episode.replica].actor) places_[episode.replica].actor->process().resume();
      break;
    case Fault::pause_primary:
      if (primary_ && !primary_->ended()) primary_->process().resume();
      break;
    case Fault::slow_loops:
      for (HostId other = 0; other <= plan_.replicas; ++other) {
        network_.host(other).law.wake_max_ns = HostLaw{}.wake_max_ns;
      }
      break;
    case Fault::twin_replica: end_twin(places_[episode.replica]); break;
    case Fault::stranger: end_stranger(); break;
    default: break;
  }
  note_links();
}

}  // namespace quorate::simulation
