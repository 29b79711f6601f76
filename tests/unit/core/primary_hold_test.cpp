#include <gtest/gtest.h>

#include "primary_rig.h"

namespace quorate::core {
namespace {

/// Every replica connected, five frames of 100 bytes sealed, all of them sent to everybody.
PrimaryRig sent_to_all(std::uint32_t replicas, std::uint32_t protected_copies) {
  PrimaryRig rig(replicas, protected_copies);
  for (std::uint32_t i = 0; i < replicas; ++i) rig.connect(i);
  for (int i = 0; i < 5; ++i) rig.seal(100);
  for (std::uint32_t i = 0; i < replicas; ++i) rig.send_whole(i);
  return rig;
}

TEST(PrimaryHold, NothingBeyondWhatIsSealedIsGivenBack) {
  PrimaryRig rig(1, 1);
  rig.seal(100);
  EXPECT_EQ(rig.reclaim(1000), 100u);
}

TEST(PrimaryHold, ReplicaThatARuleNeedsHoldsTheRing) {
  PrimaryRig rig = sent_to_all(2, 1);
  rig.rule(2, 0b11);
  rig.ack(0, 500);
  rig.ack(1, 200);
  EXPECT_EQ(rig.reclaim(400), 200u);
  EXPECT_EQ(rig.effects.lost, 0u);
  rig.ack(1, 400);
  EXPECT_EQ(rig.reclaim(400), 400u);
}

TEST(PrimaryHold, ReplicaThatNoRuleNeedsHoldsNobody) {
  PrimaryRig rig = sent_to_all(2, 2);
  rig.rule(0, 0);
  rig.rule(1, 0b11);
  rig.ack(0, 500);
  EXPECT_EQ(rig.reclaim(500), 500u);
  EXPECT_EQ(rig.machine.next_deadline(), kNever);
  EXPECT_EQ(rig.effects.dropped, 0u);
}

TEST(PrimaryHold, ProtectedRuleHoldsWithoutAnyOther) {
  PrimaryRig rig = sent_to_all(2, 2);
  EXPECT_EQ(rig.reclaim(300), 0u);
  rig.ack(1, 300);
  EXPECT_EQ(rig.reclaim(300), 300u);
}

TEST(PrimaryHold, AppliedRuleHoldsOnlyUntilReceived) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1, Level::applied);
  rig.ack(0, 300, 0);
  EXPECT_EQ(rig.reclaim(500), 300u);
}

TEST(PrimaryHold, UnderDropNobodyHolds) {
  PrimaryRig rig(primary_config(2, 3, LagPolicy::Kind::drop));
  rig.rule(2, 0b11);
  rig.connect(0);
  for (int i = 0; i < 3; ++i) rig.seal(100);
  EXPECT_EQ(rig.reclaim(300), 300u);
  EXPECT_EQ(rig.effects.lost, 1u);
  EXPECT_EQ(rig.effects.dropped, 0u);
}

TEST(PrimaryHold, StoppedReplicaIsDroppedAfterTheStallLimitAndNotBefore) {
  PrimaryRig rig = sent_to_all(2, 1);
  rig.rule(2, 0b11);
  rig.ack(0, 500);
  rig.ack(1, 200);
  EXPECT_EQ(rig.reclaim(400), 200u);
  EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
  rig.now += kStall_ns - 1;
  EXPECT_EQ(rig.reclaim(400), 200u);
  EXPECT_EQ(rig.effects.dropped, 0u);
  rig.now += 1;
  EXPECT_EQ(rig.reclaim(400), 400u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.machine.next_deadline(), kNever);
}

TEST(PrimaryHold, ProgressRenewsThePatience) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.reclaim(500);
  for (Position received = 100; received <= 400; received += 100) {
    rig.now += kStall_ns - 1;
    rig.ack(0, received);
    EXPECT_EQ(rig.reclaim(500), received);
    EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
  }
  EXPECT_EQ(rig.effects.dropped, 0u);
}

TEST(PrimaryHold, RepeatedAcknowledgementIsNoProgress) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.ack(0, 100);
  rig.reclaim(500);
  rig.now += kStall_ns;
  rig.ack(0, 100);
  EXPECT_EQ(rig.reclaim(500), 500u);
  EXPECT_EQ(rig.effects.dropped, 1u);
}

TEST(PrimaryHold, TimeInWhichNothingWasWantedIsNotCountedAgainstAReplica) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.ack(0, 100);
  rig.now += 100 * kStall_ns;
  EXPECT_EQ(rig.reclaim(500), 100u);
  EXPECT_EQ(rig.effects.dropped, 0u);
}

