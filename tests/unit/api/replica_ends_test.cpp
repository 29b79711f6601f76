// How a replica's following ends, and how it goes on: goodbye, resuming, refusals, full copies.

#include <atomic>

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

void ignore(const Record&) {}

class ReplicaEnds : public BothBackends {
 protected:
  [[nodiscard]] PrimaryOptions options() const {
    PrimaryOptions options = primary_options();
    options.replicas = {"b"};
    return options;
  }

  /// Polls until the report is as asked for.
  static bool polls_until(Replica& replica,
                          const std::function<bool(const ReplicaReport&)>& condition) {
    return eventually([&] {
      (void)replica.poll(ignore, 64);
      return condition(replica.report());
    });
  }
};
QUORATE_BOTH_BACKENDS(ReplicaEnds);

TEST_P(ReplicaEnds, TheGoodbyeOfThePrimaryEndsRunOnceAllIsApplied) {
  for (const bool hosted : {true, false}) {
    PrimaryOptions patient = options();
    patient.close_timeout = 60000ms;
    Primary primary = Primary::open(patient).value();
    ReplicaOptions follower = replica_options(primary, "b");
    follower.engine.hosted = hosted;
    RunningReplica b(follower);
    ASSERT_TRUE(primary.wait(primary.append("first").value(), sync(), kLong).value().released());
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(primary.append("more"));
    primary.close();
    EXPECT_TRUE(b.join());
    EXPECT_EQ(b.applied().count(), 1001u);
    EXPECT_TRUE(b.replica().report().primary_closed);
    EXPECT_NE(b.replica().report().reason.find("clos"), std::string::npos);
  }
}

TEST_P(ReplicaEnds, AReplicaThatWasAwayResumesWhereItWas) {
  PrimaryOptions brief = options();
  brief.heartbeat = 10ms;
  brief.peer_timeout = 50ms;
  Primary primary = Primary::open(brief).value();
  ReplicaOptions follower = replica_options(primary, "b");
  follower.heartbeat = 10ms;
  Replica b = Replica::open(follower).value();
  Applied applied;
  const auto apply = [&](const Record& record) { applied.add(record); };
  ASSERT_TRUE(primary.append("before"));
  ASSERT_EQ(b.poll(apply, 64, kLong).value(), 1u);
  // Its loop is hosted here and not turned: to the primary it falls silent.
  ASSERT_TRUE(eventually(
      [&] { return status_of(primary.stream(), "b").state == ReplicaStatus::State::absent; }));
  ASSERT_TRUE(primary.append("meanwhile"));
  while (applied.count() < 2) ASSERT_TRUE(b.poll(apply, 64, kLong));
  EXPECT_EQ(applied.texts(), (std::vector<std::string>{"before", "meanwhile"}));
  EXPECT_TRUE(applied.gapless());
  EXPECT_GE(b.report().connects, 2u);
  EXPECT_GE(b.report().resumes, 1u);
}

TEST_P(ReplicaEnds, AReopenedReplicaIsGivenEverythingAgain) {
  Primary primary = Primary::open(options()).value();
  for (int round = 0; round < 3; ++round) {
    RunningReplica b(replica_options(primary, "b"));
    const Ticket ticket = primary.append("round " + std::to_string(round)).value();
    const Rule applied = sync(Level::applied);
    ASSERT_TRUE(primary.wait(ticket, applied, kLong).value().released());
    EXPECT_EQ(b.applied().count(), static_cast<std::size_t>(round) + 1);
    EXPECT_EQ(b.applied().texts()[0], "round 0") << "at least once, in order";
  }
}

TEST_P(ReplicaEnds, WhoComesTooLateForTheRingNeedsAFullCopy) {
  PrimaryOptions small = options();
  small.ring_bytes = 64u << 10;
  small.lag.kind = LagPolicy::Kind::drop;
  Primary primary = Primary::open(small).value();
  for (int i = 0; i < 200; ++i) append_patiently(primary.stream(), std::string(1000, 'x'));
  for (const bool hosted : {true, false}) {
    ReplicaOptions follower = replica_options(primary, "b");
    follower.engine.hosted = hosted;
    Replica b = Replica::open(follower).value();
    const Status ran = b.run([](const Record&) { ADD_FAILURE() << "a gap was hidden"; });
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, Errc::needs_full_copy);
    EXPECT_NE(ran.error().text.find("stream 0"), std::string::npos) << ran.error().text;
    const auto polled = b.poll(ignore, 64);
    ASSERT_FALSE(polled) << "it stays so";
    EXPECT_EQ(polled.error().code, Errc::needs_full_copy);
    EXPECT_EQ(b.report().state, ReplicaReport::State::needs_full_copy);
    EXPECT_EQ(status_of(primary.stream(), "b").state, ReplicaStatus::State::needs_full_copy);
    b.close();
  }
}

TEST_P(ReplicaEnds, AnotherHistoryAtTheSameAddressNeedsAFullCopy) {
  auto first = std::make_unique<Primary>(Primary::open(options()).value());
  PrimaryOptions again = options();
  again.listen = first->address();
  Replica b = Replica::open(replica_options(*first, "b")).value();
  ASSERT_TRUE(first->append("of the first reign"));
  ASSERT_EQ(b.poll(ignore, 64, kLong).value(), 1u);
  std::thread closing([&] { first.reset(); });
  EXPECT_TRUE(polls_until(b, [](const ReplicaReport& report) { return report.primary_closed; }));
  closing.join();
  Primary second = Primary::open(again).value();
  ASSERT_TRUE(second.append("of the second reign"));
  const auto needs_copy = [](const ReplicaReport& report) {
    return report.state == ReplicaReport::State::needs_full_copy;
  };
  EXPECT_TRUE(polls_until(b, needs_copy));
  EXPECT_EQ(b.poll(ignore, 64).error().code, Errc::needs_full_copy);
}

