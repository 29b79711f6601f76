#pragma once

// What the suite is written with: a reactor turned until something has happened, operations that
// count how often they completed, and connected pairs of sockets.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reactor/reactor.h"

namespace quorate::reactor {

/// An operation that remembers its end. `then` runs inside the completion.
class Probe {
 public:
  Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  [[nodiscard]] bool done() const { return completions_ > 0; }
  [[nodiscard]] int completions() const { return completions_; }
  [[nodiscard]] std::int32_t result() const { return result_; }
  [[nodiscard]] Socket socket() const { return Socket{result_}; }

  /// Buffers given here live as long as the probe.
  void receive(Reactor& reactor, Socket socket, std::vector<iovec> buffers);
  void send(Reactor& reactor, Socket socket, std::vector<iovec> buffers);

  Operation operation;
  std::function<void(std::int32_t)> then;

 private:
  static void complete(Operation& operation, std::int32_t result);

  int completions_ = 0;
  std::int32_t result_ = 0;
  std::vector<iovec> buffers_;
};

/// A reactor and the turning of it. Ends the test when nothing happens for a long time.
class Loop {
 public:
  explicit Loop(std::unique_ptr<Reactor> reactor) : reactor_(std::move(reactor)) {}

  [[nodiscard]] Reactor& operator*() const { return *reactor_; }
  [[nodiscard]] Reactor* operator->() const { return reactor_.get(); }

  /// Turns until the condition holds.
  void run_until(const std::function<bool()>& condition);
  void run(const Probe& probe);
  /// Turns a few times without waiting, so that what could complete has done so.
  void settle();
  std::size_t reap();

  static bool reaping();

 private:
  std::unique_ptr<Reactor> reactor_;
};

struct Pair {
  Socket client;
  Socket server;
};

class Conformance : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override;

  /// A further reactor of the backend under test.
  static Loop make_loop(SocketOptions options = {});
  Loop& loop() { return *loop_; }

  Socket listen(Loop& loop, const std::string& address = "127.0.0.1:0", int backlog = 64);
  Pair connect_pair(Loop& loop, const std::string& address = "127.0.0.1:0");
  Pair connect_pair() { return connect_pair(loop()); }
  void close(const Pair& pair);

 private:
  std::unique_ptr<Loop> loop_;
};

Address address_of(const std::string& text);
iovec vector_of(std::string& text);
/// Bytes that differ from place to place.
std::string pattern(std::size_t bytes, unsigned seed = 1);

/// Receives exactly `bytes`, or fewer when the stream ends.
std::string receive_all(Loop& loop, Socket socket, std::size_t bytes, std::size_t step);
void send_all(Loop& loop, Socket socket, std::string bytes);

/// Instantiates the suite for each backend; a new one is added here.
inline auto backends() { return testing::Values(Backend::io_uring, Backend::epoll); }
std::string backend_name(const testing::TestParamInfo<Backend>& info);

}  // namespace quorate::reactor

#define CONFORMANCE_SUITE(name)                \
  class name : public Conformance {};          \
  INSTANTIATE_TEST_SUITE_P(Reactor, name, backends(), backend_name)
