// What a network does to connections: cuts, flipped bits, silence, slowness.

#include <atomic>
#include <random>

#include "cluster.h"
#include "proxy.h"

namespace quorate::cluster {
namespace {

constexpr std::uint64_t kSeed = 20'240'607;

/// Small distances for the handshake, large ones for frames: each power of two is as likely.
std::uint64_t distance(std::mt19937_64& random, unsigned bits_max) {
  const std::uint64_t bound = 1ull << (4 + random() % (bits_max - 3));
  return 1 + random() % bound;
}

CLUSTER_SUITE(Cuts);

TEST_P(Cuts, AReplicaCutOffResumesByPositionWithoutLossAndWithoutRepetition) {
  PrimaryNode primary("replicas=b rules=sync" + on());
  Proxy proxy(primary.port());
  ReplicaNode b("name=b primary=" + proxy.address() + on());
  primary.append(1000, 200);
  EXPECT_EQ(primary.await("sync"), "released");
  proxy.cut_all();
  primary.append(1000, 200);
  b.until_at_least("connects", 2);
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_EQ(b.number("connects"), 2u);
  EXPECT_EQ(b.number("resumes"), 1u);
  expect_same_content(primary, b);
}

TEST_P(Cuts, TwoHundredCutsAnywhereLoseNothing) {
  constexpr std::uint64_t kCuts = 200;
  PrimaryNode primary("replicas=b rules=sync loops=2 streams=6" + on());
  std::mt19937_64 random(kSeed);
  std::atomic<bool> enough{false};
  Proxy proxy(primary.port(), [&](std::uint64_t) {
    Proxy::Fate fate;
    if (enough) return fate;
    // Acknowledgements are far fewer bytes than frames.
    const Proxy::Way way = random() % 3 == 0 ? Proxy::there : Proxy::back;
    fate.cut_at[way] = distance(random, way == Proxy::there ? 12 : 19);
    fate.reset = random() % 2 == 0;
    return fate;
  });
  ReplicaNode b("name=b loops=2 backoff_min=1 backoff_max=4 primary=" + proxy.address() + on());
  primary.ask("load writers=2 bytes=700 pause_us=20", "loading");
  eventually("connections were cut so often", [&] { return proxy.cuts() >= kCuts; });
  enough = true;
  // Those that were still to be cut have no end before them.
  proxy.cut_all();
  primary.until_progress(1000);
  primary.ask("stop_load", "stopped");
  expect_same_content(primary, b);
  EXPECT_GT(b.number("resumes"), 50u);
}

TEST_P(Cuts, AFlippedBitAnywhereClosesTheConnectionAndIsCounted) {
  constexpr std::uint64_t kFlips = 60;
  PrimaryNode primary("replicas=b rules=sync" + on());
  std::mt19937_64 random(kSeed);
  std::atomic<bool> enough{false};
  Proxy proxy(primary.port(), [&](std::uint64_t connection) {
    Proxy::Fate fate;
    if (enough) return fate;
    const Proxy::Way way = connection % 3 == 0 ? Proxy::there : Proxy::back;
    fate.flip_at[way] = distance(random, way == Proxy::there ? 12 : 18);
    return fate;
  });
  ReplicaNode b("name=b backoff_min=1 backoff_max=4 primary=" + proxy.address() + on());
  primary.ask("load writers=2 bytes=700 pause_us=20", "loading");
  eventually("bits were flipped so often",
             [&] { return proxy.flips(Proxy::there) + proxy.flips(Proxy::back) >= kFlips; });
  enough = true;
  proxy.cut_all();
  primary.until_progress(1000);
  primary.ask("stop_load", "stopped");
  expect_same_content(primary, b);
  // Each was found by the side that received it, unless its connection ended before: a replica that
  // is back before its older connection has closed is refused, which counts as well.
  EXPECT_LE(b.number("refused"), proxy.flips(Proxy::back));
  EXPECT_GT(b.number("refused"), proxy.flips(Proxy::back) / 2);
  EXPECT_GT(primary.number("refused"), proxy.flips(Proxy::there) / 2);
}

TEST_P(Cuts, SilenceForThePeerTimeoutEndsTheConnectionOnBothSides) {
  const std::string times = " heartbeat=20 peer_timeout=300 ";
  PrimaryNode primary("replicas=b rules=sync" + times + on());
  Proxy proxy(primary.port());
  ReplicaNode b("name=b primary=" + proxy.address() + times + on());
  primary.append(100, 100);
  EXPECT_EQ(primary.await("sync"), "released");
  proxy.stall(true);
  primary.until_seen("b", "absent");
  b.until("state", "connecting");
  primary.append(100, 100);
  EXPECT_EQ(primary.await("sync", 50), "pending");
  proxy.stall(false);
  EXPECT_EQ(primary.await("sync"), "released");
  expect_same_content(primary, b);
}

TEST_P(Cuts, AReplicaSleepsWhileItWaitsForAPeerThatDoesNotAnswer) {
  PrimaryNode primary("replicas=b" + on());
  Proxy proxy(primary.port());
  proxy.stall(true);
  ReplicaNode b("name=b heartbeat=20 peer_timeout=1000 primary=" + proxy.address() + on());
  eventually("the replica has given up its first connection",
             [&] { return proxy.connections() >= 3; });
  // It waited two seconds and had nothing to do.
  EXPECT_LT(b.processor_s(), 0.5);
}

TEST_P(Cuts, ALargeRecordOverASlowNetworkTakesLongerThanThePeerTimeout) {
  const std::string times = " heartbeat=20 peer_timeout=300 ";
  PrimaryNode primary("replicas=b rules=sync ring=16777216" + times + on());
  Proxy proxy(primary.port());
  ReplicaNode b("name=b ring=16777216 primary=" + proxy.address() + times + on());
  primary.until_seen("b", "streaming");
  proxy.throttle(4u << 20);
  primary.append(1, 4'000'000);
  EXPECT_EQ(primary.await("sync"), "released");
  EXPECT_EQ(b.number("connects"), 1u);
  expect_same_content(primary, b);
}

}  // namespace
}  // namespace quorate::cluster
