// An engine whose loops the program turns itself: no thread is started.

#include <poll.h>

#include "rig.h"
#include "tcp_peer.h"

namespace quorate {
namespace {

using namespace test;

bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

class Hosted : public BothBackends {
 protected:
  [[nodiscard]] EngineOptions engine_options() const {
    EngineOptions options;
    options.hosted = true;
    options.backend = GetParam();
    return options;
  }

  /// Turns the loop until it has nothing left to do.
  static void settle(Engine& engine) {
    const int fd = engine.event_fd();
    ASSERT_TRUE(eventually([&] {
      engine.run_once();
      return !readable(fd, 0);
    }));
  }

  Engine engine_ = Engine::open(engine_options()).value();
};
QUORATE_BOTH_BACKENDS(Hosted);

TEST_P(Hosted, OneThreadWritesReplicatesAndApplies) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  Replica b = Replica::open(engine_, replica_options(primary, "b")).value();
  Replica c = Replica::open(engine_, replica_options(primary, "c")).value();
  Applied at_b;
  Applied at_c;
  for (int i = 0; i < 200; ++i) {
    const Ticket ticket = primary.append("record " + std::to_string(i)).value();
    ASSERT_TRUE(primary.wait(ticket, sync(), kLong).value().released());
    while (at_b.count() <= static_cast<std::size_t>(i)) {
      ASSERT_TRUE(b.poll([&](const Record& record) { at_b.add(record); }, 64, kLong));
    }
    while (at_c.count() <= static_cast<std::size_t>(i)) {
      ASSERT_TRUE(c.poll([&](const Record& record) { at_c.add(record); }, 64, kLong));
    }
    ASSERT_TRUE(primary.wait(ticket, sync(Level::applied), kLong).value().released());
  }
  EXPECT_EQ(at_b.texts().back(), "record 199");
  EXPECT_TRUE(at_b == at_c);
  c.close();
  b.close();
  primary.close();
}

TEST_P(Hosted, NoThreadIsStarted) {
  const std::size_t before = thread_count();
  Primary primary = Primary::open(engine_, primary_options()).value();
  Replica b = Replica::open(engine_, replica_options(primary, "b")).value();
  engine_.run_once();
  const Ticket ticket = primary.append("x").value();
  ASSERT_TRUE(primary.wait(ticket, semi_sync(), kLong).value().released());
  EXPECT_EQ(b.poll([](const Record&) {}, 1, kLong).value(), 1u);
  EXPECT_EQ(thread_count(), before);
}

TEST_P(Hosted, EngineOwnedLoopsHaveOneThreadEach) {
  EngineOptions options = engine_options();
  options.hosted = false;
  options.loops = 3;
  {
    Engine engine = Engine::open(options).value();
    EXPECT_EQ(engine.loop_count(), 3u);
    // Each names itself when it begins to run.
    EXPECT_TRUE(eventually([&] { return loop_thread_count() == 3; }));
  }
  EXPECT_TRUE(eventually([&] { return loop_thread_count() == 0; }));
}

TEST_P(Hosted, TheBackendAskedForIsTheOneThatRuns) {
  EXPECT_EQ(engine_.backend(), GetParam() == Backend::epoll ? "epoll" : "io_uring");
  EXPECT_EQ(engine_.loop_count(), 1u);
}

TEST_P(Hosted, NothingHappensUnlessTheLoopIsTurned) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(async()).value();
  const Ticket ticket = stream.append("x").value();
  EXPECT_FALSE(stream.released(ticket, rule));
  engine_.run_once();
  EXPECT_TRUE(stream.released(ticket, rule));
}

TEST_P(Hosted, WaitOnTheHostingThreadEndsInTime) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  const Ticket ticket = primary.append("x").value();
  EXPECT_EQ(primary.wait(ticket, sync(), kShort).value().kind, OutcomeKind::pending);
  EXPECT_EQ(primary.wait(ticket, sync(), 0ns).value().kind, OutcomeKind::pending);
  EXPECT_TRUE(primary.wait(ticket, async(), 0ns).value().released());
}

TEST_P(Hosted, WaitSpaceOnTheHostingThreadTurnsTheLoop) {
  PrimaryOptions options = primary_options();
  options.replicas = {};
  options.ring_bytes = 64u << 10;
  Primary primary = Primary::open(engine_, options).value();
  const std::string record(1000, 'x');
  for (int i = 0; i < 1000; ++i) {
    while (!primary.append(record)) ASSERT_TRUE(primary.stream().wait_space(1000, kLong));
  }
}

