#include "tests/simulation/system/network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/address.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

using reactor::Operation;

namespace {

/// When TCP tries again what was lost.
constexpr Instant kRetryMin_ns = 200 * kMillisecond_ns;
constexpr Instant kRetryMax_ns = kSecond_ns;
/// Bytes of no use in front of a pipe before they are moved away.
constexpr std::size_t kCompactBytes = 64u << 10;

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
  hosts_[host]->latest_process = id;
  // What peers sent to the machine before its power was cut is repeated now, and answered.
  for (const ConnectionId live : live_) {
    Connection& connection = connections_[live];
    for (std::uint32_t end = 0; end < 2; ++end) {
      if (connection.ends[end].vanished && connection.ends[end].host == host) {
        const Pipe& pipe = connection.pipes[end == 0 ? 1 : 0];
        if (pipe.taken > pipe.read || pipe.fin_sent) send_reset(live, 1 - end);
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
      if (connection.ends[way].host != from || connection.ends[1 - way].host != to) continue;
      later(scheduler_.now() + draw_.between(kRetryMin_ns, kRetryMax_ns), What::arrive, live, way);
    }
  }
  for (std::uint32_t dial = 0; dial < dials_.size(); ++dial) {
    if (dials_[dial].operation == nullptr) continue;
    later(scheduler_.now() + draw_.between(kRetryMin_ns, kRetryMax_ns), What::syn, dial, 0);
  }
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
    case What::syn: on_syn(index); break;
    case What::nothing: break;
  }
}

Instant Network::latency(HostId from, HostId to) {
  const LinkLaw& law = law_of(from, to);
  return draw_.between(law.latency_min_ns, std::max(law.latency_min_ns, law.latency_max_ns));
}

// Sending.

void Network::submit_send(std::uint32_t id, std::uint32_t end, Operation& operation) {
  End& from = connections_[id].ends[end];
  CHECK(from.sending == nullptr);
  from.sending = &operation;
  from.send_done = 0;
  const HostLaw& law = hosts_[from.host]->law;
  if (!draw_.chance(law.late_sends)) return take(id, end);
  from.take_due = true;
  later(scheduler_.now() + draw_.between(0, law.late_max_ns), What::take, id, end);
}

void Network::finish_send(End& end, std::int32_t result) {
  Operation& operation = *std::exchange(end.sending, nullptr);
  end.reactor->complete(operation, result);
}

/// Reads out of the buffers what there is room for.
void Network::take(std::uint32_t id, std::uint32_t end) {
  Connection& connection = connections_[id];
  End& from = connection.ends[end];
  if (from.sending == nullptr || from.take_due) return;
  if (from.was_reset) return finish_send(from, -ECONNRESET);
  if (from.write_shut) return finish_send(from, -EPIPE);
  Pipe& pipe = connection.pipes[end];
  std::size_t room = connection.capacity - (pipe.taken - pipe.read);
  const msghdr& message = from.sending->message;
  std::uint64_t skip = from.send_done;
  std::size_t added = 0;
  bool whole = true;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
    const iovec& buffer = message.msg_iov[i];
    if (skip >= buffer.iov_len) {
      skip -= buffer.iov_len;
      continue;
    }
    const std::size_t part = std::min<std::size_t>(buffer.iov_len - skip, room);
    const auto* bytes = static_cast<const std::byte*>(buffer.iov_base) + skip;
    if (part > 0) {
      pipe.bytes.insert(pipe.bytes.end(), bytes, bytes + part);
      if (observer_ != nullptr) {
        observer_->on_sent(id, static_cast<Way>(end), {bytes, part});
      }
    }
    added += part;
    room -= part;
    whole = part == buffer.iov_len - skip;
    skip = 0;
    if (!whole) break;
  }
  from.send_done += added;
  counts_.bytes_sent += added;
  if (added > 0) add_pieces(connection, id, end, added);
  if (whole) finish_send(from, static_cast<std::int32_t>(from.send_done));
}

