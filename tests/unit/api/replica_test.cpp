// The replica's handle: run, poll, stop, what it shows and when.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

void ignore(const Record&) {}

class Replicating : public BothBackends {
 protected:
  explicit Replicating(std::uint32_t protected_copies = 0) {
    PrimaryOptions options = primary_options();
    options.protected_copies = protected_copies;
    primary_ = std::make_unique<Primary>(Primary::open(options).value());
  }

  Replica open(const std::string& name, bool hosted = true) {
    ReplicaOptions options = replica_options(*primary_, name);
    options.engine.hosted = hosted;
    return Replica::open(options).value();
  }

  std::unique_ptr<Primary> primary_;
};
QUORATE_BOTH_BACKENDS(Replicating);

TEST_P(Replicating, AStopBeforeRunEndsTheNextRun) {
  for (const bool hosted : {true, false}) {
    Replica b = open("b", hosted);
    b.stop();
    EXPECT_TRUE(b.run(ignore));
    EXPECT_EQ(b.poll(ignore, 1).value(), 0u) << "only one";
  }
}

TEST_P(Replicating, AStopFromAnotherThreadEndsARunThatSleeps) {
  Replica b = open("b", false);
  for (int i = 0; i < 50; ++i) {
    std::thread running([&] { EXPECT_TRUE(b.run(ignore)); });
    b.stop();
    running.join();
    // A hosted loop belongs to the thread that ran first, so each round has its own.
    RunningReplica c(replica_options(*primary_, "c"));
    c.stop();
    EXPECT_TRUE(c.join());
  }
}

TEST_P(Replicating, AStopFromApplyEndsTheRunBehindThatRecord) {
  for (const bool hosted : {true, false}) {
    Replica b = open("b", hosted);
    Applied applied;
    const std::size_t before = 3;
    Ticket last;
    for (int i = 0; i < 10; ++i) last = primary_->append(std::to_string(i)).value();
    EXPECT_TRUE(b.run([&](const Record& record) {
      applied.add(record);
      if (applied.count() == before) b.stop();
    }));
    EXPECT_EQ(applied.count(), before);
    // Going on later begins with the next record.
    EXPECT_TRUE(b.run([&](const Record& record) {
      applied.add(record);
      if (record.end == last.end) b.stop();
    }));
    EXPECT_EQ(applied.count(), hosted ? 10u : 20u);
    EXPECT_TRUE(applied.gapless());
    b.close();
  }
}

TEST_P(Replicating, PollReturnsWhatIsReadyAndAtMostWhatIsAsked) {
  for (const bool hosted : {true, false}) {
    Replica b = open("b", hosted);
    Applied applied;
    const auto apply = [&](const Record& record) { applied.add(record); };
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(primary_->append(std::to_string(i)));
    std::size_t count = 0;
    while (count < 8) {
      const std::size_t polled = b.poll(apply, 4, kLong).value();
      ASSERT_GE(polled, 1u);
      ASSERT_LE(polled, 4u);
      count += polled;
    }
    EXPECT_EQ(applied.count(), count);
    b.close();
  }
}

TEST_P(Replicating, PollWithNothingToApplyEndsInTime) {
  for (const bool hosted : {true, false}) {
    Replica b = open("b", hosted);
    EXPECT_EQ(b.poll(ignore, 64).value(), 0u);
    EXPECT_EQ(b.poll(ignore, 64, kShort).value(), 0u);
    EXPECT_EQ(b.poll(ignore, 64, -1s).value(), 0u);
    b.close();
  }
}

TEST_P(Replicating, PollWakesForARecordAndForAStop) {
  for (const bool hosted : {true, false}) {
    Replica b = open("b", hosted);
    std::thread writer([&] { EXPECT_TRUE(primary_->append("comes later")); });
    std::size_t polled = 0;
    while (polled == 0) polled = b.poll(ignore, 64, kForever).value();
    writer.join();
    std::thread stopper([&] { b.stop(); });
    while (b.poll(ignore, 64, kForever).value() > 0) {
    }
    stopper.join();
    b.close();
  }
}