TEST(PrimaryHold, StallThatEndedWithADropIsNotCountedAgainstTheNextOne) {
  PrimaryRig rig = sent_to_all(2, 1);
  rig.rule(2, 0b11);
  rig.ack(0, 400);
  rig.ack(1, 100);
  EXPECT_EQ(rig.reclaim(300), 100u);
  rig.now += kStall_ns;
  EXPECT_EQ(rig.reclaim(300), 300u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.reclaim(500), 400u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
}

TEST(PrimaryHold, ReplicaThatNeverCameHoldsForOneStallLimitAndThenWritersGoOn) {
  PrimaryRig rig(2, 2);
  const auto sync = rig.rule(2, 0b11);
  const auto semi = rig.rule(1, 0b11);
  rig.connect(0);
  for (int i = 0; i < 5; ++i) rig.seal(100);
  rig.send_whole(0);
  rig.ack(0, 500);
  EXPECT_EQ(rig.reclaim(400), 0u);
  rig.now += kStall_ns;
  EXPECT_EQ(rig.reclaim(400), 400u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.machine.watermark(sync), 0u);
  for (int i = 0; i < 50; ++i) {
    rig.seal(100);
    rig.send_whole(0);
    rig.ack(0, rig.machine.sealed());
    EXPECT_EQ(rig.reclaim(rig.machine.sealed() - 100), rig.machine.sealed() - 100);
  }
  EXPECT_EQ(rig.machine.watermark(semi), rig.machine.sealed());
  EXPECT_EQ(rig.machine.watermark(sync), 0u);
}

TEST(PrimaryHold, DroppedReplicaLeavesTheOthersHolding) {
  PrimaryRig rig = sent_to_all(2, 1);
  rig.rule(2, 0b11);
  rig.reclaim(500);
  rig.now += kStall_ns;
  rig.ack(0, 100);
  EXPECT_EQ(rig.reclaim(500), 100u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
}

TEST(PrimaryHold, DroppingOneOfAnyKeepsTheRuleHoldingForTheOther) {
  PrimaryRig rig = sent_to_all(2, 2);
  rig.rule(1, 0b11);
  rig.reclaim(500);
  rig.now += kStall_ns;
  // Replica 1 is slow and alive. Space that it lacks must not go because replica 0 is stopped.
  rig.ack(1, 100);
  EXPECT_EQ(rig.reclaim(500), 100u);
  rig.now += kStall_ns - 1;
  rig.ack(1, 200);
  EXPECT_EQ(rig.reclaim(500), 200u);
  EXPECT_EQ(rig.effects.lost, 0u);
}

TEST(PrimaryHold, StoppedReplicaIsNotDroppedForARuleThatOthersCanMeet) {
  PrimaryRig rig = sent_to_all(3, 1);
  rig.rule(2, 0b111);
  rig.reclaim(500);
  rig.now += kStall_ns;
  rig.ack(0, 100);
  rig.ack(1, 100);
  rig.reclaim(500);
  EXPECT_EQ(rig.effects.dropped, 0u);
  EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
}

TEST(PrimaryHold, WhenTooFewAreAliveForARuleItsStoppedMembersAreDropped) {
  PrimaryRig rig = sent_to_all(3, 1);
  rig.rule(2, 0b111);
  rig.reclaim(500);
  rig.now += kStall_ns;
  rig.ack(0, 100);
  EXPECT_EQ(rig.reclaim(500), 100u);
  EXPECT_EQ(rig.effects.dropped, 0b110u);
}

TEST(PrimaryHold, NonMembersAreNotDropped) {
  PrimaryRig rig = sent_to_all(2, 1);
  rig.rule(1, 0b01);
  rig.reclaim(500);
  rig.now += kStall_ns;
  rig.reclaim(500);
  EXPECT_EQ(rig.effects.dropped, 0b01u);
}

TEST(PrimaryHold, WhenAllAreDroppedAppendsGoOn) {
  PrimaryRig rig(2, 3);
  rig.rule(2, 0b11);
  for (int i = 0; i < 5; ++i) rig.seal(100);
  rig.reclaim(500);
  rig.now += kStall_ns;
  EXPECT_EQ(rig.reclaim(500), 500u);
  EXPECT_EQ(rig.effects.dropped, 0b11u);
  rig.seal(100);
  EXPECT_EQ(rig.reclaim(600), 600u);
  EXPECT_EQ(rig.machine.committed(), 0u);
}

TEST(PrimaryHold, DroppedReplicaThatComesBackWithinTheRingHoldsAgain) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.ack(0, 200);
  rig.reclaim(300);
  rig.machine.on_detached(0);
  rig.now += kStall_ns;
  // Dropped, but its own bytes stay because less is wanted now.
  rig.machine.reclaim(300, rig.now, rig.effects);
  EXPECT_EQ(rig.effects.dropped, 1u);
  EXPECT_EQ(rig.connect(0, 200).verdict, Verdict::resumed);
  EXPECT_TRUE(rig.machine.replica(0).holds);
  EXPECT_EQ(rig.reclaim(300), 200u);
}

TEST(PrimaryHold, DroppedReplicaThatCaughtUpHoldsAgain) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.reclaim(300);
  rig.now += kStall_ns;
  EXPECT_EQ(rig.reclaim(300), 300u);
  EXPECT_FALSE(rig.machine.replica(0).holds);
  rig.ack(0, 500);
  rig.reclaim(400);
  EXPECT_TRUE(rig.machine.replica(0).holds);
  rig.seal(100);
  EXPECT_EQ(rig.reclaim(600), 500u);
}

