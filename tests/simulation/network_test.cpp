// What the simulated network does to those who use it, and what a process may rely on.

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {
namespace {

using reactor::Operation;
using reactor::Socket;

constexpr std::uint64_t kSeeds = 40;
constexpr Instant kSoon_ns = 5 * kMillisecond_ns;  ///< longer than anything takes by default

/// One operation and its buffer.
struct Call {
  explicit Call(std::string bytes = {}) : text(std::move(bytes)), buffer{text.data(), text.size()} {
    operation.owner = this;
    operation.complete = [](Operation& op, std::int32_t outcome) {
      auto& call = *static_cast<Call*>(op.owner);
      ++call.completions;
      call.result = outcome;
    };
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] bool done() const { return completions > 0; }
  [[nodiscard]] Socket socket() const { return Socket{result}; }
  /// What a receive has filled.
  [[nodiscard]] std::string got() const {
    return result > 0 ? text.substr(0, static_cast<std::size_t>(result)) : "";
  }

  Operation operation;
  std::string text;
  iovec buffer;
  int completions = 0;
  std::int32_t result = 0;
};

/// Two hosts, a process with one loop on each, and a connection from the first to the second. What
/// is started goes to the kernel and what has completed is reaped where run() begins and ends.
class Wire final : private Scheduler::Target, private WireObserver {
 public:
  explicit Wire(std::uint64_t seed, std::uint32_t buffer_bytes = 0)
      : scheduler(seed), network(scheduler, seed) {
    network.observe(this);
    for (HostId id = 0; id < 2; ++id) {
      network.add_host(id == 0 ? 300 : -300).law.late_sends = 0;
      start(id, buffer_bytes);
    }
    listener = loops[1]->listen(address(), 8).value();
    join();
  }

  static reactor::Address address() {
    return reactor::parse_address(Network::address_of(1) + ":7000").value();
  }
  void start(HostId host, std::uint32_t buffer_bytes = 0) {
    loops[host].reset();
    processes[host] = network.start_process(host);
    loops[host] = processes[host]->make_reactor();
    loops[host]->set_socket_options({"", buffer_bytes});
  }
  void join() {
    Call dialed;
    Call accepted;
    loops[0]->connect(dialed.operation, address());
    loops[1]->accept(accepted.operation, listener);
    run(kSoon_ns);
    ASSERT_TRUE(dialed.done() && accepted.done());
    sockets[0] = dialed.socket();
    sockets[1] = accepted.socket();
  }

  void turn() {
    for (auto& loop : loops) {
      loop->wait(0);
      loop->reap();
    }
  }
  void run(Instant time_ns) {
    const Instant until = scheduler.now() + time_ns;
    turn();
    scheduler.at(until, *this);
    while (scheduler.now() < until && scheduler.run_one()) {
    }
    turn();
  }

  void send(HostId from, Call& call) {
    loops[from]->send(call.operation, sockets[from], {&call.buffer, 1});
  }
  void receive(HostId at, Call& call) {
    call.completions = 0;
    loops[at]->receive(call.operation, sockets[at], {&call.buffer, 1});
  }
  /// Receives until nothing more comes for a while; the last result is in `end`.
  std::string receive_all(HostId at, std::int32_t& end, Instant patience_ns = kSoon_ns) {
    std::string all;
    for (;;) {
      Call call(std::string(700, '\0'));
      receive(at, call);
      run(patience_ns);
      if (!call.done()) {
        loops[at]->cancel(call.operation);
        turn();
      }
      end = call.result;
      if (end <= 0) return all;
      all += call.got();
    }
  }

  Scheduler scheduler;
  Network network;
  std::unique_ptr<Process> processes[2];
  std::unique_ptr<SimulatedReactor> loops[2];
  Socket listener;
  Socket sockets[2];
  std::string sent;             ///< to the listener, as the kernel has read it
  std::size_t delivered = 0;
  std::size_t intact = 0;       ///< until the first damage
  int ended = 0;

 private:
  void fire(std::uint64_t) override {}
  void on_connected(ConnectionId, ProcessId, ProcessId) override {}
  void on_sent(ConnectionId, Way way, std::span<const std::byte> bytes) override {
    if (way == Way::to_dialer) return;
    sent.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void on_delivered(ConnectionId, Way, std::size_t bytes, std::size_t sound) override {
    delivered += bytes;
    intact += sound;
  }
  void on_ended(ConnectionId) override { ++ended; }
};

std::string text_of(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * i / 7) % 26);
  return text;
}

std::uint64_t hash_of_a_run(std::uint64_t seed) {
  Wire wire(seed);
  wire.network.host(0).law.late_sends = 500;
  wire.network.law(0, 1).cuts_of_1000 = 500;
  for (int i = 0; i < 20; ++i) {
    Call call(text_of(1000));
    wire.send(0, call);
    std::int32_t end = 0;
    wire.receive_all(1, end);
  }
  return wire.scheduler.hash();
}

TEST(Network, ARunIsAFunctionOfItsSeed) {
  EXPECT_EQ(hash_of_a_run(7), hash_of_a_run(7));
  EXPECT_NE(hash_of_a_run(7), hash_of_a_run(8));
}

TEST(Network, TimeMovesByEventsOnly) {
  Wire wire(1);
  const Instant before = wire.scheduler.now();
  const Instant local = wire.loops[0]->now();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(wire.loops[0]->now(), local);
  EXPECT_EQ(wire.scheduler.now(), before);
  // An hour in which nothing happens is one event.
  const std::uint64_t fired = wire.scheduler.fired();
  wire.loops[0]->wait(local + 3600 * kSecond_ns);
  EXPECT_GE(wire.loops[0]->now(), local + 3600 * kSecond_ns);
  EXPECT_LE(wire.scheduler.fired(), fired + 2);
}

TEST(Network, WhatIsCutComesAfterARepetition) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Wire wire(seed);
    Call held("held");
    wire.send(0, held);
    wire.turn();
    wire.network.cut(0, 1, true);
    Call got(std::string(8, '\0'));
    wire.receive(1, got);
    wire.run(30 * kSecond_ns);
    ASSERT_FALSE(got.done());
    EXPECT_GT(wire.network.counts().pieces_held_by_cuts, 0u);
    wire.network.cut(0, 1, false);
    // What follows does not overtake, nor does it bring the repetition forward.
    Call later("later");
    wire.send(0, later);
    wire.run(190 * kMillisecond_ns);
    ASSERT_FALSE(got.done());
    wire.run(kSecond_ns);
    std::int32_t end = 0;
    EXPECT_EQ(got.got() + wire.receive_all(1, end), "heldlater");
  }
}

