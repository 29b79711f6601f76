// What becomes of a write, under each rule, at each level.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

class Outcomes : public BothBackends {
 protected:
  void start(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      replicas_[name] = std::make_unique<RunningReplica>(replica_options(primary_, name));
    }
  }

  Outcome outcome_of(const Rule& rule, std::chrono::nanoseconds timeout = kLong) {
    const Ticket ticket = primary_.append("a write").value();
    return primary_.wait(ticket, rule, timeout).value();
  }

  void expect_released(const Rule& rule, std::uint32_t copies) {
    const Outcome outcome = outcome_of(rule);
    EXPECT_EQ(outcome.kind, OutcomeKind::released) << to_string(rule);
    EXPECT_EQ(outcome.level, rule.level) << to_string(rule);
    EXPECT_GE(outcome.copies, copies) << to_string(rule);
    EXPECT_LE(outcome.copies, replicas_.size() + 1) << to_string(rule);
  }

  Primary primary_ = Primary::open(primary_options()).value();
  Replicas replicas_;
};
QUORATE_BOTH_BACKENDS(Outcomes);

TEST_P(Outcomes, AsyncIsReleasedByThePrimaryAlone) {
  const Outcome outcome = outcome_of(async());
  EXPECT_EQ(outcome.kind, OutcomeKind::released);
  EXPECT_EQ(outcome.level, Level::received);
  EXPECT_EQ(outcome.copies, 1u);
}

TEST_P(Outcomes, OneOfTwoReplicasIsEnoughForRulesThatAskForOne) {
  start({"c"});
  for (const Level level : {Level::received, Level::applied}) {
    expect_released(semi_sync(1, level), 2);
    expect_released(any(1, {"b", "c"}, level), 2);
    expect_released(all({"c"}, level), 2);
    expect_released(copies(2, level), 2);
  }
}

TEST_P(Outcomes, BothReplicasReleaseRulesThatAskForAll) {
  start({"b", "c"});
  for (const Level level : {Level::received, Level::applied}) {
    expect_released(semi_sync(1, level), 2);
    expect_released(semi_sync(2, level), 3);
    expect_released(sync(level), 3);
    expect_released(any(2, {"c", "b"}, level), 3);
    expect_released(all({"b", "c"}, level), 3);
    expect_released(copies(3, level), 3);
  }
}

TEST_P(Outcomes, AReplicaThatARuleDoesNotNameDoesNotCount) {
  start({"c"});
  expect_released(all({"c"}), 2);
  EXPECT_EQ(outcome_of(all({"b"}), kShort).kind, OutcomeKind::pending);
  EXPECT_EQ(outcome_of(any(1, {"b"}), kShort).kind, OutcomeKind::pending);
}

TEST_P(Outcomes, AWriteThatNeedsAnAbsentReplicaStaysPendingUntilItComes) {
  start({"b"});
  const Ticket ticket = primary_.append("patient").value();
  ASSERT_TRUE(primary_.wait(ticket, semi_sync(), kLong).value().released());
  const Outcome outcome = primary_.wait(ticket, sync(), kShort).value();
  EXPECT_EQ(outcome.kind, OutcomeKind::pending);
  EXPECT_EQ(outcome.copies, 2u);
  start({"c"});
  EXPECT_TRUE(primary_.wait(ticket, sync(), kLong).value().released());
}

TEST_P(Outcomes, ATimeoutOfNothingOnlyLooks) {
  const Ticket ticket = primary_.append("unseen").value();
  EXPECT_EQ(primary_.wait(ticket, sync(), 0ns).value().kind, OutcomeKind::pending);
  EXPECT_EQ(primary_.wait(ticket, sync(), -1h).value().kind, OutcomeKind::pending);
}

TEST_P(Outcomes, TheLongestTimeoutsDoNotOverflow) {
  start({"b"});
  const Ticket ticket = primary_.append("long").value();
  EXPECT_TRUE(primary_.wait(ticket, semi_sync(), kForever - 1ns).value().released());
}

TEST_P(Outcomes, AppliedComesAfterTheApplyFunctionHasReturned) {
  std::atomic<bool> returned{false};
  std::atomic<bool> may_return{false};
  RunningReplica slow(replica_options(primary_, "b"), [&](const Record&) {
    may_return.wait(false);
    returned = true;
  });
  start({"c"});
  const Ticket ticket = primary_.append("held back").value();
  EXPECT_TRUE(primary_.wait(ticket, sync(), kLong).value().released());
  EXPECT_EQ(primary_.wait(ticket, sync(Level::applied), kShort).value().kind, OutcomeKind::pending);
  EXPECT_FALSE(returned);
  may_return = true;
  may_return.notify_all();
  const Outcome outcome = primary_.wait(ticket, sync(Level::applied), kLong).value();
  EXPECT_TRUE(outcome.released());
  EXPECT_EQ(outcome.level, Level::applied);
  EXPECT_EQ(outcome.copies, 3u);
  EXPECT_TRUE(returned);
}

TEST_P(Outcomes, EachWriteChoosesItsOwnRuleOnOneStream) {
  start({"b"});
  const Rule rules[] = {async(), semi_sync(), sync(), copies(2), semi_sync(1, Level::applied)};
  for (int i = 0; i < 100; ++i) {
    const Rule& rule = rules[i % 5];
    const bool needs_c = rule == sync();
    const Outcome outcome = outcome_of(rule, needs_c ? 0ns : std::chrono::nanoseconds(kLong));
    EXPECT_EQ(outcome.released(), !needs_c) << to_string(rule);
  }
}

TEST_P(Outcomes, WatermarksNeverFall) {
  start({"b", "c"});
  Stream stream = primary_.stream();
  const RuleId rules[] = {stream.rule(async()).value(), stream.rule(sync()).value(),
                          stream.rule(sync(Level::applied)).value()};
  std::atomic<bool> done{false};
  std::thread watcher([&] {
    Position seen[3] = {};
    while (!done) {
      // The stronger rule first: what it has released, the weaker one has as well.
      Position stronger = 0;
      for (int r = 2; r >= 0; --r) {
        const Position now = stream.watermark(rules[r]);
        EXPECT_GE(now, seen[r]);
        EXPECT_GE(now, stronger);
        stronger = seen[r] = now;
      }
      std::this_thread::yield();
    }
  });
  Ticket last;
  for (int i = 0; i < 20000; ++i) {
    const auto ticket = stream.append("a record of some bytes");
    if (ticket) last = ticket.value();
  }
  EXPECT_TRUE(stream.wait(last, rules[2], kLong).value().released());
  done = true;
  watcher.join();
}

}  // namespace
}  // namespace quorate