void Network::add_pieces(Connection& connection, ConnectionId id, std::uint32_t way,
                         std::size_t bytes) {
  Pipe& pipe = connection.pipes[way];
  const HostId from = connection.ends[way].host;
  const HostId to = connection.ends[1 - way].host;
  const LinkLaw& law = law_of(from, to);
  std::size_t first = bytes;
  if (bytes > 1 && draw_.chance(law.cuts_of_1000)) {
    first = static_cast<std::size_t>(draw_.between(1, static_cast<std::int64_t>(bytes) - 1));
  }
  for (std::size_t part = first; part > 0; part = bytes - first, first = bytes) {
    Instant arrival = scheduler_.now() + latency(from, to);
    if (law.bytes_per_s != 0) {
      ++counts_.pieces_limited;
      arrival = std::max(arrival, pipe.last_arrival) +
                static_cast<Instant>(part * kSecond_ns / law.bytes_per_s);
    }
    if (law.flips_of_million != 0 &&
        draw_.between(0, 999'999) < static_cast<std::int64_t>(law.flips_of_million)) {
      const auto at = static_cast<std::uint64_t>(
          draw_.between(0, static_cast<std::int64_t>(part) - 1));
      const std::uint64_t damaged = pipe.taken + at;
      pipe.bytes[pipe.consumed + (damaged - pipe.read)] ^=
          static_cast<std::byte>(1u << draw_.between(0, 7));
      pipe.damaged_at = std::min(pipe.damaged_at, damaged);
      ++counts_.bits_flipped;
    }
    pipe.taken += part;
    pipe.last_arrival = std::max(arrival, pipe.last_arrival);
    pipe.pieces.push_back({pipe.taken, pipe.last_arrival});
    later(pipe.last_arrival, What::arrive, id, way);
  }
}

// Receiving.

void Network::submit_receive(std::uint32_t id, std::uint32_t end, Operation& operation) {
  End& to = connections_[id].ends[end];
  CHECK(to.receiving == nullptr);
  to.receiving = &operation;
  deliver(id, 1 - end);
}

void Network::arrive(ConnectionId id, std::uint32_t way) {
  Connection& connection = connections_[id];
  if (connection.ended) return;
  const End& to = connection.ends[1 - way];
  Pipe& pipe = connection.pipes[way];
  if (is_cut(connection.ends[way].host, to.host)) {
    ++counts_.pieces_held_by_cuts;
    return;
  }
  if (to.vanished && hosts_[to.host]->boots == to.boot) return;
  const std::uint64_t before = pipe.arrived;
  while (pipe.first_piece < pipe.pieces.size() &&
         pipe.pieces[pipe.first_piece].arrival <= scheduler_.now()) {
    pipe.arrived = pipe.pieces[pipe.first_piece++].end;
  }
  if (pipe.first_piece == pipe.pieces.size()) {
    pipe.pieces.clear();
    pipe.first_piece = 0;
  }
  if (pipe.fin_sent && pipe.arrived == pipe.taken && pipe.fin_arrival <= scheduler_.now()) {
    pipe.fin_arrived = true;
  }
  // Nobody is there to read it.
  if (to.process == nullptr && pipe.arrived > before) send_reset(id, way);
  deliver(id, way);
  end_if_over(id);
}

/// Completes the receive of the end that this way leads to, if there is something to say.
void Network::deliver(ConnectionId id, std::uint32_t way) {
  Connection& connection = connections_[id];
  End& to = connection.ends[1 - way];
  if (to.receiving == nullptr) return;
  Pipe& pipe = connection.pipes[way];
  const std::uint64_t available = pipe.arrived - pipe.read;
  std::int32_t result = 0;
  if (available == 0 || to.read_shut) {
    if (to.was_reset) {
      result = -ECONNRESET;
    } else if (!pipe.fin_arrived && !to.read_shut) {
      return;
    }
  } else {
    const msghdr& message = to.receiving->message;
    std::size_t done = 0;
    for (std::size_t i = 0; i < message.msg_iovlen && done < available; ++i) {
      const std::size_t part =
          std::min<std::size_t>(message.msg_iov[i].iov_len, available - done);
      std::memcpy(message.msg_iov[i].iov_base, pipe.bytes.data() + pipe.consumed + done, part);
      done += part;
    }
    const std::uint64_t sound = std::max(pipe.damaged_at, pipe.read) - pipe.read;
    if (observer_ != nullptr) {
      observer_->on_delivered(id, static_cast<Way>(way), done,
                              static_cast<std::size_t>(std::min<std::uint64_t>(sound, done)));
    }
    pipe.read += done;
    pipe.consumed += done;
    if (pipe.consumed == pipe.bytes.size()) {
      pipe.bytes.clear();
      pipe.consumed = 0;
    } else if (pipe.consumed > kCompactBytes) {
      pipe.bytes.erase(pipe.bytes.begin(),
                       pipe.bytes.begin() + static_cast<std::ptrdiff_t>(pipe.consumed));
      pipe.consumed = 0;
    }
    result = static_cast<std::int32_t>(done);
  }
  Operation& operation = *std::exchange(to.receiving, nullptr);
  to.reactor->complete(operation, result);
  if (result > 0) take(id, way);
}

// Ends.

void Network::send_fin(ConnectionId id, std::uint32_t end) {
  Connection& connection = connections_[id];
  Pipe& pipe = connection.pipes[end];
  if (std::exchange(pipe.fin_sent, true)) return;
  const Instant arrival =
      scheduler_.now() + latency(connection.ends[end].host, connection.ends[1 - end].host);
  pipe.fin_arrival = std::max(arrival, pipe.last_arrival);
  later(pipe.fin_arrival, What::arrive, id, end);
}

void Network::send_reset(ConnectionId id, std::uint32_t to_end) {
  const Connection& connection = connections_[id];
  later(scheduler_.now() + latency(connection.ends[1 - to_end].host, connection.ends[to_end].host),
        What::reset, id, to_end);
}

void Network::break_end(ConnectionId id, std::uint32_t end) {
  Connection& connection = connections_[id];
  End& broken = connection.ends[end];
  if (connection.ended || broken.was_reset) return;
  broken.was_reset = true;
  if (broken.sending != nullptr) {
    broken.take_due = false;
    finish_send(broken, -ECONNRESET);
  }
  deliver(id, 1 - end);
  end_if_over(id);
}

void Network::shut(std::uint32_t id, std::uint32_t end, bool both) {
  End& closing = connections_[id].ends[end];
  if (both) closing.read_shut = true;
  if (!std::exchange(closing.write_shut, true)) {
    if (closing.sending != nullptr) {
      closing.take_due = false;
      const auto done = static_cast<std::int32_t>(closing.send_done);
      finish_send(closing, done > 0 ? done : -EPIPE);
    }
    send_fin(id, end);
  }
  deliver(id, 1 - end);
}

void Network::close_end(std::uint32_t id, std::uint32_t end) {
  Connection& connection = connections_[id];
  End& closing = connection.ends[end];
  CHECK(closing.receiving == nullptr && closing.sending == nullptr);
  const Pipe& in = connection.pipes[1 - end];
  if (in.arrived > in.read && !closing.was_reset) {
    send_reset(id, 1 - end);
  } else {
    send_fin(id, end);
  }
  closing.process = nullptr;
  closing.reactor = nullptr;
  closing.write_shut = closing.read_shut = true;
  end_if_over(id);
}

/// The process is gone, and with it what its operations would have become.
void Network::drop_end(std::uint32_t id, std::uint32_t end, Ending ending) {
  Connection& connection = connections_[id];
  End& dropped = connection.ends[end];
  dropped.take_due = false;
  if (dropped.sending != nullptr) finish_send(dropped, -ECONNRESET);
  if (dropped.receiving != nullptr) {
    Operation& operation = *std::exchange(dropped.receiving, nullptr);
    dropped.reactor->complete(operation, -ECONNRESET);
  }
  if (ending == Ending::process) return close_end(id, end);
  ++counts_.half_open;
  dropped.vanished = true;
  dropped.boot = hosts_[dropped.host]->boots + 1;
  dropped.process = nullptr;
  dropped.reactor = nullptr;
  end_if_over(id);
}

/// Over when neither end has a program any more; or one has none and the other was reset.
void Network::end_if_over(ConnectionId id) {
  Connection& connection = connections_[id];
  if (connection.ended) return;
  const End& a = connection.ends[0];
  const End& b = connection.ends[1];
  if (a.process != nullptr || b.process != nullptr) return;
  connection.ended = true;
  for (Pipe& pipe : connection.pipes) pipe = Pipe{};
  live_.erase(std::find(live_.begin(), live_.end(), id));
  if (observer_ != nullptr) observer_->on_ended(id);
}

void Network::cancel(Operation& operation, Process& process) {
  const Process::Slot slot =
      operation.kind == Operation::Kind::connect
          ? Process::Slot{}
          : process.slots_[static_cast<std::size_t>(operation.socket.id)];
  if (operation.kind == Operation::Kind::connect) {
    for (Dial& dial : dials_) {
      if (dial.operation != &operation) continue;
      dial.operation = nullptr;
      dial.reactor->complete(operation, -ECANCELED);
    }
  } else if (operation.kind == Operation::Kind::accept) {
    Listener& listener = listeners_[slot.index];
    listener.accepting = nullptr;
    listener.reactor->complete(operation, -ECANCELED);
  } else {
    End& end = connections_[slot.index].ends[slot.end];
    if (operation.kind == Operation::Kind::receive) {
      end.receiving = nullptr;
      return end.reactor->complete(operation, -ECANCELED);
    }
    end.take_due = false;
    const auto done = static_cast<std::int32_t>(end.send_done);
    finish_send(end, done > 0 ? done : -ECANCELED);
  }
}

}  // namespace quorate::simulation