TEST(PrimaryHold, ReplicaThatReconnectsWithoutProgressGetsNoNewPatience) {
  PrimaryRig rig(1, 1);
  rig.rule(1, 0b1);
  for (int i = 0; i < 5; ++i) rig.seal(100);
  rig.connect(0);
  rig.reclaim(500);
  for (int i = 0; i < 4; ++i) {
    rig.now += kStall_ns / 4;
    rig.machine.on_detached(0);
    ResumeClaim again = PrimaryRig::claim(0, 0);
    again.incarnation += static_cast<std::uint64_t>(i);
    EXPECT_EQ(rig.resume(0, again).verdict, Verdict::from_start);
  }
  EXPECT_EQ(rig.reclaim(500), 500u);
  EXPECT_EQ(rig.effects.dropped, 1u);
}

TEST(PrimaryHold, ReplicaThatReconnectsAfterProgressGetsNewPatience) {
  PrimaryRig rig = sent_to_all(1, 1);
  rig.rule(1, 0b1);
  rig.ack(0, 100);
  rig.reclaim(500);
  rig.machine.on_detached(0);
  rig.now += kStall_ns - 1;
  rig.connect(0, 100);
  rig.reclaim(500);
  EXPECT_EQ(rig.machine.next_deadline(), rig.now + kStall_ns);
}

TEST(PrimaryHold, LostReplicaHoldsNobodyAfterItsConnectionEnds) {
  PrimaryRig rig = sent_to_all(2, 2);
  rig.ack(0, 500);
  rig.seal(100);
  rig.seal(100);
  rig.send_whole(0);
  rig.ack(0, 700);
  EXPECT_EQ(rig.reclaim(600), 600u);
  EXPECT_EQ(rig.effects.lost, 0b10u);
  rig.machine.on_detached(1);
  rig.rule(2, 0b11);
  EXPECT_EQ(rig.reclaim(700), 700u);
}

TEST(PrimaryHold, StoppedReplicaWithASendInFlightIsDroppedThenParkedThenLost) {
  PrimaryRig rig(2, 2);
  rig.rule(2, 0b11);
  rig.connect(0);
  rig.connect(1);
  for (int i = 0; i < 5; ++i) rig.seal(100);
  rig.send_whole(0);
  rig.ack(0, 500);
  rig.machine.on_send_started(1, 200, 2);
  EXPECT_EQ(rig.reclaim(400), 0u);
  EXPECT_EQ(rig.state(1), ReplicaState::streaming);
  rig.now += kStall_ns;
  EXPECT_EQ(rig.reclaim(400), 0u);
  EXPECT_EQ(rig.effects.dropped, 0b10u);
  EXPECT_EQ(rig.effects.park, 0b10u);
  rig.machine.on_send_cut(1, 100, 1);
  EXPECT_EQ(rig.reclaim(400), 400u);
  EXPECT_EQ(rig.effects.lost, 0b10u);
}

TEST(PrimaryHold, StoppedReplicaNeverSlowsSemiSyncWithABoundedRing) {
  constexpr Position kRing = 1000;
  PrimaryRig rig(2, 2);
  const auto semi = rig.rule(1, 0b11);
  rig.connect(0);
  rig.connect(1);
  rig.seal(100);
  rig.send(1);
  for (int i = 0; i < 200; ++i) {
    rig.send_whole(0);
    rig.ack(0, rig.machine.sealed());
    EXPECT_EQ(rig.machine.watermark(semi), rig.machine.sealed());
    rig.effects.clear();
    const Position used = rig.machine.sealed();
    if (used > kRing / 2) rig.reclaim(used - kRing / 2);
    if (rig.effects.park != 0) {
      rig.machine.on_send_cut(1, 100, 1);
      rig.reclaim(used - kRing / 2);
    }
    ASSERT_LE(rig.machine.sealed() - rig.reclaimed, kRing / 2);
    rig.seal(100);
  }
  EXPECT_EQ(rig.state(1), ReplicaState::needs_full_copy);
}

}  // namespace
}  // namespace quorate::core
