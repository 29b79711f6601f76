// Primaries that close or die, and processes that take each other's place.

#include <exception>
#include <memory>

#include "cluster.h"

namespace quorate::cluster {
namespace {

/// In the place of one that was killed: the kernel takes an io_uring apart a moment after its
/// process has ended, and until then the port stays taken.
std::unique_ptr<PrimaryNode> successor(const std::string& words) {
  std::unique_ptr<PrimaryNode> primary;
  eventually("the port is free again", [&] {
    try {
      primary = std::make_unique<PrimaryNode>(words);
    } catch (const std::exception& error) {
      if (std::string(error.what()).find("in use") == std::string::npos) throw;
    }
    return primary != nullptr;
  });
  return primary;
}

CLUSTER_SUITE(Restart);

TEST_P(Restart, AClosingPrimaryResolvesEveryWaiterAndItsReplicasReturn) {
  PrimaryNode primary("replicas=b,c close_timeout=100 rules=sync;semi_sync:1" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  // c never comes, so sync stays pending.
  primary.append(1000, 100);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  primary.ask("waiters count=3 rule=sync", "waiting");
  primary.ask("waiters count=2 rule=semi_sync:1", "waiting");
  primary.ask("callbacks count=30 rule=sync", "registered");
  primary.ask("callbacks count=20 rule=semi_sync:1", "registered");
  const tools::Line closed = primary.ask("close", "closed");
  EXPECT_EQ(closed.number("waiters_unknown"), 3);
  EXPECT_EQ(closed.number("waiters_released"), 2);
  EXPECT_EQ(closed.number("callbacks_unknown"), 30);
  EXPECT_EQ(closed.number("callbacks_released"), 20);
  EXPECT_EQ(b.hear("ended").value("result"), "ok");
  EXPECT_EQ(b.digest(), primary.digest());
}

TEST_P(Restart, ClosingUnderLoadDeliversEveryRecordThatWasAppended) {
  PrimaryNode primary("replicas=b,c loops=2 streams=5 close_timeout=30000 rules=sync" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c loops=2 primary=" + primary.address() + on());
  primary.ask("load writers=3 bytes=300 rules=sync;async", "loading");
  primary.until_progress(1000, "released");
  primary.ask("close", "closed");
  const tools::Line joined = primary.ask("join_load", "joined");
  EXPECT_EQ(joined.number("closed") + joined.number("unknown"), 3) << joined.text;
  EXPECT_EQ(b.hear("ended").value("result"), "ok");
  EXPECT_EQ(c.hear("ended").value("result"), "ok");
  EXPECT_EQ(b.digest(), primary.digest());
  EXPECT_EQ(c.digest(), primary.digest());
}

TEST_P(Restart, AHostedPrimaryClosesAsWell) {
  PrimaryNode primary("replicas=b hosted=1 rules=sync" + on());
  ReplicaNode b("name=b hosted=1 primary=" + primary.address() + on());
  primary.append(100, 100, "rule=sync");
  primary.ask("close", "closed");
  EXPECT_EQ(b.hear("ended").value("result"), "ok");
  b.hear("closed");
  EXPECT_EQ(b.digest(), primary.digest());
}

TEST_P(Restart, AReplicaWithDataOfADeadPrimaryIsNeverEqualToANewOne) {
  const std::string listen = "listen=127.0.0.1:" + std::to_string(free_port());
  auto primary = std::make_unique<PrimaryNode>(listen + " replicas=b,c,d rules=sync" + on());
  const std::string address = primary->address();
  ReplicaNode b("name=b primary=" + address + on());
  ReplicaNode c("name=c primary=" + address + on());
  primary->append(100, 100);
  EXPECT_EQ(primary->await("semi_sync:2"), "released");
  primary->kill();
  b.until("state", "connecting");
  primary = successor(listen + " replicas=b,c,d protected=2 rules=semi_sync:1" + on());
  // The same records at the same positions, and another history all the same.
  primary->append(100, 100);
  EXPECT_EQ(b.hear("ended").text.substr(0, 22), "result=needs_full_copy");
  EXPECT_EQ(c.hear("ended").text.substr(0, 22), "result=needs_full_copy");
  EXPECT_EQ(primary->await("semi_sync:1", 100), "pending");
  // One that holds nothing follows the new primary from its start.
  ReplicaNode d("name=d primary=" + address + on());
  EXPECT_EQ(primary->await("semi_sync:1"), "released");
  expect_same_content(*primary, d);
}

TEST_P(Restart, AReplicaThatHeldNothingFollowsThePrimaryThatComesNext) {
  const std::string listen = "listen=127.0.0.1:" + std::to_string(free_port());
  auto primary = std::make_unique<PrimaryNode>(listen + " replicas=b" + on());
  const std::string address = primary->address();
  ReplicaNode b("name=b primary=" + address + on());
  primary->until_seen("b", "streaming");
  primary->kill();
  b.until("state", "connecting");
  primary = successor(listen + " replicas=b" + on());
  primary->append(100, 100);
  EXPECT_EQ(primary->await("sync"), "released");
  expect_same_content(*primary, b);
}

TEST_P(Restart, OfTwoProcessesWithOneNameOneStreamsAndNothingHangs) {
  PrimaryNode primary("replicas=b,c rules=semi_sync:1" + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  ReplicaNode first("name=b primary=" + primary.address() + on());
  primary.append(100, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  ReplicaNode second("name=b primary=" + primary.address() + on());
  second.until_at_least("connects", 1);
  // Writers are not hindered, and whoever streams at the end has everything: these are fewer
  // frames than the primary remembers.
  primary.ask("load writers=2 bytes=100 records=150 rules=semi_sync:1", "loading");
  EXPECT_EQ(primary.ask("join_load", "joined").number("released"), 300);
  second.kill();
  EXPECT_EQ(primary.await("sync"), "released");
  expect_same_content(primary, first);
  expect_same_content(primary, c);
}

TEST_P(Restart, AnotherNumberOfStreamsIsRefusedWithTheReason) {
  const std::string listen = "listen=127.0.0.1:" + std::to_string(free_port());
  auto primary = std::make_unique<PrimaryNode>(listen + " replicas=b streams=2" + on());
  ReplicaNode b("name=b primary=" + primary->address() + on());
  primary->until_seen("b", "streaming");
  primary->kill();
  primary = successor(listen + " replicas=b streams=3" + on());
  b.until("state", "refused");
  EXPECT_NE(b.reason().find("3 streams"), std::string::npos) << b.reason();
}

TEST_P(Restart, AReplicaThatStopsClosesInOrder) {
  PrimaryNode primary("replicas=b,c rules=semi_sync:1" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c polls=1 primary=" + primary.address() + on());
  primary.ask("load writers=1 bytes=100 pause_us=100 rules=async", "loading");
  b.until_at_least("applied", 1);
  c.until_at_least("applied", 1);
  b.ask("stop", "done");
  EXPECT_EQ(b.hear("ended").value("result"), "ok");
  b.hear("closed");
  c.ask("stop", "done");
  EXPECT_EQ(c.hear("ended").value("result"), "ok");
  c.hear("closed");
  primary.until_seen("b", "absent");
  primary.until_seen("c", "absent");
  primary.ask("stop_load", "stopped");
}

}  // namespace
}  // namespace quorate::cluster
