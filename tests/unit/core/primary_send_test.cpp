#include <gtest/gtest.h>

#include "primary_rig.h"

namespace quorate::core {
namespace {

TEST(PrimarySend, NothingIsSendableWhileASendIsInFlight) {
  PrimaryRig rig(1, 2);
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
  rig.machine.on_send_finished(0);
  EXPECT_EQ(rig.machine.sendable(0).begin, 100u);
  EXPECT_EQ(rig.machine.sendable(0).end, 200u);
}

TEST(PrimarySend, NothingIsSendableToWhoIsAbsent) {
  PrimaryRig rig(1, 2);
  rig.seal(100);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
}

TEST(PrimarySend, CreditBoundsWhatIsSendableAndNeverFalls) {
  PrimaryRig rig(1, 2);
  rig.connect(0, 0, 100);
  rig.seal(100);
  rig.seal(100);
  EXPECT_EQ(rig.machine.sendable(0).end, 100u);
  rig.send_whole(0);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
  Acknowledgement ack = PrimaryRig::acknowledgement(0, 100);
  ack.credit_limit = 180;
  rig.count(0, ack);
  EXPECT_EQ(rig.machine.sendable(0).end, 180u);
  ack.credit_limit = 150;
  rig.count(0, ack);
  EXPECT_EQ(rig.machine.sendable(0).end, 180u);
}

TEST(PrimarySend, NoMoreFramesAreSendableThanTheReplicaHasRoomFor) {
  PrimaryRig rig(1, 2);
  ResumeClaim claim = PrimaryRig::claim(0, 0);
  claim.frames = 7;
  claim.frame_limit = 9;
  rig.resume(0, claim);
  for (int i = 0; i < 4; ++i) rig.seal(100);
  EXPECT_EQ(rig.machine.sendable(0).frames, 2u);
  rig.machine.on_send_started(0, 200, 2);
  rig.machine.on_send_finished(0);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
  Acknowledgement ack = PrimaryRig::acknowledgement(0, 200);
  ack.frame_limit = 10;
  rig.count(0, ack);
  EXPECT_EQ(rig.machine.sendable(0).frames, 1u);
  EXPECT_EQ(rig.machine.sendable(0).begin, 200u);
}

TEST(PrimarySend, FramesThatWereCutTakeNoRoomAtTheReplica) {
  PrimaryRig rig(1, 2);
  ResumeClaim claim = PrimaryRig::claim(0, 0);
  claim.frame_limit = 2;
  rig.resume(0, claim);
  rig.seal(100);
  rig.seal(100);
  rig.send(0);
  rig.machine.on_send_cut(0, 100, 1);
  EXPECT_EQ(rig.machine.sendable(0).frames, 1u);
}

TEST(PrimarySend, CutSendIsSentAgainFromTheCut) {
  PrimaryRig rig(1, 2);
  rig.connect(0);
  rig.seal(100);
  rig.seal(100);
  rig.send(0);
  rig.machine.on_send_cut(0, 100, 1);
  EXPECT_EQ(rig.machine.sendable(0).begin, 100u);
  EXPECT_EQ(rig.machine.replica(0).pin, 100u);
  EXPECT_EQ(rig.ack(0, 200), PrimaryMachine::AckVerdict::violation);
}

TEST(PrimarySend, CutOutsideTheSendIsABug) {
  PrimaryRig rig(1, 2);
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  EXPECT_DEATH(rig.machine.on_send_cut(0, 101, 0), "CHECK failed");
}

TEST(PrimarySend, TwoSendsAtOnceAreABug) {
  PrimaryRig rig(1, 2);
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  EXPECT_DEATH(rig.machine.on_send_started(0, 200, 2), "CHECK failed");
}

TEST(PrimaryPark, SendOfALaggingReplicaIsParkedAndPinsUntilItIsCopied) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  EXPECT_EQ(rig.reclaim(100), 0u);
  EXPECT_EQ(rig.effects.park, 1u);
  EXPECT_EQ(rig.state(0), ReplicaState::parked);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
  rig.machine.on_send_cut(0, 100, 1);
  EXPECT_EQ(rig.reclaim(100), 100u);
  EXPECT_EQ(rig.state(0), ReplicaState::parked);
}

TEST(PrimaryPark, SendOfBytesThatStayIsLeftAlone) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send_whole(0);
  rig.seal(100);
  rig.send(0);
  EXPECT_EQ(rig.reclaim(100), 100u);
  EXPECT_EQ(rig.effects.park, 0u);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
}