TEST_P(Hosted, TwoPrimariesShareOneEngine) {
  PrimaryOptions options = primary_options();
  options.replicas = {"b"};
  Primary one = Primary::open(engine_, options).value();
  Primary two = Primary::open(engine_, options).value();
  EXPECT_NE(one.address(), two.address());
  EXPECT_NE(one.epoch(), two.epoch());
  Replica of_one = Replica::open(engine_, replica_options(one, "b")).value();
  Replica of_two = Replica::open(engine_, replica_options(two, "b")).value();
  const Ticket first = one.append("to one").value();
  const Ticket second = two.append("to two").value();
  EXPECT_TRUE(one.wait(first, sync(), kLong).value().released());
  EXPECT_TRUE(two.wait(second, sync(), kLong).value().released());
  Applied at_one;
  Applied at_two;
  EXPECT_EQ(of_one.poll([&](const Record& r) { at_one.add(r); }, 9, kLong).value(), 1u);
  EXPECT_EQ(of_two.poll([&](const Record& r) { at_two.add(r); }, 9, kLong).value(), 1u);
  EXPECT_EQ(at_one.texts(), std::vector<std::string>{"to one"});
  EXPECT_EQ(at_two.texts(), std::vector<std::string>{"to two"});
  one.close();
  EXPECT_TRUE(two.wait(two.append("goes on").value(), sync(), kLong).value().released());
}

TEST_P(Hosted, CallbacksRunOnTheThreadThatTurnsTheLoop) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(async()).value();
  const Ticket ticket = stream.append("x").value();
  int calls = 0;
  ASSERT_TRUE(stream.on_released(ticket, rule, [&](const Outcome&) {
    ++calls;
    // Turning the loop from inside its turn is not possible, and harmless.
    engine_.run_once();
  }));
  EXPECT_EQ(calls, 0);
  settle(engine_);
  EXPECT_EQ(calls, 1);
}

TEST_P(Hosted, AnAppendByAnotherThreadMakesTheDescriptorReadable) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(async()).value();
  for (int i = 0; i < 50; ++i) {
    settle(engine_);
    Ticket ticket;
    std::thread writer([&] { ticket = stream.append("from elsewhere").value(); });
    EXPECT_TRUE(readable(engine_.event_fd(), 60'000));
    writer.join();
    settle(engine_);
    EXPECT_TRUE(stream.released(ticket, rule));
  }
}

TEST_P(Hosted, AppendsAtAnyMomentAreNotOverlooked) {
  PrimaryOptions options = primary_options();
  options.replicas = {};
  Primary primary = Primary::open(engine_, options).value();
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(async()).value();
  const int fd = engine_.event_fd();
  std::atomic<Position> appended{0};
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) {
      appended = stream.append("whenever").value().end;
      while (stream.watermark(rule) < appended) std::this_thread::yield();
    }
  });
  // The host sleeps in its own poll only; a writer that waits for its release would wait for ever.
  while (stream.watermark(rule) < 2000 * 16) {
    ASSERT_TRUE(readable(fd, 60'000)) << "something was appended, and nothing says so";
    engine_.run_once();
  }
  writer.join();
}

TEST_P(Hosted, BytesThatArriveMakeTheDescriptorReadable) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  settle(engine_);
  TcpPeer stranger(primary.address());
  EXPECT_TRUE(readable(engine_.event_fd(), 60'000));
  settle(engine_);
  EXPECT_EQ(primary.counters().connections_accepted, 1u);
  stranger.send(std::string(100, 'g'));
  EXPECT_TRUE(readable(engine_.event_fd(), 60'000));
  EXPECT_TRUE(eventually([&] {
    settle(engine_);
    return primary.counters().connections_refused == 1;
  })) << "garbage";
}

TEST_P(Hosted, APollLoopOfTheHostRunsAPrimaryAndItsReplica) {
  Primary primary = Primary::open(engine_, primary_options()).value();
  Replica b = Replica::open(engine_, replica_options(primary, "b")).value();
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(semi_sync(1, Level::applied)).value();
  Applied applied;
  const auto apply = [&](const Record& record) { applied.add(record); };
  Position end = 0;
  int sent = 0;
  const int fd = engine_.event_fd();
  // Deadlines (here: when to dial, what to batch) make it readable as well: no timeout is needed.
  while (sent < 500 || stream.watermark(rule) < end) {
    ASSERT_TRUE(readable(fd, 60'000));
    engine_.run_once();
    ASSERT_TRUE(b.poll(apply, 64));
    if (sent == 500 || stream.watermark(rule) < end) continue;
    end = stream.append("record " + std::to_string(sent++)).value().end;
  }
  EXPECT_EQ(applied.count(), 500u);
}

}  // namespace
}  // namespace quorate
