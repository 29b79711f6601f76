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
  /// `travel_ns`: how long bytes are on their way at most. A kernel delivers to itself at once.
  explicit Loop(std::unique_ptr<Reactor> reactor, Instant travel_ns = 0)
      : reactor_(std::move(reactor)), travel_ns_(travel_ns) {}

  [[nodiscard]] Reactor& operator*() const { return *reactor_; }
  [[nodiscard]] Reactor* operator->() const { return reactor_.get(); }

  /// Turns until the condition holds.
  void run_until(const std::function<bool()>& condition);
  void run(const Probe& probe);
  /// Turns a few times, no longer than bytes travel, so that what could complete has done so.
  void settle();
  /// Turns for that time, whatever completes.
  void rest(Instant time_ns);
  std::size_t reap();

  static bool reaping();

 private:
  std::unique_ptr<Reactor> reactor_;
  Instant travel_ns_;
};

struct Pair {
  Socket client;
  Socket server;
};

/// What the suite is run on: the backends that an engine can ask for, and the simulation's.
enum class Subject : std::uint8_t { io_uring, epoll, simulated };

/// A simulated host with one process. Nobody drives its loops but the test.
class SimulatedHost;

class Conformance : public testing::TestWithParam<Subject> {
 protected:
  Conformance();
  ~Conformance() override;
  void SetUp() override;

  /// A further reactor of the backend under test; of the same process, where it is simulated.
  Loop make_loop(SocketOptions options = {});
  Loop& loop() { return *loop_; }

  Socket listen(Loop& loop, const std::string& address = "127.0.0.1:0", int backlog = 64);
  Pair connect_pair(Loop& loop, const std::string& address = "127.0.0.1:0");
  Pair connect_pair() { return connect_pair(loop()); }
  void close(const Pair& pair);

 private:
  Result<std::unique_ptr<Reactor>> make_subject();

  std::unique_ptr<SimulatedHost> host_;  ///< null: on a kernel. Outlives its reactors
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
inline auto backends() {
  return testing::Values(Subject::io_uring, Subject::epoll, Subject::simulated);
}
inline auto kernel_backends() { return testing::Values(Subject::io_uring, Subject::epoll); }
std::string backend_name(const testing::TestParamInfo<Subject>& info);

}  // namespace quorate::reactor

#define CONFORMANCE_SUITE(name)                \
  class name : public Conformance {};          \
  INSTANTIATE_TEST_SUITE_P(Reactor, name, backends(), backend_name)

/// For what only a kernel has: descriptors that others use too, signals, and threads that run at
/// the same time. A simulated world is one thread, and nothing of it can be polled.
#define KERNEL_CONFORMANCE_SUITE(name)         \
  class name : public Conformance {};          \
  INSTANTIATE_TEST_SUITE_P(Reactor, name, kernel_backends(), backend_name)
