// Short of descriptors, of memory, of ring space.

#include <exception>
#include <string>
#include <vector>

#include "cluster.h"
#include "quorate/status.h"
#include "tests/support/raw_peer.h"

namespace quorate::cluster {
namespace {

using namespace test;

CLUSTER_SUITE(Limits);

TEST_P(Limits, APrimaryOutOfDescriptorsServesWhoIsThereAndAcceptsAgainLater) {
  // The check of virtual calls asks the kernel by a pipe, and takes a refusal for a bad object.
  if (kSanitized) GTEST_SKIP() << "the undefined-behaviour sanitizer needs descriptors";
  PrimaryNode primary("replicas=b,c rules=semi_sync:1 nofile=24" + on());
  ReplicaNode b("name=b primary=" + primary.address() + on());
  primary.until_seen("b", "streaming");
  primary.ask("load writers=1 bytes=100 pause_us=200 rules=semi_sync:1", "loading");
  std::vector<RawPeer> peers;
  for (int i = 0; i < 60; ++i) peers.emplace_back(primary.port());
  primary.until_progress(100, "released");
  peers.clear();
  ReplicaNode c("name=c primary=" + primary.address() + on());
  primary.until_seen("c", "streaming");
  primary.ask("stop_load", "stopped");
  EXPECT_EQ(b.number("connects"), 1u);
  expect_same_content(primary, b);
  expect_same_content(primary, c);
}

TEST_P(Limits, AStatusQueryFromOutsideSeesEveryReplica) {
  PrimaryNode primary("replicas=b,c loops=2 streams=600 ring=65536 rules=sync" + on());
  ReplicaNode b("name=b ring=524288 primary=" + primary.address() + on());
  primary.until_seen("b", "streaming");
  primary.append(10, 100, "stream=599");
  EXPECT_EQ(primary.ask("await rule=semi_sync:1 stream=599", "outcome").value("kind"), "released");
  const auto status = query_status({.address = primary.address(), .count = 1000});
  ASSERT_TRUE(status) << status.error().text;
  EXPECT_EQ(status->node, "a");
  EXPECT_EQ(status->streams_total, 600u);
  ASSERT_EQ(status->streams.size(), 600u);
  const StreamStatus& last = status->streams[599];
  EXPECT_EQ(last.appended, 10u * 112);
  ASSERT_EQ(last.replicas.size(), 2u);
  EXPECT_EQ(last.replicas[0].state, ReplicaStatus::State::streaming);
  EXPECT_EQ(last.replicas[0].received, last.appended);
  EXPECT_EQ(last.replicas[1].state, ReplicaStatus::State::absent);
  EXPECT_EQ(last.replicas[1].lag_bytes, last.appended);
  const auto wrong = query_status({.address = primary.address(), .cluster = "another"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::incompatible);
}

TEST_P(Limits, StreamsBeyondTheRingBudgetAreBusyUntilOthersFallIdle) {
  // Room for four rings of eight.
  PrimaryNode primary("replicas=b streams=8 ring=65536 budget=262144 rules=sync" + on());
  ReplicaNode b("name=b ring=524288 primary=" + primary.address() + on());
  for (int stream = 0; stream < 8; ++stream) {
    primary.append(20, 1000, "stream=" + std::to_string(stream));
  }
  expect_same_content(primary, b);
}

TEST_P(Limits, ANodeThatCannotHaveItsMemorySaysSoAndLives) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need all the address space there is";
  try {
    PrimaryNode("replicas=b ring=1073741824 address_space=700000000" + on());
    ADD_FAILURE() << "a gigabyte of ring in less address space";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("rings"), std::string::npos) << error.what();
  }
  PrimaryNode primary("replicas=b,c loops=2 streams=2 rules=any:1:c" + on());
  // It learns how many streams there are when it is welcomed. It goes on trying.
  ReplicaNode b("name=b ring=268435456 address_space=900000000 primary=" + primary.address() +
                on());
  ReplicaNode c("name=c primary=" + primary.address() + on());
  b.until("state", "refused");
  EXPECT_NE(b.reason().find("rings"), std::string::npos) << b.reason();
  eventually("it has tried again", [&] { return primary.number("accepted") >= 6; });
  primary.append(100, 100);
  EXPECT_EQ(primary.await("any:1:c"), "released");
  EXPECT_TRUE(b.running());
}

TEST_P(Limits, AReplicaThatDialsIntoSilenceGivesUpAndDialsAgain) {
  // A listener whose queue is full answers nobody.
  const SilentListener silent;
  ReplicaNode b("name=b heartbeat=20 peer_timeout=200 primary=" + silent.address() + on());
  eventually("the replica has given up dialing", [&] {
    return b.reason().find("no answer within the peer timeout") != std::string::npos;
  });
  EXPECT_LT(b.processor_s(), 1);
}

}  // namespace
}  // namespace quorate::cluster