TEST(Network, ADialWaitsForACutToHeal) {
  Wire wire(1);
  wire.network.cut(1, 0, true);
  Call dialed;
  Call forgotten;
  wire.loops[0]->connect(dialed.operation, Wire::address());
  wire.loops[0]->connect(forgotten.operation, Wire::address());
  wire.run(30 * kSecond_ns);
  EXPECT_FALSE(dialed.done());
  wire.loops[0]->cancel(forgotten.operation);
  wire.turn();
  EXPECT_EQ(forgotten.result, -ECANCELED);
  wire.network.cut(1, 0, false);
  wire.run(2 * kSecond_ns);
  EXPECT_TRUE(dialed.done());
  EXPECT_GE(dialed.result, 0);
}

TEST(Network, NobodyRefusesAfterARoundTrip) {
  Wire wire(1);
  Call dialed;
  wire.loops[0]->connect(dialed.operation, reactor::parse_address("10.0.0.2:7001").value());
  wire.run(2 * wire.network.law(0, 1).latency_min_ns - 10 * kMicrosecond_ns);
  EXPECT_FALSE(dialed.done());
  wire.run(kSoon_ns);
  EXPECT_EQ(dialed.result, -ECONNREFUSED);
}

TEST(Network, AResetComesAtAnyByte) {
  const std::string text = text_of(6000);
  bool between = false;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Wire wire(seed);
    wire.network.law(0, 1).cuts_of_1000 = 1000;
    std::deque<Call> calls;
    for (std::size_t i = 0; i < 6; ++i) {
      wire.send(0, calls.emplace_back(text.substr(i * 1000, 1000)));
      wire.run(20 * kMicrosecond_ns);
    }
    EXPECT_EQ(wire.network.reset(1, 0), 1u);
    wire.run(kSoon_ns);
    std::int32_t end = 0;
    const std::string got = wire.receive_all(1, end);
    EXPECT_EQ(end, -ECONNRESET);
    EXPECT_EQ(got, text.substr(0, got.size()));
    between = between || got.size() % 1000 != 0;
    // It stays broken, also for what would have come later.
    EXPECT_EQ(wire.receive_all(1, end), "");
    Call more("more");
    wire.send(0, more);
    wire.run(kSoon_ns);
    EXPECT_TRUE(more.result == -ECONNRESET || more.result == -EPIPE) << more.result;
    for (HostId host = 0; host < 2; ++host) wire.loops[host]->close(wire.sockets[host]);
    wire.run(kSoon_ns);
    EXPECT_EQ(wire.ended, 1);
    EXPECT_EQ(wire.network.bytes_in_flight(), 0u);
  }
  EXPECT_TRUE(between);
}

