// Slow replicas: who holds writers back, for how long, and what memory it costs.

#include <csignal>

#include "cluster.h"
#include "proxy.h"

namespace quorate::cluster {
namespace {

constexpr std::uint64_t kRing_bytes = 1u << 20;

CLUSTER_SUITE(Pressure);

TEST_P(Pressure, UnderHoldAReplicaThatARuleNeedsMakesAppendBusyAndLosesNothing) {
  PrimaryNode primary("replicas=b,c ring=1048576 rules=sync lag=hold" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("c", "streaming");
  c.signal(SIGSTOP);
  const tools::Line refused =
      primary.ask("append count=4000 bytes=1000 timeout_ms=200", "appended");
  EXPECT_EQ(refused.value("why"), "busy");
  EXPECT_LT(refused.number("count"), 2 * kRing_bytes / 1000);
  c.signal(SIGCONT);
  primary.append(4000, 1000);
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_EQ(primary.number("dropped"), 0u);
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Pressure, UnderHoldAReplicaWithoutProgressForTheStallLimitIsDropped) {
  PrimaryNode primary("replicas=b,c ring=1048576 rules=sync;semi_sync:1 lag=hold stall=200" +
                      on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("b", "streaming");
  primary.until_seen("c", "streaming");
  c.signal(SIGSTOP);
  // Held for a while, then let go.
  primary.append(8000, 1000);
  EXPECT_EQ(primary.await("semi_sync:1"), "released");
  EXPECT_EQ(primary.await("sync", 50), "pending");
  EXPECT_EQ(primary.number("dropped"), 1u);
  EXPECT_EQ(primary.seen("b").state, "streaming");
  c.signal(SIGCONT);
  EXPECT_EQ(c.hear("ended").text.substr(0, 22), "result=needs_full_copy");
  expect_same_content(primary, b);
}

TEST_P(Pressure, UnderDropNobodyHoldsWritersNotEvenForSync) {
  PrimaryNode primary("replicas=b,c ring=1048576 rules=sync;async lag=drop" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  // A small ring: it is not given more than that while it is stopped.
  ReplicaNode c("name=c ring=524288 primary=" + primary.address() + on());
  primary.until_seen("b", "streaming");
  primary.until_seen("c", "streaming");
  c.signal(SIGSTOP);
  // One record at a time: b keeps pace, so that only c lags beyond the ring.
  primary.append(4000, 1000, "rule=semi_sync:1");
  EXPECT_NE(primary.seen("c").state, "streaming");
  EXPECT_EQ(primary.await("sync", 50), "pending");
  c.signal(SIGCONT);
  EXPECT_EQ(c.hear("ended").text.substr(0, 22), "result=needs_full_copy");
  expect_same_content(primary, b);
}

TEST_P(Pressure, ASlowApplyFunctionBoundsMemoryAndKeepsTheConnection) {
  const std::string times = " heartbeat=20 peer_timeout=400 ";
  PrimaryNode primary("replicas=b ring=1048576 rules=sync" + times + on());
  ReplicaNode b("name=b ring=1048576 primary=" + primary.address() + times + on());
  primary.append(10, 1000);
  EXPECT_EQ(primary.await("sync@applied"), "released");
  b.ask("pause", "done");
  // What the program has not applied stays in the replica's ring; then the primary's ring fills.
  const tools::Line refused =
      primary.ask("append count=8000 bytes=1000 timeout_ms=1000", "appended");
  EXPECT_EQ(refused.value("why"), "busy");
  EXPECT_LT(refused.number("count"), 3 * kRing_bytes / 1000);
  const std::uint64_t applied = b.number("applied");
  EXPECT_GE(b.number("received"), applied + kRing_bytes / 2);
  EXPECT_LE(b.number("received"), applied + kRing_bytes);
  EXPECT_EQ(primary.await("sync@applied", 50), "pending");
  // A second without apply: heartbeats went on.
  EXPECT_EQ(b.number("connects"), 1u);
  EXPECT_LT(primary.resident_bytes(), 64u << 20);
  b.ask("go_on", "done");
  primary.append(2000, 1000);
  EXPECT_EQ(primary.await("sync@applied"), "released");
  EXPECT_EQ(b.number("connects"), 1u);
  expect_same_content(primary, b);
}

TEST_P(Pressure, AppliedWaitsForTheProgramAndReceivedDoesNot) {
  PrimaryNode primary("replicas=b,c rules=sync" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.append(1, 10);
  EXPECT_EQ(primary.await("sync@applied"), "released");
  c.ask("pause", "done");
  primary.append(2, 10);
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_EQ(primary.await("semi_sync:1@applied"), "released");
  EXPECT_EQ(primary.await("sync@applied", 100), "pending");
  c.ask("go_on", "done");
  EXPECT_EQ(primary.await("sync@applied"), "released");
}

TEST_P(Pressure, ASlowReplicaThatNoRuleNeedsDoesNotSlowTheOthers) {
  PrimaryNode primary("replicas=b,c ring=1048576 rules=any:1:b stall=100" + on());
  Proxy slow(primary.port());
  slow.throttle(200'000);
  ReplicaNode b("name=b primary=" + primary.address() + on());
  ReplicaNode c("name=c primary=" + slow.address() + on());
  primary.until_seen("b", "streaming");
  primary.until_seen("c", "streaming");
  // Ten rings; the slow one would take a minute for them.
  primary.ask("load writers=2 bytes=1000 fixed=1 records=5200 rules=any:1:b", "loading");
  EXPECT_EQ(primary.ask("join_load", "joined").number("released"), 10400);
  EXPECT_NE(primary.seen("c").state, "streaming");
  expect_same_content(primary, b);
}

TEST_P(Pressure, AClaimThatIsNeverPublishedEndsTheEpochAndItsWaiters) {
  PrimaryNode primary("replicas=b claim_deadline=100 rules=sync" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  primary.append(10, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  primary.ask("claim bytes=100", "claimed");
  EXPECT_EQ(primary.ask("append count=1 bytes=100", "appended").value("count"), "1");
  EXPECT_EQ(primary.await("sync"), "unknown");
  EXPECT_EQ(primary.ask("append count=1 bytes=100", "appended").value("why"), "fenced");
  primary.ask("close", "closed");
  EXPECT_EQ(b.hear("ended").value("result"), "ok");
  EXPECT_EQ(b.digest().records, 10u);
}

}  // namespace
}  // namespace quorate::cluster
