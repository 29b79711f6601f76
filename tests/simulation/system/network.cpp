#include "tests/simulation/system/network.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/address.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

namespace {

/// When TCP tries again what was lost.
constexpr Instant kRetryMin_ns = 200 * kMillisecond_ns;
constexpr Instant kRetryMax_ns = kSecond_ns;

}  // namespace

Network::Network(Scheduler& scheduler, std::uint64_t seed)
    : scheduler_(scheduler), seed_(seed), draw_(Draw::of(seed, "network")) {}

Network::~Network() = default;

Host& Network::add_host(std::int64_t drift_ppm) {
  const auto id = static_cast<HostId>(hosts_.size());
  const Clock clock(draw_.between(0, 1'000'000) * kSecond_ns, drift_ppm);
  hosts_.push_back(std::make_unique<Host>(id, seed_, scheduler_, clock));
  for (auto& row : laws_) row.resize(hosts_.size());
  laws_.emplace_back(hosts_.size());
  return *hosts_.back();
}

std::unique_ptr<Process> Network::start_process(HostId host) {
  const ProcessId id = ++processes_;
  hosts_[host]->running = true;
  // What peers sent to the machine before its power was cut is repeated now, and answered.
  for (const ConnectionId live : live_) {
    Connection& connection = connections_[live];
    for (std::uint32_t end = 0; end < 2; ++end) {
      if (connection.ends[end].vanished && connection.ends[end].host == host) {
        const Pipe& pipe = connection.pipes[end == 0 ? 1 : 0];
        const bool unheard = pipe.taken > pipe.arrived || (pipe.fin_sent && !pipe.fin_arrived);
        if (unheard) send_reset(live, 1 - end);
      }
    }
  }
  return std::make_unique<Process>(*this, scheduler_, *hosts_[host], id);
}

LinkLaw& Network::law(HostId from, HostId to) { return laws_[from][to].law; }
bool Network::is_cut(HostId from, HostId to) const { return laws_[from][to].cut; }

std::string Network::address_of(HostId host) { return "10.0.0." + std::to_string(host + 1); }

std::uint64_t Network::bytes_in_flight() const noexcept {
  std::uint64_t bytes = 0;
  for (const ConnectionId live : live_) {
    for (const Pipe& pipe : connections_[live].pipes) bytes += pipe.taken - pipe.read;
  }
  return bytes;
}

void Network::cut(HostId from, HostId to, bool on) {
  if (std::exchange(laws_[from][to].cut, on) == on || on) return;
  for (const ConnectionId live : live_) {
    for (std::uint32_t way = 0; way < 2; ++way) {
      const Connection& connection = connections_[live];
      if (connection.ends[way].host == from && connection.ends[1 - way].host == to) {
        repeat(live, way);
      }
    }
  }
  for (std::uint32_t index = 0; index < dials_.size(); ++index) {
    const Dial& dial = dials_[index];
    const bool concerned =
        (dial.from == from && dial.to == to) || (dial.from == to && dial.to == from);
    if (dial.operation == nullptr || !concerned) continue;
    later(retry_time(), What::syn, index, dial.number);
  }
}

Instant Network::retry_time() {
  return scheduler_.now() + draw_.between(kRetryMin_ns, kRetryMax_ns);
}

/// What a cut held up comes with the next repetition, unless nobody is left to repeat it.
void Network::repeat(ConnectionId id, std::uint32_t way) {
  Pipe& pipe = connections_[id].pipes[way];
  if (pipe.held_until != kNever || connections_[id].ends[way].vanished) return;
  pipe.held_until = retry_time();
  later(pipe.held_until, What::arrive, id, way);
}

std::uint32_t Network::reset(HostId a, HostId b) {
  std::uint32_t count = 0;
  for (const ConnectionId live : std::vector<ConnectionId>(live_)) {
    Connection& connection = connections_[live];
    const HostId x = connection.ends[0].host;
    const HostId y = connection.ends[1].host;
    if (!((x == a && y == b) || (x == b && y == a))) continue;
    ++count;
    ++counts_.resets;
    const std::uint32_t first = draw_.chance(500) ? 0 : 1;
    break_end(live, first);
    if (draw_.chance(500)) {
      break_end(live, 1 - first);
    } else {
      send_reset(live, 1 - first);
    }
  }
  return count;
}

// Events.

void Network::later(Instant time, What what, std::uint32_t index, std::uint32_t low) {
  scheduler_.at(time, *this,
                (static_cast<std::uint64_t>(what) << 60) |
                    (static_cast<std::uint64_t>(index) << 32) | low);
}

void Network::fire(std::uint64_t what) {
  const auto index = static_cast<std::uint32_t>(what >> 32) & 0x0FFFFFFFu;
  const auto low = static_cast<std::uint32_t>(what);
  switch (static_cast<What>(what >> 60)) {
    case What::turn:
      if (reactors_[index] != nullptr) reactors_[index]->on_due(low);
      break;
    case What::arrive: arrive(index, low); break;
    case What::take:
      connections_[index].ends[low].take_due = false;
      take(index, low);
      break;
    case What::reset:
      if (is_cut(connections_[index].ends[1 - low].host, connections_[index].ends[low].host)) {
        later(scheduler_.now() + kRetryMax_ns, What::reset, index, low);
      } else {
        break_end(index, low);
      }
      break;
    case What::syn: on_syn(index, low); break;
    case What::nothing: break;
  }
}

Instant Network::latency(HostId from, HostId to) {
  const LinkLaw& law = law_of(from, to);
  return draw_.between(law.latency_min_ns, std::max(law.latency_min_ns, law.latency_max_ns));
}

}  // namespace quorate::simulation