TEST_P(ReplicaEnds, AReplicaThatHasNothingFollowsTheNextPrimary) {
  auto first = std::make_unique<Primary>(Primary::open(options()).value());
  PrimaryOptions again = options();
  again.listen = first->address();
  Replica b = Replica::open(replica_options(*first, "b")).value();
  ASSERT_TRUE(polls_until(b, [](const ReplicaReport& report) { return report.connects == 1; }));
  std::thread closing([&] { first.reset(); });
  EXPECT_TRUE(polls_until(b, [](const ReplicaReport& report) { return report.primary_closed; }));
  closing.join();
  Primary second = Primary::open(again).value();
  ASSERT_TRUE(second.append("hello again"));
  const auto got_it = [](const ReplicaReport& report) {
    return !report.streams.empty() && report.streams[0].applied == 24;
  };
  EXPECT_TRUE(polls_until(b, got_it));
  EXPECT_FALSE(b.report().primary_closed);
}

TEST_P(ReplicaEnds, WhoRunsAgainAfterAGoodbyeFollowsTheNextPrimary) {
  for (const bool hosted : {true, false}) {
    auto first = std::make_unique<Primary>(Primary::open(options()).value());
    PrimaryOptions again = options();
    again.listen = first->address();
    ReplicaOptions follower = replica_options(*first, "b");
    follower.engine.hosted = hosted;
    Replica b = Replica::open(follower).value();
    std::atomic<bool> ending = false;
    std::thread applying([&] {
      while (b.run(ignore) && !ending) std::this_thread::yield();
      b.close();
    });
    EXPECT_TRUE(eventually([&] { return b.report().connects == 1; }));
    first.reset();
    EXPECT_TRUE(eventually([&] { return b.report().primary_closed; }));
    Primary second = Primary::open(again).value();
    const Ticket ticket = second.append("hello again").value();
    EXPECT_TRUE(second.wait(ticket, sync(Level::applied), kLong).value().released());
    ending = true;
    b.stop();
    applying.join();
  }
}

TEST_P(ReplicaEnds, WhoIsRefusedIsToldWhy) {
  Primary primary = Primary::open(options()).value();
  ReplicaOptions other_cluster = replica_options(primary, "b");
  other_cluster.cluster = "elsewhere";
  ReplicaOptions stranger = replica_options(primary, "z");
  PrimaryOptions many = options();
  many.streams = 3;
  Primary wide = Primary::open(many).value();
  ReplicaOptions narrow = replica_options(wide, "b");
  narrow.streams_max = 2;
  ReplicaOptions small = replica_options(primary, "b");
  small.ring_bytes = 512u << 10;
  const struct {
    ReplicaOptions options;
    const char* reason;
  } cases[] = {{other_cluster, "cluster"},
               {stranger, "\"z\""},
               {narrow, "streams_max"},
               {small, "ring_bytes"}};
  for (const auto& [refused, reason] : cases) {
    Replica replica = Replica::open(refused).value();
    EXPECT_TRUE(polls_until(replica, [](const ReplicaReport& report) {
      return report.state == ReplicaReport::State::refused;
    }));
    EXPECT_NE(replica.report().reason.find(reason), std::string::npos) << replica.report().reason;
    EXPECT_EQ(replica.report().connects, 0u);
  }
  EXPECT_GE(primary.counters().connections_refused, 3u);
  EXPECT_EQ(status_of(primary.stream(), "b").state, ReplicaStatus::State::absent);
}

TEST_P(ReplicaEnds, AnUnreachablePrimaryIsTriedAgain) {
  PrimaryOptions later = options();
  {
    Primary gone = Primary::open(options()).value();
    later.listen = gone.address();
  }
  ReplicaOptions follower;
  follower.primary = later.listen;
  follower.engine.backend = GetParam();
  follower.engine.hosted = true;
  follower.backoff_max = 100ms;
  Replica b = Replica::open(follower).value();
  EXPECT_TRUE(polls_until(b, [](const ReplicaReport& report) { return !report.reason.empty(); }));
  EXPECT_EQ(b.report().state, ReplicaReport::State::connecting);
  Primary primary = Primary::open(later).value();
  EXPECT_TRUE(polls_until(b, [](const ReplicaReport& report) { return report.connects == 1; }));
}

TEST_P(ReplicaEnds, TheNewerOfTwoReplicasOfOneNameWins) {
  Primary primary = Primary::open(options()).value();
  Replica old = Replica::open(replica_options(primary, "b")).value();
  ASSERT_TRUE(polls_until(old, [](const ReplicaReport& report) { return report.connects == 1; }));
  Replica young = Replica::open(replica_options(primary, "b")).value();
  EXPECT_TRUE(polls_until(young, [](const ReplicaReport& report) { return report.connects == 1; }));
  EXPECT_GE(primary.counters().connections_refused, 1u);
}

}  // namespace
}  // namespace quorate
