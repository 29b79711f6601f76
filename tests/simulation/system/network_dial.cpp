// How connections of the simulated network begin.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/address.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

using reactor::Operation;

namespace {

/// When a dialer tries again whom it could not reach: a full backlog drops what asks.
constexpr Instant kDialRetry_ns = kSecond_ns;
/// Where the ports of dialers begin; nobody listens there.
constexpr std::uint16_t kDialerPort = 49152;

}  // namespace

Network::Listener* Network::listener_at(HostId host, std::uint16_t port) {
  for (Listener& listener : listeners_) {
    if (listener.process != nullptr && listener.host == host && listener.port == port) {
      return &listener;
    }
  }
  return nullptr;
}

void Network::submit_accept(std::uint32_t index, Operation& operation) {
  Listener& listener = listeners_[index];
  if (listener.process == nullptr) return listener.reactor->complete(operation, -EINVAL);
  CHECK(listener.accepting == nullptr);
  listener.accepting = &operation;
  accept_from(listener);
}

void Network::accept_from(Listener& listener) {
  while (listener.accepting != nullptr && !listener.backlog.empty()) {
    const ConnectionId id = listener.backlog.front();
    listener.backlog.erase(listener.backlog.begin());
    if (connections_[id].ended) continue;
    End& end = connections_[id].ends[1];
    end.reactor = listener.reactor;
    const std::int32_t socket =
        listener.process->add_slot({Process::Slot::Kind::connection, id, 1});
    listener.reactor->complete(*std::exchange(listener.accepting, nullptr), socket);
  }
}

void Network::close_listener(std::uint32_t index) {
  Listener& listener = listeners_[index];
  if (listener.process == nullptr) return;
  if (listener.accepting != nullptr) {
    listener.reactor->complete(*std::exchange(listener.accepting, nullptr), -ECANCELED);
  }
  listener.process = nullptr;
  for (const ConnectionId id : std::exchange(listener.backlog, {})) {
    if (connections_[id].ended) continue;
    send_reset(id, 0);
    connections_[id].ends[1].process = nullptr;
    end_if_over(id);
  }
}

/// The process is gone, and perhaps the machine, which then says nothing to those who wait.
void Network::drop_listener(std::uint32_t index, Ending ending) {
  Listener& listener = listeners_[index];
  if (listener.accepting != nullptr) {
    listener.reactor->complete(*std::exchange(listener.accepting, nullptr), -ECONNRESET);
  }
  if (ending == Ending::machine) {
    for (const ConnectionId id : std::exchange(listener.backlog, {})) {
      if (!connections_[id].ended) drop_end(id, 1, ending);
    }
  }
  close_listener(index);
}

void Network::submit_connect(SimulatedReactor& reactor, Operation& operation) {
  const HostId self = reactor.process_.host().id;
  const auto host = host_of(operation.address, self, hosts());
  Dial dial;
  dial.operation = &operation;
  dial.reactor = &reactor;
  dial.from = self;
  dial.to = host.value_or(self);
  dial.port = host ? port_of(operation.address) : std::uint16_t{0};
  dial.six = operation.address.storage.ss_family == AF_INET6;
  dial.number = ++last_dial_;
  std::uint32_t index = 0;
  while (index < dials_.size() && dials_[index].operation != nullptr) ++index;
  if (index == dials_.size()) dials_.emplace_back();
  dials_[index] = dial;
  later(scheduler_.now() + 2 * latency(dial.from, dial.to), What::syn, index, dial.number);
}

/// The dialogue of SYN and answer has passed, unless a cut held it up.
void Network::on_syn(std::uint32_t index, std::uint32_t number) {
  Dial& dial = dials_[index];
  if (dial.operation == nullptr || dial.number != number) return;
  if (is_cut(dial.from, dial.to) || is_cut(dial.to, dial.from)) return;
  Listener* listener = dial.port == 0 ? nullptr : listener_at(dial.to, dial.port);
  if (listener != nullptr && listener->backlog.size() > listener->backlog_max) {
    return later(scheduler_.now() + kDialRetry_ns, What::syn, index, number);
  }
  Operation& operation = *std::exchange(dial.operation, nullptr);
  SimulatedReactor& reactor = *dial.reactor;
  // A machine without power does not even refuse; TCP would try for minutes, its caller will not.
  if (listener == nullptr) return reactor.complete(operation, -ECONNREFUSED);
  const ConnectionId id = join(dial, *listener);
  const std::int32_t socket =
      reactor.process_.add_slot({Process::Slot::Kind::connection, id, 0});
  reactor.complete(operation, socket);
  listener->backlog.push_back(id);
  accept_from(*listener);
}

ConnectionId Network::join(const Dial& dial, const Listener& listener) {
  const auto id = static_cast<ConnectionId>(connections_.size());
  Connection& connection = connections_.emplace_back();
  connection.capacity = listener.capacity;
  connection.six = dial.six;
  End& dialer = connection.ends[0];
  dialer.process = &dial.reactor->process_;
  dialer.reactor = dial.reactor;
  dialer.host = dial.from;
  dialer.port = static_cast<std::uint16_t>(kDialerPort + id % (65536 - kDialerPort));
  End& accepted = connection.ends[1];
  accepted.process = listener.process;
  accepted.reactor = listener.reactor;
  accepted.host = dial.to;
  accepted.port = listener.port;
  live_.push_back(id);
  ++counts_.connections;
  if (observer_ != nullptr) {
    observer_->on_connected(id, dialer.process->id(), accepted.process->id());
  }
  return id;
}

/// A dead process waits for no answer.
void Network::forget_dials(Process& process) {
  for (Dial& dial : dials_) {
    if (dial.operation == nullptr || &dial.reactor->process_ != &process) continue;
    dial.reactor->complete(*std::exchange(dial.operation, nullptr), -ECONNRESET);
  }
}

}  // namespace quorate::simulation