TEST(Network, AMachineWithoutPowerIsSilentUntilItRunsAgain) {
  Wire wire(1);
  Call waiting(std::string(8, '\0'));
  wire.receive(0, waiting);
  wire.turn();
  wire.processes[1]->kill(Ending::machine);
  EXPECT_EQ(wire.network.counts().half_open, 1u);
  wire.run(60 * kSecond_ns);
  EXPECT_FALSE(waiting.done());
  // Who has said nothing learns nothing from the start of another process either.
  wire.start(1);
  wire.run(kSecond_ns);
  EXPECT_FALSE(waiting.done());
  Call call("anybody?");
  wire.send(0, call);
  wire.run(kSoon_ns);
  EXPECT_EQ(call.result, 8);
  EXPECT_EQ(waiting.result, -ECONNRESET);
}

TEST(Network, WhatWasSentToADeadMachineIsAnsweredByItsSuccessor) {
  Wire wire(1);
  Call waiting(std::string(8, '\0'));
  wire.receive(0, waiting);
  wire.turn();
  wire.processes[1]->kill(Ending::machine);
  Call call("anybody?");
  wire.send(0, call);
  wire.run(60 * kSecond_ns);
  EXPECT_EQ(call.result, 8);
  EXPECT_FALSE(waiting.done());
  wire.start(1);
  wire.run(2 * kSecond_ns);
  EXPECT_EQ(waiting.result, -ECONNRESET);
}

TEST(Network, WhatACutHeldDiesWithItsSender) {
  for (const Ending ending : {Ending::process, Ending::machine}) {
    Wire wire(1);
    Call call("testament");
    wire.network.cut(0, 1, true);
    wire.send(0, call);
    wire.run(kSecond_ns);
    wire.processes[0]->kill(ending);
    wire.network.cut(0, 1, false);
    std::int32_t end = 0;
    const std::string got = wire.receive_all(1, end, 2 * kSecond_ns);
    EXPECT_EQ(got, ending == Ending::process ? "testament" : "");
    EXPECT_EQ(end, ending == Ending::process ? 0 : -ECANCELED);
  }
}

TEST(Network, UnreadBytesMakeAClosedSocketReset) {
  Wire wire(1);
  Call call("unread");
  wire.send(0, call);
  wire.run(kSoon_ns);
  wire.loops[1]->close(wire.sockets[1]);
  std::int32_t end = 0;
  EXPECT_EQ(wire.receive_all(0, end), "");
  EXPECT_EQ(end, -ECONNRESET);
}

TEST(Network, FlippedBitsAreReported) {
  const std::string text = text_of(5000);
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Wire wire(seed);
    wire.network.law(0, 1).flips_of_million = 1'000'000;
    Call call(text);
    wire.send(0, call);
    std::int32_t end = 0;
    const std::string got = wire.receive_all(1, end);
    ASSERT_EQ(got.size(), text.size());
    EXPECT_EQ(wire.delivered, text.size());
    EXPECT_EQ(wire.sent, text);
    std::size_t first = 0;
    while (first < text.size() && got[first] == text[first]) ++first;
    EXPECT_LT(first, text.size());
    EXPECT_EQ(wire.intact, first);
    EXPECT_GT(wire.network.counts().bits_flipped, 0u);
  }
}

