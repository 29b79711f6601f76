// How connections of the simulated network end, and operations on them.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

using reactor::Operation;

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
  dropped.process = nullptr;
  dropped.reactor = nullptr;
  end_if_over(id);
}

/// Over when neither end has a program any more.
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