TEST(PrimaryPark, IsAskedForOnce) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.reclaim(100);
  rig.effects.clear();
  EXPECT_EQ(rig.reclaim(100), 0u);
  EXPECT_EQ(rig.effects.park, 0u);
}

TEST(PrimaryPark, DrainedReplicaStreamsAgainWhenTheRingStillHasItsNextByte) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  rig.reclaim(100);
  rig.machine.on_send_cut(0, 100, 1);
  rig.reclaim(100);
  rig.machine.on_drained(0, rig.reclaimed, rig.effects);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  EXPECT_EQ(rig.effects.lost, 0u);
  EXPECT_EQ(rig.machine.sendable(0).begin, 100u);
}

TEST(PrimaryPark, ParkedReplicaWhoseNextByteGoesAwayIsLost) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  rig.reclaim(100);
  rig.machine.on_send_cut(0, 100, 1);
  EXPECT_EQ(rig.reclaim(200), 200u);
  EXPECT_EQ(rig.effects.lost, 1u);
  EXPECT_EQ(rig.state(0), ReplicaState::needs_full_copy);
  rig.machine.on_drained(0, rig.reclaimed, rig.effects);
  EXPECT_EQ(rig.state(0), ReplicaState::needs_full_copy);
}

TEST(PrimaryPark, DrainedReplicaIsLostWhenTheRingWentOnWithoutIt) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  rig.reclaim(100);
  rig.machine.on_send_cut(0, 100, 1);
  rig.machine.on_drained(0, 200, rig.effects);
  EXPECT_EQ(rig.state(0), ReplicaState::needs_full_copy);
  EXPECT_EQ(rig.effects.lost, 1u);
  EXPECT_FALSE(rig.machine.replica(0).holds);
}

TEST(PrimaryPark, SendThatGoesOutWholeBeforeTheCutIsNotParked) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.seal(100);
  rig.reclaim(100);
  EXPECT_EQ(rig.state(0), ReplicaState::parked);
  rig.machine.on_send_finished(0);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  EXPECT_EQ(rig.machine.sendable(0).begin, 100u);
}

TEST(PrimaryPark, ReplicaThatHasReceivedWhatIsToGoIsOnlyWaitedFor) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.seal(100);
  rig.send(0);
  rig.ack(0, 100);
  EXPECT_EQ(rig.reclaim(100), 0u);
  EXPECT_EQ(rig.effects.park, 0u);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  rig.machine.on_send_finished(0);
  EXPECT_EQ(rig.reclaim(100), 100u);
}

TEST(PrimaryPark, EverySlowSendIsParkedInOneStep) {
  PrimaryRig rig(primary_config(3, 1, LagPolicy::Kind::drop));
  for (std::uint32_t i = 0; i < 3; ++i) rig.connect(i);
  rig.seal(100);
  rig.seal(100);
  rig.machine.on_send_started(1, 100, 1);
  rig.machine.on_send_finished(1);
  rig.send(1);
  rig.send(0);
  rig.send(2);
  EXPECT_EQ(rig.reclaim(200), 0u);
  EXPECT_EQ(rig.effects.park, 0b111u);
}

TEST(PrimaryPark, DetachingEndsThePin) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  rig.machine.on_detached(0);
  EXPECT_EQ(rig.reclaim(100), 100u);
  EXPECT_EQ(rig.effects.lost, 0u);
}

TEST(PrimaryLost, ReplicaIsLostExactlyWhenItsNextByteGoes) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  rig.connect(0);
  rig.seal(100);
  rig.send_whole(0);
  rig.seal(100);
  rig.seal(100);
  EXPECT_EQ(rig.reclaim(100), 100u);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  EXPECT_EQ(rig.reclaim(200), 200u);
  EXPECT_EQ(rig.state(0), ReplicaState::needs_full_copy);
  EXPECT_EQ(rig.effects.lost, 1u);
  EXPECT_EQ(rig.ack(0, 100), PrimaryMachine::AckVerdict::stale);
}

}  // namespace
}  // namespace quorate::core
