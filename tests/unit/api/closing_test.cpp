// What close() leaves behind: every waiter is told, and nothing is called afterwards.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

class Closing : public BothBackends {
 protected:
  Primary open(std::chrono::milliseconds close_timeout) {
    PrimaryOptions options = primary_options();
    options.close_timeout = close_timeout;
    return Primary::open(options).value();
  }
};
QUORATE_BOTH_BACKENDS(Closing);

TEST_P(Closing, ThreadsThatWaitAreToldUnknown) {
  Primary primary = open(0ms);
  const Ticket ticket = primary.append("unreplicated").value();
  std::vector<std::thread> threads;
  std::atomic<int> unknown{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, rule = i % 2 == 0 ? sync() : semi_sync()] {
      const auto id = primary.stream().rule(rule);
      if (primary.stream().wait(ticket, id.value()).value().kind == OutcomeKind::unknown) {
        ++unknown;
      }
    });
  }
  EXPECT_EQ(primary.wait(ticket, sync(), kShort).value().kind, OutcomeKind::pending);
  primary.close();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unknown, 4);
}

TEST_P(Closing, CallbacksThatWaitAreCalledWithUnknownBeforeCloseReturns) {
  Primary primary = open(0ms);
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(sync()).value();
  int calls = 0;
  for (int i = 0; i < 100; ++i) {
    const Ticket ticket = stream.append("unreplicated").value();
    ASSERT_TRUE(stream.on_released(ticket, rule, [&](const Outcome& outcome) {
      EXPECT_EQ(outcome.kind, OutcomeKind::unknown);
      EXPECT_EQ(outcome.copies, 1u);
      ++calls;
    }));
  }
  primary.close();
  EXPECT_EQ(calls, 100);
}

TEST_P(Closing, OpeningAndClosingAtOnceAlwaysEnds) {
  for (int i = 0; i < 100; ++i) {
    PrimaryOptions options = primary_options();
    options.engine.loops = 2;
    Primary primary = Primary::open(options).value();
    ReplicaOptions follower = replica_options(primary, "b");
    follower.engine.hosted = i % 2 == 0;
    Replica b = Replica::open(follower).value();
  }
}

TEST_P(Closing, NothingCanBeBegunOnceClosed) {
  Primary primary = open(0ms);
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(sync()).value();
  const RuleId easy = stream.rule(async()).value();
  const Ticket ticket = stream.append("unreplicated").value();
  ASSERT_TRUE(stream.wait(ticket, easy, kLong).value().released());
  primary.close();
  primary.close();
  const auto appended = stream.append("x");
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, Errc::closed);
  EXPECT_EQ(stream.wait(ticket, rule).value().kind, OutcomeKind::unknown);
  EXPECT_TRUE(stream.wait(ticket, easy).value().released());
  EXPECT_FALSE(stream.wait_space(1));
  const Status called = stream.on_released(ticket, rule, [](const Outcome&) { FAIL(); });
  ASSERT_FALSE(called) << "a callback that will not run must not be taken";
  EXPECT_EQ(called.error().code, Errc::closed);
}

TEST_P(Closing, ACallbackToldUnknownThatRegistersAgainIsCalledOrRefused) {
  Primary primary = open(0ms);
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(sync()).value();
  const Ticket ticket = stream.append("unreplicated").value();
  int taken = 1;
  int called = 0;
  int refused = 0;
  std::function<void(const Outcome&)> again = [&](const Outcome& outcome) {
    ++called;
    EXPECT_EQ(outcome.kind, OutcomeKind::unknown);
    const auto appended = stream.append("more");
    EXPECT_TRUE(!appended && appended.error().code == Errc::closed);
    const Status registered = stream.on_released(ticket, rule, again);
    EXPECT_TRUE(registered || registered.error().code == Errc::closed);
    ++(registered ? taken : refused);
  };
  ASSERT_TRUE(stream.on_released(ticket, rule, again));
  primary.close();
  EXPECT_EQ(called, taken);
  EXPECT_EQ(refused, 1) << "it ends";
}

TEST_P(Closing, CloseDeliversWhatWasAppendedToThoseWhoAreThere) {
  Primary primary = open(60000ms);
  RunningReplica b(replica_options(primary, "b"));
  RunningReplica c(replica_options(primary, "c"));
  ASSERT_TRUE(primary.wait(primary.append("hello").value(), sync(), kLong).value().released());
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(primary.append("one of many records"));
  primary.close();
  EXPECT_TRUE(b.join()) << "the goodbye ends run()";
  EXPECT_TRUE(c.join());
  EXPECT_EQ(b.applied().count(), 5001u);
  EXPECT_TRUE(b.applied() == c.applied());
}

TEST_P(Closing, CloseWaitsForAReleaseThatSomebodyAwaits) {
  Primary primary = open(60000ms);
  std::atomic<bool> may_return{false};
  ReplicaOptions slow = replica_options(primary, "b");
  slow.engine.hosted = false;  // its loop goes on while apply blocks
  RunningReplica b(slow, [&](const Record&) { may_return.wait(false); });
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(all({"b"}, Level::applied)).value();
  const Ticket ticket = stream.append("awaited").value();
  ASSERT_TRUE(stream.wait(ticket, all({"b"}), kLong).value().released());
  std::atomic<bool> released{false};
  ASSERT_TRUE(stream.on_released(ticket, rule,
                                 [&](const Outcome& outcome) { released = outcome.released(); }));
  std::thread closing([&] { primary.close(); });
  EXPECT_TRUE(eventually([&] { return !stream.append("x"); }));
  EXPECT_FALSE(released);
  may_return = true;
  may_return.notify_all();
  closing.join();
  EXPECT_TRUE(released);
}

TEST_P(Closing, AWaitThatHasEndedDoesNotKeepCloseWaiting) {
  // Waiting for nobody would outlast every limit of a test.
  Primary primary = open(1h);
  const Ticket ticket = primary.append("given up").value();
  EXPECT_EQ(primary.wait(ticket, sync(), kShort).value().kind, OutcomeKind::pending);
  primary.close();
  EXPECT_EQ(primary.wait(ticket, sync(), kForever).value().kind, OutcomeKind::unknown);
}

TEST_P(Closing, AHandleThatIsDestroyedIsClosed) {
  std::atomic<int> calls{0};
  {
    Primary primary = open(0ms);
    Stream stream = primary.stream();
    const Ticket ticket = stream.append("unreplicated").value();
    ASSERT_TRUE(
        stream.on_released(ticket, stream.rule(sync()).value(), [&](const Outcome&) { ++calls; }));
    Primary moved = std::move(primary);
    EXPECT_TRUE(moved.append("still open"));
  }
  EXPECT_EQ(calls, 1);
}

TEST_P(Closing, ReplicasMayLeaveInTheMiddleOfAStream) {
  Primary primary = open(0ms);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) {
      if (!primary.append(std::string(1000, 'x'))) primary.stream().wait_space(1000, kShort);
    }
  });
  for (int round = 0; round < 5; ++round) {
    RunningReplica b(replica_options(primary, "b"));
    EXPECT_TRUE(
        eventually([&] { return b.replica().report().state != ReplicaReport::State::connecting; }));
  }
  done = true;
  writer.join();
}

}  // namespace
}  // namespace quorate
