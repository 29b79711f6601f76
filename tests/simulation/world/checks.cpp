// What a world asks of its processes beside what the model judges.

#include <algorithm>

#include "tests/simulation/system/heap.h"
#include "tests/simulation/world/world.h"

namespace quorate::simulation {

namespace {

/// Heap of a loop, without its rings; of the primary's, mostly room for 65,536 who wait.
constexpr std::int64_t kPrimaryHeap = 7 << 20;
constexpr std::int64_t kReplicaHeap = 1 << 20;
constexpr std::int64_t kConnectionHeap = 128 << 10;

}  // namespace

void World::memory_of(Process& process, std::int64_t bound, std::int64_t& most) {
  const std::int64_t bytes = heap_bytes_of(process.id());
  if (bytes > bound) {
    fail("bounds: a process on host " + std::to_string(process.host().id) + " holds " +
         std::to_string(bytes) + " bytes on the heap, at most " + std::to_string(bound) +
         " are right");
  }
  most = std::max(most, bytes);
}

/// Whoever connects, and however often: no more sockets than the engine promises to hold.
void World::check_bounds() {
  constexpr std::uint32_t kStrangersMax = 128;
  constexpr std::uint32_t kClientsMax = 32;
  constexpr std::uint32_t kGoing = 4;
  if (primary_) {
    memory_of(primary_->process(),
              kPrimaryHeap * plan_.loops + kConnectionHeap * primary_->process().open_sockets(),
              result_.primary_bytes_max);
  }
  const std::uint32_t primary_max =
      1 + plan_.loops * (plan_.replicas + kStrangersMax + kClientsMax + kGoing);
  if (primary_ && primary_->process().open_sockets() > primary_max) {
    fail("bounds: the primary holds " + std::to_string(primary_->process().open_sockets()) +
         " sockets, at most " + std::to_string(primary_max) + " are right");
  }
  for (const Place& place : places_) {
    if (place.actor) {
      memory_of(place.actor->process(), kReplicaHeap * plan_.replica_loops,
                result_.replica_bytes_max);
    }
    if (place.actor && place.actor->process().open_sockets() > 2 * plan_.loops) {
      fail("bounds: a replica holds " + std::to_string(place.actor->process().open_sockets()) +
           " sockets");
    }
  }
}

void World::note_links() {
  for (HostId host = 1; host <= plan_.replicas; ++host) {
    Place& place = places_[host - 1];
    if (!network_.is_cut(host, kPrimaryHost)) place.unheard_since = scheduler_.now();
    if (!network_.is_cut(kPrimaryHost, host)) place.unhearing_since = scheduler_.now();
  }
}

/// Who hears nothing of a peer for long enough gives it up, and says so.
void World::check_silence(Place& place, std::uint32_t index) {
  const auto runs = [](Process& process) { return !process.paused() && !process.blocked(); };
  const Instant now = scheduler_.now();
  const auto timeout = std::max({plan_.primary.peer_timeout, plan_.replica.peer_timeout,
                                 3 * plan_.primary.heartbeat, 3 * plan_.replica.heartbeat});
  const Instant bound_ns = 2 * (timeout.count() + 1000) * kMillisecond_ns;
  // Others may speak in its name, on links that are not cut.
  const bool primary_runs = primary_ && !primary_->ended() && runs(primary_->process());
  if (!primary_runs || place.twin || stranger_) place.unheard_since = now;
  if (!place.actor || !runs(place.actor->process())) place.unhearing_since = now;
  note_links();
  const std::string name = "r" + std::to_string(index + 1);
  if (now - place.unheard_since > bound_ns) {
    for (const ReplicaStatus& replica : primary_->status(0).replicas) {
      if (replica.name != name || replica.state != ReplicaStatus::State::streaming) continue;
      fail("silence: " + name + " is unheard of and counts as connected; " + state());
    }
  }
  if (now - place.unhearing_since > bound_ns &&
      place.actor->report().state == ReplicaReport::State::streaming) {
    fail("silence: " + name + " hears nothing and thinks that it is connected; " + state());
  }
}

}  // namespace quorate::simulation
