#include "loop.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/check.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::reactor {

class SimulatedHost {
 public:
  SimulatedHost() : network_(scheduler_, kSeed) {
    network_.add_host(kDrift_ppm);
    process_ = network_.start_process(0);
    // Over loopback a small send comes in one piece.
    network_.law(0, 0).cuts_of_1000 = 0;
    // Its disk is empty, and tests make their directories where a real one has a place for them.
    const auto reactor = process_->make_reactor();
    CHECK(reactor->files().make_directory(std::filesystem::temp_directory_path()));
  }
  std::unique_ptr<Reactor> make_reactor() { return process_->make_reactor(); }

 private:
  static constexpr std::uint64_t kSeed = 1;
  static constexpr std::int64_t kDrift_ppm = 50;

  simulation::Scheduler scheduler_{kSeed};
  simulation::Network network_;
  std::unique_ptr<simulation::Process> process_;
};

namespace {

/// Long enough for any loaded machine: only a completion that never comes takes this long.
constexpr Instant kStuck_ns = 60 * kSecond_ns;
/// More than two ways through the simulated network, and a send that was late.
constexpr Instant kSimulatedTravel_ns = 2 * kMillisecond_ns;

thread_local bool is_reaping = false;

}  // namespace

Probe::Probe() {
  operation.owner = this;
  operation.complete = &Probe::complete;
}

void Probe::complete(Operation& operation, std::int32_t result) {
  auto& probe = *static_cast<Probe*>(operation.owner);
  EXPECT_TRUE(Loop::reaping()) << "completed outside of reap()";
  EXPECT_FALSE(operation.in_flight());
  ++probe.completions_;
  probe.result_ = result;
  if (probe.then) probe.then(result);
}

void Probe::receive(Reactor& reactor, Socket socket, std::vector<iovec> buffers) {
  buffers_ = std::move(buffers);
  completions_ = 0;
  reactor.receive(operation, socket, buffers_);
}

void Probe::send(Reactor& reactor, Socket socket, std::vector<iovec> buffers) {
  buffers_ = std::move(buffers);
  completions_ = 0;
  reactor.send(operation, socket, buffers_);
}

bool Loop::reaping() { return is_reaping; }

std::size_t Loop::reap() {
  is_reaping = true;
  const std::size_t count = reactor_->reap();
  is_reaping = false;
  return count;
}

void Loop::run_until(const std::function<bool()>& condition) {
  Instant stuck_at = reactor_->now() + kStuck_ns;
  while (!condition()) {
    reactor_->wait(stuck_at);
    if (reap() > 0) {
      stuck_at = reactor_->now() + kStuck_ns;
    } else if (reactor_->now() >= stuck_at) {
      // Operations are in flight on memory of the test, so it cannot go on.
      std::cerr << reactor_->name() << ": nothing completes any more\n";
      std::abort();
    }
  }
}

void Loop::run(const Probe& probe) {
  run_until([&] { return probe.done(); });
  EXPECT_EQ(probe.completions(), 1);
}

void Loop::settle() {
  for (int i = 0; i < 5; ++i) {
    reactor_->wait(0);
    reap();
  }
  rest(travel_ns_);
}

void Loop::rest(Instant time_ns) {
  const Instant until = reactor_->now() + time_ns;
  while (reactor_->now() < until) {
    reactor_->wait(until);
    reap();
  }
}

Conformance::Conformance() = default;
Conformance::~Conformance() = default;

void Conformance::SetUp() {
  if (GetParam() == Subject::simulated) host_ = std::make_unique<SimulatedHost>();
  auto reactor = make_subject();
  if (!reactor) GTEST_SKIP() << reactor.error().text;
  loop_ = std::make_unique<Loop>(std::move(reactor).value(), host_ ? kSimulatedTravel_ns : 0);
}

Result<std::unique_ptr<Reactor>> Conformance::make_subject() {
  if (host_) return host_->make_reactor();
  std::string why;
  return make_reactor(GetParam() == Subject::epoll ? Backend::epoll : Backend::io_uring, why);
}

Loop Conformance::make_loop(SocketOptions options) {
  Loop loop(make_subject().value(), host_ ? kSimulatedTravel_ns : 0);
  loop->set_socket_options(std::move(options));
  return loop;
}

Socket Conformance::listen(Loop& loop, const std::string& address, int backlog) {
  return loop->listen(address_of(address), backlog).value();
}

Pair Conformance::connect_pair(Loop& loop, const std::string& address) {
  const Socket listener = listen(loop, address);
  Probe accepted;
  Probe connected;
  loop->accept(accepted.operation, listener);
  loop->connect(connected.operation, loop->local_address(listener).value());
  loop.run_until([&] { return accepted.done() && connected.done(); });
  EXPECT_GE(accepted.result(), 0);
  EXPECT_GE(connected.result(), 0);
  loop->close(listener);
  return {connected.socket(), accepted.socket()};
}

void Conformance::close(const Pair& pair) {
  loop()->close(pair.client);
  loop()->close(pair.server);
}

Address address_of(const std::string& text) { return parse_address(text).value(); }

iovec vector_of(std::string& text) { return {text.data(), text.size()}; }

std::string pattern(std::size_t bytes, unsigned seed) {
  std::string text(bytes, '\0');
  unsigned state = seed;
  for (char& byte : text) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

std::string receive_all(Loop& loop, Socket socket, std::size_t bytes, std::size_t step) {
  std::string all;
  std::string part(step, '\0');
  Probe probe;
  while (all.size() < bytes) {
    probe.receive(*loop, socket, {{part.data(), std::min(step, bytes - all.size())}});
    loop.run(probe);
    EXPECT_GE(probe.result(), 0);
    if (probe.result() <= 0) break;
    all.append(part, 0, static_cast<std::size_t>(probe.result()));
  }
  return all;
}

void send_all(Loop& loop, Socket socket, std::string bytes) {
  Probe probe;
  probe.send(*loop, socket, {vector_of(bytes)});
  loop.run(probe);
  EXPECT_EQ(probe.result(), static_cast<std::int32_t>(bytes.size()));
}

std::string backend_name(const testing::TestParamInfo<Subject>& info) {
  if (info.param == Subject::simulated) return "simulated";
  return info.param == Subject::io_uring ? "io_uring" : "epoll";
}

}  // namespace quorate::reactor
