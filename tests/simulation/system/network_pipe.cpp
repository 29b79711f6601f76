// The bytes of a connection: out of the sender's buffers, on their way, into the receiver's.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

using reactor::Operation;

namespace {

/// Bytes of no use in front of a pipe before they are moved away.
constexpr std::size_t kCompactBytes = 64u << 10;

std::uint64_t bytes_of(const msghdr& message) noexcept {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) bytes += message.msg_iov[i].iov_len;
  return bytes;
}

}  // namespace

// Sending.

void Network::submit_send(std::uint32_t id, std::uint32_t end, Operation& operation) {
  End& from = connections_[id].ends[end];
  CHECK(from.sending == nullptr);
  from.sending = &operation;
  from.send_done = 0;
  from.send_bytes = bytes_of(operation.message);
  const HostLaw& law = hosts_[from.host]->law;
  if (!draw_.chance(law.late_sends)) return take(id, end);
  from.take_due = true;
  later(scheduler_.now() + draw_.between(0, law.late_max_ns), What::take, id, end);
}

void Network::finish_send(End& end, std::int32_t result) {
  Operation& operation = *std::exchange(end.sending, nullptr);
  end.reactor->complete(operation, result);
}

void Network::take(std::uint32_t id, std::uint32_t end) {
  Connection& connection = connections_[id];
  End& from = connection.ends[end];
  if (from.sending == nullptr || from.take_due) return;
  if (from.was_reset) return finish_send(from, -ECONNRESET);
  if (from.write_shut) return finish_send(from, -EPIPE);
  const std::size_t added = read_buffers(id, end);
  from.send_done += added;
  if (added > 0) add_pieces(connection, id, end, added);
  if (from.send_done == from.send_bytes) {
    finish_send(from, static_cast<std::int32_t>(from.send_done));
  }
}

/// As far as there is room.
std::size_t Network::read_buffers(ConnectionId id, std::uint32_t end) {
  Connection& connection = connections_[id];
  const End& from = connection.ends[end];
  Pipe& pipe = connection.pipes[end];
  const std::size_t room = connection.capacity - (pipe.taken - pipe.read);
  const msghdr& message = from.sending->message;
  std::uint64_t skip = from.send_done;
  std::size_t added = 0;
  for (std::size_t i = 0; i < message.msg_iovlen && added < room; ++i) {
    const iovec& buffer = message.msg_iov[i];
    if (skip >= buffer.iov_len) {
      skip -= buffer.iov_len;
      continue;
    }
    const std::size_t part = std::min<std::size_t>(buffer.iov_len - skip, room - added);
    const auto* bytes = static_cast<const std::byte*>(buffer.iov_base) + skip;
    pipe.bytes.insert(pipe.bytes.end(), bytes, bytes + part);
    if (observer_ != nullptr) observer_->on_sent(id, static_cast<Way>(end), {bytes, part});
    added += part;
    skip = 0;
  }
  return added;
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
    if (law.flips_of_million != 0) flip_perhaps(pipe, part, law);
    pipe.taken += part;
    pipe.last_arrival = std::max(arrival, pipe.last_arrival);
    pipe.pieces.push_back({pipe.taken, pipe.last_arrival});
    later(pipe.last_arrival, What::arrive, id, way);
  }
}

bool Network::inject(ConnectionId id, Way way, std::span<const std::byte> bytes) {
  const auto end = static_cast<std::uint32_t>(way);
  Connection& connection = connections_[id];
  const End& from = connection.ends[end];
  Pipe& pipe = connection.pipes[end];
  if (connection.ended || from.process == nullptr || from.was_reset || pipe.fin_sent) return false;
  if (connection.capacity - (pipe.taken - pipe.read) < bytes.size()) return false;
  pipe.bytes.insert(pipe.bytes.end(), bytes.begin(), bytes.end());
  if (observer_ != nullptr) observer_->on_injected(id, way, bytes.size());
  add_pieces(connection, id, end, bytes.size());
  return true;
}

