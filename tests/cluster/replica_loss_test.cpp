// Replicas that die, stop or lag while the primary is written to.

#include <csignal>
#include <memory>

#include "cluster.h"

namespace quorate::cluster {
namespace {

constexpr std::uint64_t kLossRing_bytes = 1u << 20;

CLUSTER_SUITE(ReplicaLoss);

TEST_P(ReplicaLoss, SemiSyncAndAsyncWritesGoOnWhenOneReplicaIsKilled) {
  PrimaryNode primary("replicas=b,c rules=async;semi_sync:1 ring=1048576 stall=100" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("c", "streaming");
  primary.ask("load writers=2 bytes=500 rules=async;semi_sync:1", "loading");
  primary.until_progress(500, "released");
  c.kill();
  primary.until_progress(3000, "released");
  EXPECT_EQ(primary.seen("c").state, "absent");
  const tools::Line stopped = primary.ask("stop_load", "stopped");
  EXPECT_EQ(stopped.number("pending"), 0) << stopped.text;
  expect_same_content(primary, b);
}

TEST_P(ReplicaLoss, SyncWritesStayPendingUntilTheKilledReplicaHasComeBackAndHasAll) {
  PrimaryNode primary("replicas=b,c rules=sync;semi_sync:1" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  auto c = std::make_unique<ReplicaNode>("name=c primary=" + primary.address() + on());
  primary.append(500, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  c->kill();
  primary.append(500, 100);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  EXPECT_EQ(primary.await("sync", 100), "pending");
  // A new process holds nothing; the ring still has all of it, from position 0 on.
  c = std::make_unique<ReplicaNode>("name=c primary=" + primary.address() + on());
  EXPECT_EQ(primary.await("sync"), "released");
  expect_same_content(primary, b);
  expect_same_content(primary, *c);
}

TEST_P(ReplicaLoss, AReplicaThatCannotGetEverythingSaysSoAndIsNeverCounted) {
  PrimaryNode primary("replicas=b,c rules=sync;semi_sync:1 ring=1048576 stall=100" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  auto c = std::make_unique<ReplicaNode>("name=c primary=" + primary.address() + on());
  primary.append(500, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  const std::string watermark =
      primary.ask("watermark rule=sync", "watermark").value("position");
  c->kill();
  // Several rings: the beginning is gone.
  primary.append(4 * kLossRing_bytes / 1000, 1000);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  c = std::make_unique<ReplicaNode>("name=c primary=" + primary.address() + on());
  EXPECT_EQ(c->hear("ended").text.substr(0, 22), "result=needs_full_copy");
  EXPECT_EQ(c->text("state"), "needs_full_copy");
  EXPECT_EQ(c->digest().records, 0u);
  primary.append(100, 100);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  EXPECT_EQ(primary.await("sync", 100), "pending");
  EXPECT_EQ(primary.ask("watermark rule=sync", "watermark").value("position"), watermark);
  EXPECT_EQ(primary.seen("c").received, 0u);
  expect_same_content(primary, b);
}

TEST_P(ReplicaLoss, AStoppedReplicaCostsBoundedMemoryAndIsToldTheTruthWhenItGoesOn) {
  PrimaryNode primary("replicas=b,c rules=semi_sync:1 ring=1048576 stall=100" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("b", "streaming");
  primary.until_seen("c", "streaming");
  primary.append(500, 1000);
  EXPECT_EQ(primary.await("copies:3"), "released");
  const std::uint64_t before_bytes = primary.resident_bytes();
  primary.forget_peak();
  c.signal(SIGSTOP);
  // 40 rings; the sockets of the stopped replica hold a few of them at most.
  primary.ask("load writers=2 bytes=8000 fixed=1 records=2600 rules=semi_sync:1", "loading");
  EXPECT_EQ(primary.ask("join_load", "joined").number("released"), 5200);
  // The ring became resident meanwhile, and one frame may have been copied.
  EXPECT_TRUE(kSanitized || primary.peak_bytes() < before_bytes + 4 * kLossRing_bytes);
  EXPECT_NE(primary.seen("c").state, "streaming");
  EXPECT_GT(primary.seen("c").lag, kLossRing_bytes);
  c.signal(SIGCONT);
  EXPECT_EQ(c.hear("ended").text.substr(0, 22), "result=needs_full_copy");
  EXPECT_EQ(c.text("state"), "needs_full_copy");
  EXPECT_EQ(c.digest().disorders, 0u);
  expect_same_content(primary, b);
}

TEST_P(ReplicaLoss, AStoppedReplicaThatGoesOnWithinTheRingHasEverything) {
  PrimaryNode primary("replicas=b,c rules=semi_sync:1" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("c", "streaming");
  c.signal(SIGSTOP);
  primary.append(500, 1000);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  c.signal(SIGCONT);
  EXPECT_EQ(primary.await("sync"), "released");
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(ReplicaLoss, AReplicaStoppedForLongIsGivenUpAndResumesByPosition) {
  const std::string times = " heartbeat=20 peer_timeout=200 ";
  PrimaryNode primary("replicas=b rules=async" + times + on());
  ReplicaNode b("name=b primary=" + primary.address() + times + on());
  primary.append(500, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  b.signal(SIGSTOP);
  primary.until_seen("b", "absent");
  primary.append(500, 100);
  EXPECT_EQ(primary.await("sync", 50), "pending");
  b.signal(SIGCONT);
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_GE(b.number("resumes"), 1u);
  expect_same_content(primary, b);
}

TEST_P(ReplicaLoss, ReplicasKilledAgainAndAgainNeverHinderTheOthers) {
  PrimaryNode primary("replicas=b,c rules=semi_sync:1 ring=1048576 stall=50" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  primary.ask("load writers=2 bytes=500 rules=semi_sync:1", "loading");
  for (int round = 0; round < 15; ++round) {
    ReplicaNode c("name=c primary=" + primary.address() + on());
    // Killed while it says hello, while it is told that it lacks too much, or a little later.
    if (round % 3 != 0) c.until_at_least("connects", 1);
    if (round % 3 == 2) primary.until_progress(200, "released");
    c.kill();
  }
  primary.until_progress(500, "released");
  primary.ask("stop_load", "stopped");
  expect_same_content(primary, b);
}

}  // namespace
}  // namespace quorate::cluster
