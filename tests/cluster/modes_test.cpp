// What each mode promises, while nothing fails.

#include "cluster.h"

namespace quorate::cluster {
namespace {

CLUSTER_SUITE(Modes);

TEST_P(Modes, EachModeReleasesAndAllReplicasApplyTheSameBytes) {
  PrimaryNode primary("replicas=b,c rules=async;semi_sync:1;sync" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  ASSERT_EQ(primary.backend(), GetParam());
  ASSERT_EQ(b.backend(), GetParam());
  primary.append(2000, 100);
  EXPECT_EQ(primary.await("async"), "released");
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_EQ(primary.await("any:1:c"), "released");
  EXPECT_EQ(primary.await("copies:3"), "released");
  EXPECT_EQ(primary.await("sync@applied"), "released");
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Modes, WritersOfAllModesShareOneStream) {
  PrimaryNode primary("replicas=b,c" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.ask("load writers=4 bytes=300 records=2000 rules=async;semi_sync:1;sync;sync@applied",
              "loading");
  const tools::Line joined = primary.ask("join_load", "joined");
  EXPECT_EQ(joined.number("released"), 8000);
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Modes, ReleasedCopiesAreAtLeastWhatTheRuleAsksFor) {
  PrimaryNode primary("replicas=b,c,d" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.append(10, 10);
  const tools::Line outcome = primary.ask("await rule=semi_sync:2", "outcome");
  EXPECT_EQ(outcome.value("kind"), "released");
  EXPECT_EQ(outcome.value("copies"), "3");
  EXPECT_EQ(primary.await("sync", 50), "pending");
}

TEST_P(Modes, APrimaryAndAReplicaOfDifferentBackendsUnderstandEachOther) {
  PrimaryNode primary("replicas=b rules=sync" + on());
  ReplicaNode b("name=b primary=" + primary.address() + other());
  ASSERT_NE(primary.backend(), b.backend());
  primary.append(5000, 500);
  EXPECT_EQ(primary.await("sync"), "released");
  expect_same_content(primary, b);
}

TEST_P(Modes, OneThreadHostsThePrimaryAndTurnsItsLoopWhileItWaits) {
  PrimaryNode primary("replicas=b,c hosted=1 rules=sync" + on());
  ReplicaNode b("name=b hosted=1 primary=" + primary.address() + on());
  ReplicaNode c("name=c hosted=1 polls=1 primary=" + primary.address() + on());
  // Each record is awaited before the next is appended.
  primary.append(2000, 64, "rule=sync");
  EXPECT_EQ(primary.await("sync@applied"), "released");
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Modes, RecordsOfEverySizeUpToTheLimitArrive) {
  // The smallest ring of a primary and of a replica.
  PrimaryNode primary("replicas=b,c ring=65536 rules=sync" + on());
  ReplicaNode b("name=b ring=524288 primary=" + primary.address() + on());
  ReplicaNode c("name=c ring=524288 primary=" + primary.address() + on());
  const std::uint64_t largest = 65536 / 4 - 8;
  for (const std::uint64_t bytes : {0, 1, 7, 8, 9, 4095, 4096}) primary.append(50, bytes);
  primary.append(50, largest);
  EXPECT_EQ(primary.await("sync"), "released");
  const std::string too_large = "append bytes=" + std::to_string(largest + 1);
  EXPECT_EQ(primary.ask(too_large, "appended").value("why"), "too_large");
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Modes, ManyStreamsOnTwoLoopsReachReplicasWithOneLoopAndWithTwo) {
  PrimaryNode primary("replicas=b,c,d loops=2 streams=100 ring=65536 rules=sync" + on());
  ReplicaNode b("name=b loops=1 ring=524288 primary=" + primary.address() + on());
  ReplicaNode c("name=c loops=2 ring=524288 primary=" + primary.address() + on());
  ReplicaNode d("name=d loops=2 hosted=1 ring=524288 primary=" + primary.address() + on());
  primary.ask("load writers=3 bytes=200 records=20000", "loading");
  primary.ask("join_load", "joined");
  expect_same_content(primary, b);
  expect_same_content(primary, c);
  expect_same_content(primary, d);
}

}  // namespace
}  // namespace quorate::cluster