TEST_P(Replicating, TheReportSaysHowFarItIs) {
  Replica b = open("b");
  EXPECT_EQ(b.report().state, ReplicaReport::State::connecting);
  EXPECT_EQ(b.report().connects, 0u);
  EXPECT_TRUE(b.report().streams.empty());
  const Ticket ticket = primary_->append("x").value();
  ASSERT_EQ(b.poll(ignore, 64, kLong).value(), 1u);
  ASSERT_EQ(b.poll(ignore, 64).value(), 0u);
  const ReplicaReport report = b.report();
  EXPECT_EQ(report.state, ReplicaReport::State::streaming);
  EXPECT_EQ(to_string(report.state), "streaming");
  EXPECT_EQ(report.reason, "");
  EXPECT_EQ(report.connects, 1u);
  EXPECT_EQ(report.resumes, 0u);
  EXPECT_EQ(report.frames_received, 1u);
  EXPECT_EQ(report.frames_refused, 0u);
  EXPECT_FALSE(report.primary_closed);
  ASSERT_EQ(report.streams.size(), 1u);
  EXPECT_EQ(report.streams[0].stream, 0u);
  EXPECT_EQ(report.streams[0].epoch, primary_->epoch());
  EXPECT_EQ(report.streams[0].received, ticket.end);
  EXPECT_EQ(report.streams[0].committed, ticket.end);
  EXPECT_EQ(report.streams[0].applied, ticket.end);
  b.close();
  EXPECT_EQ(b.report().state, ReplicaReport::State::stopped);
}

TEST_P(Replicating, RecordsSayWhereTheyLie) {
  Replica b = open("b");
  std::vector<Position> ends;
  for (const char* text : {"", "12345678", "123456789"}) {
    ends.push_back(primary_->append(text).value().end);
  }
  std::vector<Position> begins;
  std::vector<Position> seen_ends;
  while (seen_ends.size() < 3) {
    ASSERT_TRUE(b.poll(
        [&](const Record& record) {
          begins.push_back(record.begin);
          seen_ends.push_back(record.end);
        },
        64, kLong));
  }
  EXPECT_EQ(begins, (std::vector<Position>{0, 8, 24}));
  EXPECT_EQ(seen_ends, ends);
}

TEST_P(Replicating, AReplicaMayWriteToAnotherPrimaryWhileItApplies) {
  PrimaryOptions options = primary_options();
  options.replicas = {};
  Primary next = Primary::open(options).value();
  RunningReplica b(replica_options(*primary_, "b"), [&](const Record& record) {
    const Ticket ticket = next.append(record.payload).value();
    EXPECT_TRUE(next.wait(ticket, async(), kLong).value().released());
  });
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(primary_->append("passed on"));
  const Ticket last = primary_->append("the last").value();
  EXPECT_TRUE(primary_->wait(last, all({"b"}, Level::applied), kLong).value().released());
}

class AllProtected : public Replicating {
 protected:
  AllProtected() : Replicating(3) {}
};
QUORATE_BOTH_BACKENDS(AllProtected);

TEST_P(AllProtected, NothingIsShownBeforeItIsCommitted) {
  Replica b = open("b");
  const Ticket ticket = primary_->append("not committed").value();
  // Received, but c is absent and three copies are asked for.
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(b.poll(ignore, 64).value(), 0u);
    return status_of(primary_->stream(), "b").received == ticket.end;
  }));
  EXPECT_EQ(b.poll(ignore, 64, kShort).value(), 0u);
  EXPECT_EQ(b.report().streams[0].received, ticket.end);
  EXPECT_EQ(b.report().streams[0].committed, 0u);
  EXPECT_EQ(primary_->stream().status().committed, 0u);
  RunningReplica c(replica_options(*primary_, "c"));
  Applied applied;
  EXPECT_EQ(b.poll([&](const Record& record) { applied.add(record); }, 64, kLong).value(), 1u);
  EXPECT_EQ(applied.texts(), std::vector<std::string>{"not committed"});
  EXPECT_TRUE(primary_->wait(ticket, sync(Level::applied), 0ns).has_value());
}

}  // namespace
}  // namespace quorate
