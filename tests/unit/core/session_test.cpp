#include "core/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace quorate::core {
namespace {

const std::vector<std::string> kReplicas{"b", "c"};

Admission admission() {
  Admission result;
  result.cluster = "blue";
  result.replicas = kReplicas;
  result.loops = 2;
  result.version_min = 2;
  result.version_max = 4;
  result.ring_bytes_min = 4096;
  return result;
}

Hello hello() {
  Hello result;
  result.cluster = "blue";
  result.node = "c";
  result.version_min = 1;
  result.version_max = 3;
  result.loop = 1;
  result.ring_bytes = 4096;
  return result;
}

Goodbye refusal(const Hello& hello) {
  Goodbye goodbye;
  EXPECT_FALSE(admit(hello, admission(), goodbye).has_value());
  return goodbye;
}

TEST(Admit, ReplicaGetsTheHighestCommonVersionAndItsIndex) {
  Goodbye goodbye;
  const auto admitted = admit(hello(), admission(), goodbye);
  ASSERT_TRUE(admitted.has_value());
  EXPECT_EQ(admitted->version, 3);
  EXPECT_EQ(admitted->replica, 1u);
}

TEST(Admit, ClientNeedsNoPlaceInTheConfiguration) {
  Hello client = hello();
  client.role = Role::client;
  client.node = "somebody";
  client.loop = 99;
  client.ring_bytes = 0;
  Goodbye goodbye;
  EXPECT_TRUE(admit(client, admission(), goodbye).has_value());
}

TEST(Admit, OtherClusterIsRefusedEvenForAClient) {
  Hello other = hello();
  other.cluster = "green";
  other.role = Role::client;
  const Goodbye goodbye = refusal(other);
  EXPECT_EQ(goodbye.reason, GoodbyeReason::wrong_cluster);
  EXPECT_EQ(goodbye.text, "cluster: found \"green\", this is \"blue\"");
}

TEST(Admit, VersionsMustOverlap) {
  Hello old = hello();
  old.version_min = old.version_max = 1;
  EXPECT_EQ(refusal(old).reason, GoodbyeReason::incompatible_version);
  Hello future = hello();
  future.version_min = 5;
  future.version_max = 9;
  EXPECT_EQ(refusal(future).text, "version: found 5…9, this node speaks 2…4");
  Hello contradiction = hello();
  contradiction.version_min = 4;
  contradiction.version_max = 3;
  EXPECT_EQ(refusal(contradiction).reason, GoodbyeReason::incompatible_version);
}

TEST(Admit, UnknownNodeIsRefused) {
  Hello stranger = hello();
  stranger.node = "x";
  const Goodbye goodbye = refusal(stranger);
  EXPECT_EQ(goodbye.reason, GoodbyeReason::unknown_node);
  EXPECT_EQ(goodbye.text, "node: found \"x\", which is no replica of this primary");
}

TEST(Admit, LoopOutsideThePrimaryIsRefused) {
  Hello far = hello();
  far.loop = 2;
  EXPECT_EQ(refusal(far).text, "loop: found 2, allowed 0…1");
}

TEST(Admit, RingThatCannotHoldTheLargestFrameIsRefused) {
  Hello small = hello();
  small.ring_bytes = 4095;
  const Goodbye goodbye = refusal(small);
  EXPECT_EQ(goodbye.reason, GoodbyeReason::too_large);
  EXPECT_EQ(goodbye.text,
            "ring_bytes: found 4095, at least 4096 for the largest frame of this primary");
}

TEST(Admit, TextOfAPeerCannotBeginANewLine) {
  Hello forged = hello();
  forged.node = "x\nadmitted b\x7f";
  EXPECT_EQ(refusal(forged).text,
            "node: found \"x?admitted b?\", which is no replica of this primary");
}

TEST(GoodbyeReason, EachHasItsOwnName) {
  std::set<std::string_view> names;
  const auto last = static_cast<int>(GoodbyeReason::internal);
  for (int i = 0; i <= last; ++i) names.insert(to_string(static_cast<GoodbyeReason>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
  EXPECT_FALSE(names.contains("?"));
}

TEST(Liveness, HeartbeatIsDueAnIntervalAfterTheLastSend) {
  Liveness liveness(100, 1000, 0);
  EXPECT_FALSE(liveness.heartbeat_due(99));
  EXPECT_TRUE(liveness.heartbeat_due(100));
  liveness.on_sent(70);
  EXPECT_FALSE(liveness.heartbeat_due(169));
  EXPECT_TRUE(liveness.heartbeat_due(170));
}

TEST(Liveness, PeerIsGoneAfterTheTimeoutOfSilence) {
  Liveness liveness(100, 1000, 0);
  liveness.on_heard(500);
  liveness.on_sent(1400);
  EXPECT_FALSE(liveness.peer_gone(1499));
  EXPECT_TRUE(liveness.peer_gone(1500));
}

TEST(Liveness, NextDeadlineIsTheEarlierOfBoth) {
  Liveness liveness(100, 1000, 0);
  EXPECT_EQ(liveness.next_deadline(false), 100);
  liveness.on_sent(950);
  EXPECT_EQ(liveness.next_deadline(false), 1000);
}

TEST(Liveness, WhileASendIsInFlightNoHeartbeatWakesTheLoop) {
  Liveness liveness(100, 1000, 0);
  EXPECT_EQ(liveness.next_deadline(true), 1000);
  EXPECT_TRUE(liveness.heartbeat_due(300));
  EXPECT_EQ(liveness.next_deadline(true), 1000);
}

TEST(Backoff, DelayIsBoundedByABoundThatDoublesUpToTheMaximum) {
  const std::vector<std::int64_t> bounds{50, 100, 200, 400, 800, 1000, 1000, 1000};
  std::vector<std::int64_t> largest(bounds.size(), 0);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Backoff backoff(50, 1000, seed);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const std::int64_t delay = backoff.on_failure(0);
      ASSERT_GE(delay, 0);
      ASSERT_LE(delay, bounds[i]);
      largest[i] = std::max(largest[i], delay);
    }
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) EXPECT_GT(largest[i], bounds[i] * 9 / 10);
}

TEST(Backoff, DrawIsUniformOverTheWholeRange) {
  std::vector<int> quarter(4, 0);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Backoff backoff(999, 999, seed);
    ++quarter[static_cast<std::size_t>(backoff.on_failure(0) / 250)];
  }
  for (const int hits : quarter) {
    EXPECT_GT(hits, 850);
    EXPECT_LT(hits, 1150);
  }
}

