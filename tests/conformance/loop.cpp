#include "loop.h"

#include <cstdlib>
#include <iostream>

namespace quorate::reactor {

namespace {

/// Long enough for any loaded machine: only a completion that never comes takes this long.
constexpr Instant kStuck_ns = 60 * kSecond_ns;

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
}

void Conformance::SetUp() {
  std::string why;
  auto reactor = make_reactor(GetParam(), why);
  if (!reactor) GTEST_SKIP() << reactor.error().text;
  loop_ = std::make_unique<Loop>(std::move(reactor).value());
}

Loop Conformance::make_loop(SocketOptions options) {
  std::string why;
  Loop loop(make_reactor(GetParam(), why).value());
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

std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::io_uring ? "io_uring" : "epoll";
}

}  // namespace quorate::reactor
