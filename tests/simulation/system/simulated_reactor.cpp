#include "tests/simulation/system/simulated_reactor.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/address.h"
#include "tests/simulation/system/heap.h"
#include "tests/simulation/system/network.h"

namespace quorate::simulation {

using reactor::Operation;
using reactor::Socket;
using Kind = Operation::Kind;

namespace {

constexpr std::uint32_t kDefaultBuffer = 64u << 10;

reactor::Address with_port(reactor::Address address, std::uint16_t port) noexcept {
  if (address.storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  }
  return address;
}

/// The only address of that family: a host's own.
reactor::Address six_at(std::uint16_t port) noexcept {
  reactor::Address address;
  auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
  in->sin6_family = AF_INET6;
  in->sin6_addr = IN6ADDR_LOOPBACK_INIT;
  address.length = sizeof(sockaddr_in6);
  return with_port(address, port);
}

}  // namespace

SimulatedReactor::SimulatedReactor(Network& network, Process& process, std::uint32_t number,
                                   bool blocking)
    : network_(network),
      process_(process),
      number_(number),
      blocking_(blocking),
      files_(process.host().disk.make_files(*this, Draw(process.host().draw.bits()))) {
  if (blocking_) process_.block();
}

SimulatedReactor::~SimulatedReactor() {
  network_.reactors_[number_] = nullptr;
  std::erase(process_.reactors_, this);
  if (blocking_) process_.unblock();
}

Result<std::unique_ptr<reactor::Reactor>> SimulatedReactor::sibling() {
  return std::unique_ptr<reactor::Reactor>(process_.make_reactor(true));
}

std::uint64_t SimulatedReactor::random_seed() noexcept {
  return process_.host().draw.bits() | 1;
}

void SimulatedReactor::set_socket_options(reactor::SocketOptions options) {
  options_ = std::move(options);
}

Process::Slot SimulatedReactor::slot_of(Socket socket) const noexcept {
  if (socket.id < 0 || static_cast<std::size_t>(socket.id) >= process_.slots_.size()) return {};
  return process_.slots_[static_cast<std::size_t>(socket.id)];
}

Result<Socket> SimulatedReactor::listen(const reactor::Address& address, int backlog) {
  const auto refuse = [&](const char* why, int number) {
    return Error(Errc::io, "listen on " + reactor::to_string(address) + ": " + why, number);
  };
  if (process_.dead()) return refuse("the process is dead", ESRCH);
  const HostId host = process_.host().id;
  std::uint16_t port = port_of(address);
  while (port == 0 || (port_of(address) == 0 && network_.listener_at(host, port) != nullptr)) {
    port = ++network_.next_port_;
  }
  if (network_.listener_at(host, port) != nullptr) return refuse("address in use", EADDRINUSE);
  Network::Listener listener;
  listener.process = &process_;
  listener.reactor = this;
  listener.host = host;
  listener.port = port;
  listener.capacity = options_.buffer_bytes != 0 ? options_.buffer_bytes : kDefaultBuffer;
  listener.backlog_max = static_cast<std::size_t>(std::max(backlog, 0));
  listener.address = with_port(address, port);
  network_.listeners_.push_back(std::move(listener));
  const auto index = static_cast<std::uint32_t>(network_.listeners_.size() - 1);
  return Socket{process_.add_slot({Process::Slot::Kind::listener, index, 0})};
}

Result<reactor::Address> SimulatedReactor::local_address(Socket socket) const {
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::listener) return network_.listeners_[slot.index].address;
  if (slot.kind == Process::Slot::Kind::none) {
    return Error(Errc::io, "local address: not a socket", EBADF);
  }
  const Network::Connection& connection = network_.connections_[slot.index];
  const Network::End& end = connection.ends[slot.end];
  return connection.six ? six_at(end.port) : address_at(end.host, end.port);
}

void SimulatedReactor::begin(Operation& operation, Kind kind, Socket socket,
                             std::span<const iovec> buffers) {
  const HeapScope kernel(0);
  CHECK(operation.state == Operation::State::idle && buffers.size() <= Operation::kVectorsMax);
  operation.state = Operation::State::started;
  operation.kind = kind;
  operation.socket = socket;
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  queued_.push_back(&operation);
}

void SimulatedReactor::accept(Operation& operation, Socket listener) {
  begin(operation, Kind::accept, listener, {});
}
void SimulatedReactor::connect(Operation& operation, const reactor::Address& address) {
  operation.address = address;
  begin(operation, Kind::connect, {}, {});
}
void SimulatedReactor::receive(Operation& operation, Socket socket,
                               std::span<const iovec> buffers) {
  begin(operation, Kind::receive, socket, buffers);
}
void SimulatedReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Kind::send, socket, buffers);
}

void SimulatedReactor::submit(Operation& operation) {
  if (process_.dead()) return complete(operation, -ECONNRESET);
  if (operation.kind == Kind::connect) return network_.submit_connect(*this, operation);
  const Process::Slot slot = slot_of(operation.socket);
  if (slot.kind == Process::Slot::Kind::none) return complete(operation, -EBADF);
  if (operation.kind == Kind::accept) {
    if (slot.kind != Process::Slot::Kind::listener) return complete(operation, -EINVAL);
    return network_.submit_accept(slot.index, operation);
  }
  if (slot.kind != Process::Slot::Kind::connection) return complete(operation, -ENOTCONN);
  network_.connections_[slot.index].ends[slot.end].reactor = this;
  if (operation.kind == Kind::receive) {
    return network_.submit_receive(slot.index, slot.end, operation);
  }
  network_.submit_send(slot.index, slot.end, operation);
}