TEST(Backoff, SameSeedGivesTheSameRowAndOthersDiffer) {
  Backoff a(1000000, 1000000, 7);
  Backoff b(1000000, 1000000, 7);
  Backoff c(1000000, 1000000, 8);
  bool differs = false;
  for (int i = 0; i < 10; ++i) {
    const std::int64_t delay = a.on_failure(0);
    EXPECT_EQ(delay, b.on_failure(0));
    differs = differs || delay != c.on_failure(0);
  }
  EXPECT_TRUE(differs);
}

/// The largest of many next delays, each of its own seed, after `failures` failures and a session
/// that lived for `session_ns`.
std::int64_t largest_after_session(int failures, std::int64_t session_ns) {
  std::int64_t largest = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Backoff backoff(50, 100000, seed);
    for (int i = 0; i < failures; ++i) backoff.on_failure(0);
    backoff.on_session_began(1000);
    largest = std::max(largest, backoff.on_failure(1000 + session_ns));
  }
  return largest;
}

TEST(Backoff, OnlyAHealthySessionResetsTheBound) {
  EXPECT_LE(largest_after_session(6, Backoff::kHealthy_ns), 50);
  EXPECT_GT(largest_after_session(6, Backoff::kHealthy_ns - 1), 1000);
}

TEST(Backoff, HealthySessionResetsOnceAndNotForEveryFailureAfterIt) {
  std::int64_t largest = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Backoff backoff(50, 100000, seed);
    backoff.on_session_began(0);
    for (int i = 0; i < 6; ++i) backoff.on_failure(Backoff::kHealthy_ns + i);
    largest = std::max(largest, backoff.on_failure(Backoff::kHealthy_ns + 10));
  }
  EXPECT_GT(largest, 1000);
}

TEST(Backoff, TimeWithoutASessionDoesNotReset) {
  std::int64_t largest = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Backoff backoff(50, 100000, seed);
    for (int i = 0; i < 6; ++i) backoff.on_failure(0);
    largest = std::max(largest, backoff.on_failure(10 * Backoff::kHealthy_ns));
  }
  EXPECT_GT(largest, 1000);
}

}  // namespace
}  // namespace quorate::core