TEST(Network, ALateSendIsReadLate) {
  Wire wire(1);
  wire.network.host(0).law.late_sends = 1000;
  wire.network.host(0).law.late_max_ns = kSecond_ns;
  Call call("before");
  wire.send(0, call);
  wire.turn();
  ASSERT_FALSE(call.done());
  // Against the contract of a send: this is how a test of that contract notices.
  call.text = "behind";
  std::int32_t end = 0;
  EXPECT_EQ(wire.receive_all(1, end, 2 * kSecond_ns), "behind");
  EXPECT_EQ(wire.sent, "behind");
  EXPECT_EQ(call.result, 6);
}

TEST(Network, AFullBufferIsReadWhenRoomAppears) {
  Wire wire(1, 4096);
  Call call(text_of(10'000));
  wire.send(0, call);
  wire.run(kSecond_ns);
  EXPECT_FALSE(call.done());
  EXPECT_EQ(wire.sent.size(), 4096u);
  EXPECT_EQ(wire.network.bytes_in_flight(), 4096u);
  wire.loops[0]->cancel(call.operation);
  wire.turn();
  EXPECT_EQ(call.result, 4096);
  Call rest(text_of(10'000));
  wire.send(0, rest);
  std::int32_t end = 0;
  EXPECT_EQ(wire.receive_all(1, end), text_of(4096) + text_of(10'000));
  EXPECT_EQ(rest.result, 10'000);
}

TEST(Network, BandwidthTakesItsTime) {
  Wire wire(1, 1u << 20);
  wire.network.law(0, 1).bytes_per_s = 100'000;
  Call call(text_of(300'000));
  Call got(std::string(300'000, '\0'));
  const Instant begin = wire.scheduler.now();
  wire.send(0, call);
  wire.turn();
  while (wire.network.bytes_in_flight() > 0) {
    ASSERT_LT(wire.scheduler.now(), begin + 4 * kSecond_ns);
    if (!got.operation.in_flight()) wire.receive(1, got);
    wire.run(10 * kMillisecond_ns);
  }
  EXPECT_GE(wire.scheduler.now(), begin + 29 * kSecond_ns / 10);
  EXPECT_GT(wire.network.counts().pieces_limited, 0u);
}

TEST(Network, WhatLayInFrontOfANarrowLinkComesWhenItIsWide) {
  Wire wire(1, 1u << 20);
  wire.network.law(0, 1).bytes_per_s = 10;
  Call call(text_of(1000));
  Call got(std::string(1000, '\0'));
  wire.send(0, call);
  wire.run(kSecond_ns);
  wire.network.widen(0, 1);
  std::string heard;
  while (heard.size() < call.text.size()) {
    const std::size_t before = heard.size();
    wire.receive(1, got);
    wire.run(kSoon_ns);
    heard += got.got();
    ASSERT_GT(heard.size(), before);
  }
  EXPECT_EQ(heard, call.text);
}

TEST(SimulatedProcess, AllOfADeadProcessCompletesAtOnce) {
  for (const Ending ending : {Ending::process, Ending::machine}) {
    Wire wire(1, 1000);
    Call calls[] = {Call("receiving"), Call(text_of(5000)), Call(), Call(), Call("queued")};
    wire.receive(1, calls[0]);
    wire.send(1, calls[1]);
    wire.loops[1]->accept(calls[2].operation, wire.listener);
    wire.network.cut(1, 0, true);
    wire.loops[1]->connect(calls[3].operation, reactor::parse_address("10.0.0.1:9").value());
    wire.run(kSecond_ns);
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(calls[i].done()) << i;
    wire.processes[1]->kill(ending);
    wire.loops[1]->reap();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(calls[i].result, -ECONNRESET) << i;
    // Whatever it starts now fails, and its time passes without the world's.
    wire.send(1, calls[4]);
    const Instant now = wire.scheduler.now();
    const Instant deadline = wire.loops[1]->now() + 3600 * kSecond_ns;
    wire.loops[1]->wait(deadline);
    wire.loops[1]->reap();
    EXPECT_EQ(calls[4].result, -ECONNRESET);
    EXPECT_GE(wire.loops[1]->now(), deadline);
    EXPECT_EQ(wire.scheduler.now(), now);
    EXPECT_FALSE(wire.loops[1]->listen(Wire::address(), 1));
    wire.loops[1]->close(wire.sockets[1]);
  }
}

TEST(SimulatedProcess, ACallInADeadOneTakesTimeOfItsOwn) {
  Wire wire(1);
  wire.processes[0]->kill(Ending::process);
  const Instant begin = wire.loops[0]->now();
  const Instant world = wire.scheduler.now();
  for (int i = 0; i < 3; ++i) wire.loops[0]->wait(wire.loops[0]->now());
  // Or whoever waits for a deadline and has something to do at once would do so for ever.
  EXPECT_GE(wire.loops[0]->now(), begin + 3 * kMillisecond_ns);
  EXPECT_EQ(wire.scheduler.now(), world);
}

TEST(SimulatedProcess, TheKernelClosesTheSocketsOfAKilledOne) {
  Wire wire(1);
  Call call("last words");
  wire.send(1, call);
  wire.turn();
  wire.processes[1]->kill(Ending::process);
  std::int32_t end = -1;
  EXPECT_EQ(wire.receive_all(0, end), "last words");
  EXPECT_EQ(end, 0);
}

/// A loop that the world turns. It sleeps a second at a time.
struct Driven {
  explicit Driven(Wire& wire) : process(*wire.processes[1]), loop(*wire.loops[1]) {
    process.drive(loop, [this] { turn(); });
    loop.wait(loop.now() + kSecond_ns);
  }
  void turn() {
    ++turns;
    loop.reap();
    loop.wait(loop.now() + kSecond_ns);
  }

  Process& process;
  SimulatedReactor& loop;
  int turns = 0;
};

void pass(Wire& wire, Instant time_ns) {
  const Instant deadline = wire.loops[0]->now() + time_ns;
  while (wire.loops[0]->now() < deadline) wire.loops[0]->wait(deadline);
}

TEST(SimulatedProcess, ADrivenLoopIsTurnedAtItsDeadlineAndWhenWoken) {
  Wire wire(1);
  Driven driven(wire);
  pass(wire, 10 * kSecond_ns + kSecond_ns / 2);
  EXPECT_EQ(driven.turns, 10);
  driven.loop.wake();
  EXPECT_EQ(driven.turns, 10);
  pass(wire, kMillisecond_ns);
  EXPECT_EQ(driven.turns, 11);
}

TEST(SimulatedProcess, APausedOneIsNotTurnedAndResumesAtOnce) {
  Wire wire(1);
  Driven driven(wire);
  driven.process.pause();
  driven.loop.wake();
  pass(wire, 60 * kSecond_ns);
  EXPECT_EQ(driven.turns, 0);
  driven.process.resume();
  EXPECT_EQ(driven.turns, 0);
  pass(wire, kMillisecond_ns);
  EXPECT_EQ(driven.turns, 1);
}

TEST(SimulatedProcess, ABlockingCallIsNotTurned) {
  Wire wire(1);
  Driven driven(wire);
  driven.process.block();
  const Instant deadline = driven.loop.now() + 10 * kSecond_ns;
  while (driven.loop.now() < deadline) driven.loop.wait(deadline);
  EXPECT_EQ(driven.turns, 0);
  driven.process.unblock();
  pass(wire, kMillisecond_ns);
  EXPECT_EQ(driven.turns, 1);
}

TEST(SimulatedProcess, ADeadOneIsNotTurned) {
  Wire wire(1);
  Driven driven(wire);
  driven.loop.wake();
  driven.process.kill(Ending::process);
  pass(wire, 10 * kSecond_ns);
  EXPECT_EQ(driven.turns, 0);
}

}  // namespace
}  // namespace quorate::simulation