void SimulatedReactor::cancel(Operation& operation) {
  const HeapScope kernel(0);
  if (operation.state != Operation::State::started) return;
  const auto queued = std::find(queued_.begin(), queued_.end(), &operation);
  if (queued != queued_.end()) {
    queued_.erase(queued);
    return complete(operation, -ECANCELED);
  }
  if (operation.kind > Kind::send) {
    process_.host().disk.cancel(operation);
    return;
  }
  network_.cancel(operation, process_);
}

void SimulatedReactor::shutdown(Socket socket) noexcept {
  const HeapScope kernel(0);
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) network_.shut(slot.index, slot.end, true);
  if (slot.kind == Process::Slot::Kind::listener) network_.close_listener(slot.index);
}

void SimulatedReactor::shutdown_send(Socket socket) noexcept {
  const HeapScope kernel(0);
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) network_.shut(slot.index, slot.end, false);
}

void SimulatedReactor::close(Socket socket) noexcept {
  const HeapScope kernel(0);
  // The kernel has closed what a dead process had open.
  if (process_.dead()) return;
  const Process::Slot slot = slot_of(socket);
  CHECK(slot.kind != Process::Slot::Kind::none);
  process_.slots_[static_cast<std::size_t>(socket.id)] = {};
  --process_.open_sockets_;
  if (slot.kind == Process::Slot::Kind::listener) return network_.close_listener(slot.index);
  network_.close_end(slot.index, slot.end);
}

void SimulatedReactor::release(Socket socket) noexcept {
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) {
    network_.connections_[slot.index].ends[slot.end].reactor = nullptr;
  }
}

void SimulatedReactor::adopt(Socket socket) noexcept {
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) {
    network_.connections_[slot.index].ends[slot.end].reactor = this;
  }
}

// Time.

Instant SimulatedReactor::wake_latency() {
  const HostLaw& law = process_.host().law;
  return process_.host().draw.between(law.wake_min_ns, std::max(law.wake_min_ns, law.wake_max_ns));
}

void SimulatedReactor::complete(Operation& operation, std::int32_t result) {
  completed_.push(operation, result);
  if (turn_ && !process_.dead()) due_at(process_.scheduler_.now() + wake_latency());
}

void SimulatedReactor::on_file_done(Operation& operation, std::int32_t result) {
  complete(operation, result);
}

void SimulatedReactor::wake() noexcept {
  const HeapScope kernel(0);
  woken_ = true;
  if (turn_ && !process_.dead()) due_at(process_.scheduler_.now() + wake_latency());
}

void SimulatedReactor::due_at(Instant time) {
  if (time >= due_) return;
  due_ = time;
  network_.later(time, Network::What::turn, number_, ++generation_);
}

void SimulatedReactor::on_due(std::uint32_t generation) {
  if (generation != generation_) return;
  due_ = kNever;
  if (!process_.may_turn()) {
    deferred_ = true;
    return;
  }
  woken_ = false;
  turn_();
}

void SimulatedReactor::wait(Instant deadline) {
  const HeapScope kernel(0);
  ++waits_;
  std::swap(queued_, submitting_);
  for (Operation* operation : submitting_) submit(*operation);
  submitting_.clear();
  if (process_.dead()) {
    // Time passes by itself, also for a loop that has something to do at once again and again.
    process_.dead_now_ += kMillisecond_ns;
    if (deadline != kNever) process_.dead_now_ = std::max(process_.dead_now_, deadline);
    return;
  }
  if (turn_ && !process_.blocked()) return wait_in_turn(deadline);
  let_world_go_on(deadline);
}

void SimulatedReactor::wait_in_turn(Instant deadline) {
  const Instant now = process_.scheduler_.now();
  const bool at_once = ready() || woken_ || deadline <= process_.local_now();
  if (at_once) return due_at(now + wake_latency());
  if (deadline != kNever) due_at(process_.host().clock.true_time(deadline) + wake_latency());
}

void SimulatedReactor::let_world_go_on(Instant deadline) {
  Scheduler& scheduler = process_.scheduler_;
  // A call takes time, or a program that polls would never see what it polls for.
  deadline = std::max(deadline, process_.local_now() + kMicrosecond_ns);
  while (!ready() && !woken_ && !process_.dead() && process_.local_now() < deadline) {
    const Instant due = process_.host().clock.true_time(deadline);
    if (scheduler.next() > due) network_.later(due, Network::What::nothing, 0, 0);
    // Nothing will ever happen: whoever waits for ever is told so rather than hung.
    if (!scheduler.run_one()) return;
  }
  woken_ = false;
}

void SimulatedReactor::die() {
  for (Operation* operation : std::exchange(queued_, {})) completed_.push(*operation, -ECONNRESET);
  process_.host().disk.abandon(*this);
  ++generation_;
  due_ = kNever;
}

}  // namespace quorate::simulation