void Network::widen(HostId from, HostId to) {
  law_of(from, to).bytes_per_s = 0;
  for (const ConnectionId id : live_) {
    Connection& connection = connections_[id];
    for (std::uint32_t way = 0; way < 2; ++way) {
      if (connection.ends[way].host != from || connection.ends[1 - way].host != to) continue;
      Pipe& pipe = connection.pipes[way];
      const Instant soon = scheduler_.now() + latency(from, to);
      if (pipe.last_arrival <= soon) continue;
      for (Piece& piece : pipe.pieces) piece.arrival = std::min(piece.arrival, soon);
      pipe.last_arrival = soon;
      pipe.fin_arrival = std::min(pipe.fin_arrival, soon);
      later(soon, What::arrive, id, way);
    }
  }
}

/// Of the piece that begins where the taken bytes end.
void Network::flip_perhaps(Pipe& pipe, std::size_t bytes, const LinkLaw& law) {
  if (draw_.between(0, 999'999) >= static_cast<std::int64_t>(law.flips_of_million)) return;
  const auto at = static_cast<std::uint64_t>(
      draw_.between(0, static_cast<std::int64_t>(bytes) - 1));
  const std::uint64_t damaged = pipe.taken + at;
  pipe.bytes[pipe.consumed + (damaged - pipe.read)] ^=
      static_cast<std::byte>(1u << draw_.between(0, 7));
  pipe.damaged_at = std::min(pipe.damaged_at, damaged);
  ++counts_.bits_flipped;
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
  const End& to = connection.ends[1 - way];
  Pipe& pipe = connection.pipes[way];
  if (connection.ended || to.was_reset) return;
  if (is_cut(connection.ends[way].host, to.host)) {
    ++counts_.pieces_held_by_cuts;
    pipe.held_until = kNever;
    return;
  }
  if (scheduler_.now() < pipe.held_until) return;
  if (to.vanished && !hosts_[to.host]->running) return;
  const std::uint64_t before = pipe.arrived;
  advance(pipe);
  // Nobody is there to read it. What a machine knows nothing of is answered whatever it is.
  const bool unknown = to.vanished && pipe.fin_arrived;
  if (to.process == nullptr && (pipe.arrived > before || unknown)) send_reset(id, way);
  deliver(id, way);
  end_if_over(id);
}

void Network::advance(Pipe& pipe) {
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
}

/// Completes the receive of the end that this way leads to, if there is something to say.
void Network::deliver(ConnectionId id, std::uint32_t way) {
  Connection& connection = connections_[id];
  End& to = connection.ends[1 - way];
  if (to.receiving == nullptr) return;
  const Pipe& pipe = connection.pipes[way];
  std::int32_t result = 0;
  if (pipe.arrived > pipe.read && !to.read_shut) {
    result = static_cast<std::int32_t>(fill_buffers(id, way));
  } else if (to.was_reset) {
    result = -ECONNRESET;
  } else if (!pipe.fin_arrived && !to.read_shut) {
    return;
  }
  Operation& operation = *std::exchange(to.receiving, nullptr);
  to.reactor->complete(operation, result);
  if (result > 0) take(id, way);
}

std::size_t Network::fill_buffers(ConnectionId id, std::uint32_t way) {
  Pipe& pipe = connections_[id].pipes[way];
  const std::uint64_t available = pipe.arrived - pipe.read;
  const msghdr& message = connections_[id].ends[1 - way].receiving->message;
  std::size_t done = 0;
  for (std::size_t i = 0; i < message.msg_iovlen && done < available; ++i) {
    const std::size_t part = std::min<std::size_t>(message.msg_iov[i].iov_len, available - done);
    std::memcpy(message.msg_iov[i].iov_base, pipe.bytes.data() + pipe.consumed + done, part);
    done += part;
  }
  if (observer_ != nullptr) {
    const std::uint64_t sound = std::max(pipe.damaged_at, pipe.read) - pipe.read;
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
  return done;
}

}  // namespace quorate::simulation
