#include <gtest/gtest.h>

#include "primary_rig.h"

namespace quorate::core {
namespace {

/// Three frames of 100 bytes; the ring has given the first one back.
PrimaryRig ring_from_100_to_300() {
  PrimaryRig rig(primary_config(2, 1, LagPolicy::Kind::drop));
  for (int i = 0; i < 3; ++i) rig.seal(100);
  EXPECT_EQ(rig.reclaim(100), 100u);
  return rig;
}

TEST(PrimaryResume, ReplicaThatHoldsNothingStartsAtTheBeginning) {
  PrimaryRig rig(2, 2);
  rig.seal(100);
  const ResumeVerdict verdict = rig.connect(0);
  EXPECT_EQ(verdict.verdict, Verdict::from_start);
  EXPECT_EQ(verdict.position, 0u);
  EXPECT_EQ(verdict.stream, 3u);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  EXPECT_EQ(rig.machine.sendable(0).end, 100u);
}

TEST(PrimaryResume, ClaimWithinTheRingGoesOnBehindIt) {
  PrimaryRig rig = ring_from_100_to_300();
  const ResumeVerdict verdict = rig.connect(0, 200);
  EXPECT_EQ(verdict.verdict, Verdict::resumed);
  EXPECT_EQ(verdict.position, 200u);
  EXPECT_EQ(rig.machine.sendable(0).begin, 200u);
  EXPECT_EQ(rig.machine.replica(0).received, 200u);
}

TEST(PrimaryResume, BothEndsOfTheRingCanBeResumed) {
  PrimaryRig rig = ring_from_100_to_300();
  EXPECT_EQ(rig.connect(0, 100).verdict, Verdict::resumed);
  EXPECT_EQ(rig.connect(1, 300).verdict, Verdict::resumed);
}

TEST(PrimaryResume, ClaimIsCountedAsAcknowledgement) {
  PrimaryRig rig(2, 2);
  const auto sync = rig.rule(2, 0b11);
  rig.seal(100);
  rig.connect(0);
  rig.connect(1);
  rig.send_whole(0);
  rig.send_whole(1);
  rig.ack(0, 100);
  rig.machine.on_detached(1);
  rig.effects.clear();
  rig.connect(1, 100);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  EXPECT_EQ(rig.effects.rules_advanced, 1u << sync);
}

void expect_refused(PrimaryRig& rig, const ResumeClaim& claim) {
  const ResumeVerdict verdict = rig.resume(0, claim);
  EXPECT_EQ(verdict.verdict, Verdict::needs_full_copy);
  EXPECT_EQ(verdict.position, rig.reclaimed);
  EXPECT_EQ(rig.state(0), ReplicaState::needs_full_copy);
  EXPECT_EQ(rig.machine.replica(0).received, 0u);
  EXPECT_FALSE(rig.machine.replica(0).holds);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
}

TEST(PrimaryResume, ClaimBeforeTheRingIsRefused) {
  PrimaryRig rig = ring_from_100_to_300();
  expect_refused(rig, PrimaryRig::claim(0, 0));
}

TEST(PrimaryResume, ClaimBeyondWhatIsSealedIsRefused) {
  PrimaryRig rig = ring_from_100_to_300();
  expect_refused(rig, PrimaryRig::claim(0, 400));
}

TEST(PrimaryResume, ClaimWithinAFrameIsRefused) {
  PrimaryRig rig = ring_from_100_to_300();
  expect_refused(rig, PrimaryRig::claim(0, 250));
}

TEST(PrimaryResume, ClaimOfAnotherEpochIsRefused) {
  PrimaryRig rig = ring_from_100_to_300();
  ResumeClaim claim = PrimaryRig::claim(0, 200);
  claim.epoch.incarnation += 1;
  expect_refused(rig, claim);
}

TEST(PrimaryResume, ClaimOfAnotherChecksumIsRefused) {
  PrimaryRig rig = ring_from_100_to_300();
  ResumeClaim claim = PrimaryRig::claim(0, 100);
  claim.checksum += 1;
  expect_refused(rig, claim);
}

TEST(PrimaryResume, EmptyClaimThatNamesAnEpochIsRefused) {
  PrimaryRig rig(2, 2);
  ResumeClaim claim = PrimaryRig::claim(0, 0);
  claim.epoch = kEpoch;
  expect_refused(rig, claim);
}

TEST(PrimaryResume, ReplicaThatLostItsMemoryCountsFromZeroAndNoWatermarkFalls) {
  PrimaryRig rig(2, 3);
  const auto sync = rig.rule(2, 0b11);
  rig.seal(100);
  for (std::uint32_t i = 0; i < 2; ++i) {
    rig.connect(i);
    rig.send_whole(i);
    rig.ack(i, 100, 100);
  }
  rig.machine.on_detached(0);
  ResumeClaim reborn = PrimaryRig::claim(0, 0);
  reborn.incarnation = 999;
  EXPECT_EQ(rig.resume(0, reborn).verdict, Verdict::from_start);
  EXPECT_EQ(rig.machine.replica(0).received, 0u);
  EXPECT_EQ(rig.machine.replica(0).applied, 0u);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  EXPECT_EQ(rig.machine.committed(), 100u);

  rig.seal(100);
  rig.send_whole(1);
  rig.ack(1, 200);
  EXPECT_EQ(rig.ack(0, 100), PrimaryMachine::AckVerdict::stale);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  rig.send_whole(0);
  Acknowledgement ack = PrimaryRig::acknowledgement(0, 100);
  ack.incarnation = 999;
  rig.count(0, ack);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  ack.received = 200;
  rig.count(0, ack);
  EXPECT_EQ(rig.machine.watermark(sync), 200u);
}

TEST(PrimaryResume, RefusedReplicaDoesNotCountUntilItsClaimMatches) {
  PrimaryRig rig(primary_config(1, 1, LagPolicy::Kind::drop));
  const auto sync = rig.rule(1, 0b1);
  rig.seal(100);
  rig.connect(0);
  rig.send_whole(0);
  rig.ack(0, 100);
  rig.machine.on_detached(0);
  ResumeClaim claim = PrimaryRig::claim(0, 100);
  claim.checksum += 1;
  expect_refused(rig, claim);
  EXPECT_EQ(rig.ack(0, 100), PrimaryMachine::AckVerdict::stale);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  rig.machine.on_detached(0);
  EXPECT_EQ(rig.connect(0, 100).verdict, Verdict::resumed);
  EXPECT_TRUE(rig.machine.replica(0).holds);
}

TEST(PrimaryResume, SecondClaimInOneSessionChangesNothing) {
  PrimaryRig rig(1, 2);
  rig.seal(100);
  rig.seal(100);
  rig.connect(0);
  rig.send(0);
  rig.ack(0, 100);
  EXPECT_EQ(rig.connect(0, 100).verdict, Verdict::needs_full_copy);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
  EXPECT_EQ(rig.machine.replica(0).pin, 0u);
  EXPECT_EQ(rig.machine.replica(0).sent, 200u);
  EXPECT_EQ(rig.machine.replica(0).received, 100u);
}

TEST(PrimaryResume, ClaimedCreditBoundsTheFirstSend) {
  PrimaryRig rig(1, 2);
  rig.seal(100);
  rig.connect(0, 0, 60);
  EXPECT_EQ(rig.machine.sendable(0).end, 60u);
}

}  // namespace
}  // namespace quorate::core
