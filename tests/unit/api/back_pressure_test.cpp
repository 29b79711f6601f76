// Overload: an immediate busy with the reason, and waiting for space.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

constexpr std::uint64_t kRing_bytes = 64u << 10;

/// Appends until the stream refuses; returns why.
Error fill(Stream stream) {
  const std::string record(1000, 'x');
  for (;;) {
    const auto ticket = stream.append(record);
    if (!ticket) return ticket.error();
  }
}

class BackPressure : public BothBackends {
 protected:
  [[nodiscard]] PrimaryOptions options() const {
    PrimaryOptions options = primary_options();
    options.replicas = {"b"};
    options.ring_bytes = kRing_bytes;
    options.rules = {sync()};
    return options;
  }
};
QUORATE_BOTH_BACKENDS(BackPressure);

TEST_P(BackPressure, AFullRingIsBusyWithTheReason) {
  Primary primary = Primary::open(options()).value();
  const Error error = fill(primary.stream());
  EXPECT_EQ(error.code, Errc::busy);
  EXPECT_NE(error.text.find("ring"), std::string::npos) << error.text;
  Position end = 7;
  const std::string record(1000, 'x');
  EXPECT_FALSE(primary.stream().try_append(std::as_bytes(std::span(record)), end));
  EXPECT_EQ(end, 7u) << "nothing was appended";
}

TEST_P(BackPressure, WaitingForSpaceIsInVainWhileTheReplicaIsAbsent) {
  Primary primary = Primary::open(options()).value();
  fill(primary.stream());
  EXPECT_FALSE(primary.stream().wait_space(1000, kShort));
  EXPECT_FALSE(primary.stream().wait_space(1000, 0ns));
  EXPECT_FALSE(primary.append(std::string(1000, 'x')));
}

TEST_P(BackPressure, WhatStillFitsIsNotWaitedFor) {
  Primary primary = Primary::open(options()).value();
  fill(primary.stream());
  // 65 records of 1,008 bytes leave 16: room for a header and 8 bytes.
  EXPECT_TRUE(primary.stream().wait_space(8));
  EXPECT_FALSE(primary.stream().wait_space(9, kShort));
  EXPECT_TRUE(primary.append("12345678"));
  EXPECT_FALSE(primary.append(""));
}

TEST_P(BackPressure, SpaceComesBackWithTheReplica) {
  Primary primary = Primary::open(options()).value();
  fill(primary.stream());
  std::atomic<int> woken{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      if (primary.stream().wait_space(1000)) ++woken;
    });
  }
  RunningReplica b(replica_options(primary, "b"));
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(woken, 3);
  EXPECT_TRUE(primary.append(std::string(1000, 'x')));
}

TEST_P(BackPressure, WritersThatWaitForSpaceMoveManyRingsOfRecords) {
  Primary primary = Primary::open(options()).value();
  RunningReplica b(replica_options(primary, "b"));
  constexpr int kRecords = 2000;
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&] {
      const std::string record(500, 'x');
      for (int sent = 0; sent < kRecords;) {
        if (primary.append(record)) {
          ++sent;
        } else {
          ASSERT_TRUE(primary.stream().wait_space(record.size(), kLong));
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const Ticket last = append_patiently(primary.stream(), "last");
  EXPECT_TRUE(primary.wait(last, sync(Level::applied), kLong).value().released());
  EXPECT_EQ(b.applied().count(), 2u * kRecords + 1);
}

TEST_P(BackPressure, ClosingEndsTheWaitForSpace) {
  Primary primary = Primary::open(options()).value();
  fill(primary.stream());
  std::atomic<int> refused{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      if (!primary.stream().wait_space(1000)) ++refused;
    });
  }
  EXPECT_FALSE(primary.stream().wait_space(1000, kShort));
  primary.close();
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(refused, 3);
}

TEST_P(BackPressure, AReplicaThatNoRuleNeedsMakesNobodyBusy) {
  PrimaryOptions lax = options();
  lax.rules = {async()};
  lax.protected_copies = 1;
  Primary primary = Primary::open(lax).value();
  for (int i = 0; i < 1000; ++i) append_patiently(primary.stream(), std::string(1000, 'x'));
}

TEST_P(BackPressure, UnderDropAnAbsentReplicaMakesNobodyBusy) {
  PrimaryOptions drop = options();
  drop.lag.kind = LagPolicy::Kind::drop;
  Primary primary = Primary::open(drop).value();
  for (int i = 0; i < 1000; ++i) append_patiently(primary.stream(), std::string(1000, 'x'));
  const Ticket last = append_patiently(primary.stream(), "last");
  EXPECT_EQ(primary.wait(last, sync(), kShort).value().kind, OutcomeKind::pending)
      << "dropping does not release";
}

TEST_P(BackPressure, AReplicaThatStaysAwayHoldsUntilTheStallLimit) {
  PrimaryOptions impatient = options();
  impatient.lag.stall_limit = 10ms;
  Primary primary = Primary::open(impatient).value();
  const Error error = fill(primary.stream());
  EXPECT_EQ(error.code, Errc::busy);
  EXPECT_TRUE(primary.stream().wait_space(1000, kLong));
  EXPECT_TRUE(primary.append(std::string(1000, 'x')));
  // Writers are woken first, the event is counted later in the same turn.
  EXPECT_TRUE(eventually([&] { return primary.counters().replicas_dropped == 1; }));
}

TEST_P(BackPressure, AMemoryBudgetUsedUpByOthersIsBusyUntilTheyFallIdle) {
  PrimaryOptions tight = primary_options();
  tight.replicas = {};
  tight.ring_bytes = kRing_bytes;
  tight.streams = 3;
  tight.engine.ring_budget_bytes = 2 * kRing_bytes;
  Primary primary = Primary::open(tight).value();
  ASSERT_TRUE(primary.stream(0).append("first"));
  ASSERT_TRUE(primary.stream(1).append("second"));
  const auto third = primary.stream(2).append("third");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::busy);
  EXPECT_NE(third.error().text.find("ring_budget_bytes"), std::string::npos);
  EXPECT_TRUE(primary.stream(0).append("a ring that is open stays open"));
  const bool fits = eventually([&] {
    primary.stream(2).wait_space(5, kShort);
    return primary.stream(2).append("third").has_value();
  });
  EXPECT_TRUE(fits) << "idle streams give their rings back";
  const Ticket back = append_patiently(primary.stream(0), "again");
  EXPECT_TRUE(primary.wait(back, async(), kLong).value().released());
}

}  // namespace
}  // namespace quorate
