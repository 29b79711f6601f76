#include "tests/simulation/system/simulated_reactor.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/address.h"
#include "tests/simulation/system/network.h"

namespace quorate::simulation {

using reactor::Operation;
using reactor::Socket;
using Kind = Operation::Kind;

namespace {
constexpr std::uint32_t kDefaultBuffer = 64u << 10;
}

SimulatedReactor::SimulatedReactor(Network& network, Process& process, std::uint32_t number)
    : network_(network),
      process_(process),
      number_(number),
      files_(process.host().disk.make_files(*this, Draw(process.host().draw.bits()))) {}

SimulatedReactor::~SimulatedReactor() {
  network_.reactors_[number_] = nullptr;
  std::erase(process_.reactors_, this);
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

Result<Socket> SimulatedReactor::listen(const reactor::Address& address, int) {
  std::uint16_t port = port_of(address);
  const HostId host = process_.host().id;
  if (port == 0) port = ++network_.next_port_;
  if (network_.listener_at(host, port) != nullptr) {
    return Error(Errc::io, "listen " + reactor::to_string(address) + ": address in use",
                 EADDRINUSE);
  }
  const std::uint32_t bytes = options_.buffer_bytes != 0 ? options_.buffer_bytes : kDefaultBuffer;
  network_.listeners_.push_back({&process_, this, host, port, bytes, nullptr, {}});
  const auto index = static_cast<std::uint32_t>(network_.listeners_.size() - 1);
  return Socket{process_.add_slot({Process::Slot::Kind::listener, index, 0})};
}

Result<reactor::Address> SimulatedReactor::local_address(Socket socket) const {
  const Process::Slot slot = slot_of(socket);
  if (slot.kind != Process::Slot::Kind::listener) {
    return Error(Errc::io, "local address: not a listener", EBADF);
  }
  return address_at(process_.host().id, network_.listeners_[slot.index].port);
}

void SimulatedReactor::begin(Operation& operation, Kind kind, Socket socket,
                             std::span<const iovec> buffers) {
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
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) network_.shut(slot.index, slot.end, true);
  if (slot.kind == Process::Slot::Kind::listener) network_.close_listener(slot.index);
}

void SimulatedReactor::shutdown_send(Socket socket) noexcept {
  const Process::Slot slot = slot_of(socket);
  if (slot.kind == Process::Slot::Kind::connection) network_.shut(slot.index, slot.end, false);
}

void SimulatedReactor::close(Socket socket) noexcept {
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

// Process.

Process::Process(Network& network, Scheduler& scheduler, Host& host, ProcessId id)
    : network_(network), scheduler_(scheduler), host_(host), id_(id) {}

Process::~Process() {
  if (!dead_) kill(Ending::process);
  CHECK(reactors_.empty());
}

Instant Process::local_now() const noexcept {
  return dead_ ? dead_now_ : host_.clock.local(scheduler_.now());
}

std::unique_ptr<SimulatedReactor> Process::make_reactor() {
  const auto number = static_cast<std::uint32_t>(network_.reactors_.size());
  auto reactor = std::make_unique<SimulatedReactor>(network_, *this, number);
  network_.reactors_.push_back(reactor.get());
  reactors_.push_back(reactor.get());
  return reactor;
}

void Process::drive(SimulatedReactor& reactor, Turn turn) { reactor.turn_ = std::move(turn); }

std::int32_t Process::add_slot(Slot slot) {
  ++open_sockets_;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    if (slots_[id].kind != Slot::Kind::none) continue;
    slots_[id] = slot;
    return static_cast<std::int32_t>(id);
  }
  slots_.push_back(slot);
  return static_cast<std::int32_t>(slots_.size() - 1);
}

void Process::block() { ++blocked_; }

void Process::unblock() {
  CHECK(blocked_ > 0);
  if (--blocked_ == 0) wake_all();
}

void Process::pause() { paused_ = true; }

void Process::resume() {
  if (!std::exchange(paused_, false)) return;
  wake_all();
}

void Process::wake_all() {
  for (SimulatedReactor* reactor : reactors_) {
    if (std::exchange(reactor->deferred_, false) || blocked_ == 0) reactor->wake();
  }
}

void Process::kill(Ending ending) {
  if (dead_) return;
  dead_now_ = local_now();
  dead_ = true;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    const Slot slot = std::exchange(slots_[id], {});
    if (slot.kind == Slot::Kind::listener) network_.close_listener(slot.index);
    if (slot.kind == Slot::Kind::connection) network_.drop_end(slot.index, slot.end, ending);
  }
  network_.forget_dials(*this);
  if (ending == Ending::machine) {
    ++host_.boots;
    host_.disk.power_loss();
  }
  for (SimulatedReactor* reactor : reactors_) reactor->die();
}

}  // namespace quorate::simulation
