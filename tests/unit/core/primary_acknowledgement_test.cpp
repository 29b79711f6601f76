#include <gtest/gtest.h>

#include "primary_rig.h"

namespace quorate::core {
namespace {

using AckVerdict = PrimaryMachine::AckVerdict;

/// Two replicas that were sent 100 bytes and have acknowledged nothing.
PrimaryRig streaming_pair(std::uint32_t protected_copies = 2) {
  PrimaryRig rig(2, protected_copies);
  rig.connect(0);
  rig.connect(1);
  rig.seal(100);
  rig.send_whole(0);
  rig.send_whole(1);
  return rig;
}

TEST(PrimaryRelease, AsyncIsReleasedBySealing) {
  PrimaryRig rig(2, 2);
  const auto async = rig.rule(0, 0);
  rig.seal(100);
  EXPECT_EQ(rig.machine.watermark(async), 100u);
  EXPECT_EQ(rig.effects.rules_advanced, 1u);
  EXPECT_FALSE(rig.effects.committed_advanced);
}

TEST(PrimaryRelease, SemiSyncIsReleasedByTheFirstReplicaAndSyncByTheLast) {
  PrimaryRig rig = streaming_pair();
  const auto semi = rig.rule(1, 0b11);
  const auto sync = rig.rule(2, 0b11);
  rig.effects.clear();
  EXPECT_EQ(rig.ack(1, 100), AckVerdict::counted);
  EXPECT_EQ(rig.machine.watermark(semi), 100u);
  EXPECT_EQ(rig.machine.watermark(sync), 0u);
  EXPECT_EQ(rig.effects.rules_advanced, 1u << semi);
  EXPECT_TRUE(rig.effects.committed_advanced);
  rig.effects.clear();
  rig.ack(0, 100);
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
  EXPECT_EQ(rig.effects.rules_advanced, 1u << sync);
  EXPECT_FALSE(rig.effects.committed_advanced);
}

TEST(PrimaryRelease, ProtectedRuleOfThePrimaryAloneIsCommittedBySealing) {
  PrimaryRig rig(2, 1);
  rig.seal(100);
  EXPECT_EQ(rig.machine.committed(), 100u);
}

TEST(PrimaryRelease, AppliedRuleFollowsAppliedPositions) {
  PrimaryRig rig = streaming_pair();
  const auto applied = rig.rule(2, 0b11, Level::applied);
  rig.ack(0, 100, 100);
  rig.ack(1, 100, 40);
  EXPECT_EQ(rig.machine.watermark(applied), 40u);
  rig.ack(1, 100, 100);
  EXPECT_EQ(rig.machine.watermark(applied), 100u);
}

TEST(PrimaryRelease, RuleRegisteredLateStartsAtWhatIsReleasedUnderIt) {
  PrimaryRig rig = streaming_pair();
  rig.ack(0, 100);
  rig.ack(1, 60);
  EXPECT_EQ(rig.machine.watermark(rig.rule(1, 0b11)), 100u);
  EXPECT_EQ(rig.machine.watermark(rig.rule(2, 0b11)), 60u);
  EXPECT_EQ(rig.machine.watermark(rig.rule(1, 0b11, Level::applied)), 0u);
}

TEST(PrimaryRelease, ALevelIsAwaitedFromTheFirstRuleThatCountsCopiesAtIt) {
  PrimaryConfig config = primary_config(2, 2);
  config.durable = true;
  PrimaryRig rig(config);
  EXPECT_TRUE(rig.machine.awaits(Level::durable)) << "it is what makes a record committed";
  rig.rule(0, 0);
  EXPECT_FALSE(rig.machine.awaits(Level::received)) << "an asynchronous rule counts no copies";
  rig.rule(1, 0b11);
  EXPECT_TRUE(rig.machine.awaits(Level::received));
  EXPECT_FALSE(rig.machine.awaits(Level::applied));
  rig.rule(1, 0b11, Level::applied);
  rig.rule(0, 0);
  EXPECT_TRUE(rig.machine.awaits(Level::applied));
  EXPECT_TRUE(rig.machine.awaits(Level::received)) << "rules stay registered";
}

TEST(PrimaryRelease, WithoutALogReceivedIsAwaitedWhateverTheRules) {
  PrimaryRig rig(2, 1);
  EXPECT_TRUE(rig.machine.awaits(Level::received)) << "it is what makes a record committed";
  EXPECT_FALSE(rig.machine.awaits(Level::durable));
  EXPECT_FALSE(rig.machine.awaits(Level::applied));
}

TEST(PrimaryRelease, SixteenRulesFitAndTheSeventeenthIsABug) {
  PrimaryRig rig(2, 2);
  for (std::uint32_t i = 0; i < kRulesMax; ++i) rig.rule(i % 3, 0b11);
  EXPECT_DEATH(rig.rule(1, 0b11), "CHECK failed");
}

TEST(PrimaryRelease, SixtyFourReplicasAreCounted) {
  PrimaryRig rig(64, 33);
  const auto sync = rig.rule(64, ~0ull);
  rig.seal(100);
  for (std::uint32_t i = 0; i < 64; ++i) {
    EXPECT_EQ(rig.machine.committed(), i < 32 ? 0u : 100u);
    EXPECT_EQ(rig.machine.watermark(sync), 0u);
    rig.connect(i);
    rig.send_whole(i);
    rig.ack(i, 100);
  }
  EXPECT_EQ(rig.machine.watermark(sync), 100u);
}

TEST(PrimaryAcknowledgement, LowerPositionThanKnownChangesNothing) {
  PrimaryRig rig = streaming_pair();
  rig.ack(0, 80, 70);
  EXPECT_EQ(rig.ack(0, 30, 20), AckVerdict::counted);
  EXPECT_EQ(rig.machine.replica(0).received, 80u);
  EXPECT_EQ(rig.machine.replica(0).applied, 70u);
}

TEST(PrimaryAcknowledgement, BeyondWhatWasSentIsAViolationAndCountsNothing) {
  PrimaryRig rig = streaming_pair();
  const auto semi = rig.rule(1, 0b11);
  rig.seal(50);
  EXPECT_EQ(rig.ack(0, 101), AckVerdict::violation);
  EXPECT_EQ(rig.machine.replica(0).received, 0u);
  EXPECT_EQ(rig.machine.watermark(semi), 0u);
}

TEST(PrimaryAcknowledgement, SendInFlightMayBeAcknowledgedBeforeItsCompletionIsSeen) {
  PrimaryRig rig(1, 2);
  rig.connect(0);
  rig.seal(100);
  rig.send(0);
  EXPECT_EQ(rig.ack(0, 100), AckVerdict::counted);
  EXPECT_EQ(rig.machine.committed(), 100u);
}

TEST(PrimaryAcknowledgement, ContradictingItselfIsAViolation) {
  PrimaryRig rig = streaming_pair();
  Acknowledgement applied = PrimaryRig::acknowledgement(0, 50, 51);
  EXPECT_EQ(rig.count(0, applied), AckVerdict::violation);
  Acknowledgement durable = PrimaryRig::acknowledgement(0, 50);
  durable.durable = 51;
  EXPECT_EQ(rig.count(0, durable), AckVerdict::violation);
  Acknowledgement credit = PrimaryRig::acknowledgement(0, 50);
  credit.credit_limit = 49;
  EXPECT_EQ(rig.count(0, credit), AckVerdict::violation);
  EXPECT_EQ(rig.machine.replica(0).received, 0u);
}

TEST(PrimaryAcknowledgement, OtherEpochIncarnationOrStateIsStale) {
  PrimaryRig rig = streaming_pair();
  Acknowledgement epoch = PrimaryRig::acknowledgement(0, 100);
  epoch.epoch.incarnation += 1;
  EXPECT_EQ(rig.count(0, epoch), AckVerdict::stale);
  Acknowledgement incarnation = PrimaryRig::acknowledgement(0, 100);
  incarnation.incarnation += 1;
  EXPECT_EQ(rig.count(0, incarnation), AckVerdict::stale);
  rig.machine.on_detached(0);
  EXPECT_EQ(rig.ack(0, 100), AckVerdict::stale);
  EXPECT_EQ(rig.machine.replica(0).received, 0u);
}

TEST(PrimaryAcknowledgement, StaleOneMayBeAbsurdAndIsStillOnlyStale) {
  PrimaryRig rig = streaming_pair();
  Acknowledgement absurd = PrimaryRig::acknowledgement(0, ~Position{0});
  absurd.incarnation = 1;
  EXPECT_EQ(rig.count(0, absurd), AckVerdict::stale);
}

TEST(PrimaryAcknowledgement, DetachedReplicaKeepsWhatItAcknowledged) {
  PrimaryRig rig = streaming_pair();
  rig.ack(0, 100);
  rig.machine.on_detached(0);
  rig.ack(1, 100);
  EXPECT_EQ(rig.machine.watermark(rig.rule(2, 0b11)), 100u);
}

}  // namespace
}  // namespace quorate::core
