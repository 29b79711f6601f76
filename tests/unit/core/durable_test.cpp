// What a log changes for the machines: what counts as durable, and how a replica comes back.

#include <gtest/gtest.h>

#include <vector>

#include "core/replica_machine.h"
#include "tests/unit/core/primary_rig.h"

namespace quorate::core {
namespace {

constexpr Epoch kBefore{4, 9};  ///< the reign before this one
constexpr Position kStart = 1000;

PrimaryConfig durable_config(std::uint32_t replicas, std::uint32_t protected_copies) {
  PrimaryConfig config = primary_config(replicas, protected_copies);
  config.durable = true;
  config.start = kStart;
  config.committed = 400;
  return config;
}

/// A primary whose log began its reign at kStart.
class DurablePrimary : public testing::Test {
 protected:
  DurablePrimary() { begin(); }
  void begin() {
    rig.frames.begin_after({kStart, kStart, kBefore, checksum_of(kStart), 0});
    rig.reclaimed = kStart;
  }
  [[nodiscard]] History history() const { return {rig.frames, rig.reclaimed, oldest, epochs}; }
  ResumeVerdict resume(const ResumeClaim& claim) {
    return rig.machine.on_resume(0, claim, history(), rig.now, rig.effects);
  }
  static ResumeClaim claim(const Epoch& epoch, Position position) {
    return {3, epoch, position, checksum_of(position), incarnation_of(0), kInfiniteCredit};
  }
  Acknowledgement ack(Position received, Position durable) {
    return {3, kEpoch, incarnation_of(0), received, durable, 0, kInfiniteCredit};
  }

  PrimaryRig rig{durable_config(2, 2)};
  Position oldest = 0;
  std::vector<EpochEnd> epochs{{{2, 5}, 300}, {kBefore, kStart}};
};

TEST_F(DurablePrimary, BeginsWhereItsLogEndsAndKnowsWhatWasCommitted) {
  EXPECT_EQ(rig.machine.sealed(), kStart);
  EXPECT_EQ(rig.machine.durable(), kStart);
  EXPECT_EQ(rig.machine.committed(), 400u);
}

TEST_F(DurablePrimary, ThatProtectsNothingButItselfBeginsWithAllOfItsLogCommitted) {
  EXPECT_EQ(PrimaryMachine(durable_config(2, 1)).committed(), kStart);
  EXPECT_EQ(PrimaryMachine(durable_config(0, 1)).committed(), kStart);
  EXPECT_EQ(PrimaryMachine(durable_config(2, 3)).committed(), 400u);
}

TEST_F(DurablePrimary, DoesNotCountItselfBeforeItsOwnDiskHasIt) {
  const auto async_durable = rig.rule(0, 0, Level::durable);
  const auto async_received = rig.rule(0, 0, Level::received);
  rig.seal(100);
  EXPECT_EQ(rig.machine.watermark(async_received), kStart + 100);
  EXPECT_EQ(rig.machine.watermark(async_durable), kStart);
  rig.machine.on_durable(kStart + 100, rig.effects);
  EXPECT_EQ(rig.machine.watermark(async_durable), kStart + 100);
}

TEST_F(DurablePrimary, ReleasesDurableOnlyWhenBothItselfAndTheReplicaHaveIt) {
  const auto rule = rig.rule(1, 3, Level::durable);
  ASSERT_EQ(resume(claim(kBefore, kStart)).verdict, Verdict::resumed);
  rig.seal(100);
  rig.send_whole(0);
  rig.count(0, ack(kStart + 100, kStart + 100));
  EXPECT_LE(rig.machine.watermark(rule), kStart);
  rig.machine.on_durable(kStart + 100, rig.effects);
  EXPECT_EQ(rig.machine.watermark(rule), kStart + 100);
}

TEST_F(DurablePrimary, CommitsWhatIsDurableAndNotWhatIsReceived) {
  ASSERT_EQ(resume(claim(kBefore, kStart)).verdict, Verdict::resumed);
  rig.seal(100);
  rig.machine.on_durable(kStart + 100, rig.effects);
  rig.send_whole(0);
  rig.count(0, ack(kStart + 100, kStart));
  EXPECT_EQ(rig.machine.committed(), kStart);
  rig.count(0, ack(kStart + 100, kStart + 100));
  EXPECT_EQ(rig.machine.committed(), kStart + 100);
}

TEST_F(DurablePrimary, WhatTheRingLostComesFromTheLog) {
  const ResumeVerdict answer = resume(claim({2, 5}, 200));
  EXPECT_EQ(answer.verdict, Verdict::catch_up);
  EXPECT_EQ(answer.position, 200u);
  EXPECT_EQ(rig.state(0), ReplicaState::catching_up);
  EXPECT_TRUE(rig.machine.sendable(0).empty());
}

TEST_F(DurablePrimary, WhoHasCaughtUpClaimsAgainAndIsStreaming) {
  ASSERT_EQ(resume(claim({2, 5}, 200)).verdict, Verdict::catch_up);
  EXPECT_EQ(resume(claim(kBefore, kStart)).verdict, Verdict::resumed);
  EXPECT_EQ(rig.state(0), ReplicaState::streaming);
}

TEST_F(DurablePrimary, AnEmptyReplicaIsFedFromTheBeginningOfTheLog) {
  EXPECT_EQ(resume({3, {}, 0, 0, incarnation_of(0), kInfiniteCredit}).verdict, Verdict::catch_up);
}

TEST_F(DurablePrimary, ASnapshotServesWhoLacksWhatTheLogNoLongerHolds) {
  oldest = 350;
  History with = history();
  with.snapshot = 400;
  Position position = 0;
  EXPECT_EQ(rig.machine.judge(claim({}, 0), with, position), Verdict::snapshot);
  EXPECT_EQ(position, 400u);
  // Whatever is held there, and of whichever reign: all of it is in the snapshot.
  EXPECT_EQ(rig.machine.judge(claim({9, 9}, 349), with, position), Verdict::snapshot);
  // Who has what the log begins with needs none.
  EXPECT_EQ(rig.machine.judge(claim(kBefore, 350), with, position), Verdict::catch_up);
  const auto answer = rig.machine.on_resume(0, claim({2, 5}, 300), with, rig.now, rig.effects);
  EXPECT_EQ(answer.verdict, Verdict::snapshot);
  EXPECT_EQ(answer.position, 400u);
  EXPECT_EQ(rig.machine.replica(0).state, ReplicaState::catching_up);
}

TEST_F(DurablePrimary, ASnapshotThatEndsBeforeTheLogBeginsServesNobody) {
  oldest = 500;
  History with = history();
  with.snapshot = 499;
  Position position = 0;
  EXPECT_EQ(rig.machine.judge(claim({}, 0), with, position), Verdict::needs_full_copy);
}

TEST_F(DurablePrimary, ASnapshotOfMoreThanIsCommittedServesNobody) {
  oldest = 350;
  History with = history();
  with.snapshot = 401;
  Position position = 0;
  EXPECT_EQ(rig.machine.judge(claim({}, 0), with, position), Verdict::needs_full_copy);
}

TEST_F(DurablePrimary, WhoNeedsAFullCopyMayClaimAgain) {
  oldest = 500;
  EXPECT_EQ(resume(claim({}, 0)).verdict, Verdict::needs_full_copy);
  EXPECT_EQ(rig.machine.replica(0).state, ReplicaState::needs_full_copy);
  oldest = 0;
  EXPECT_EQ(resume(claim({}, 0)).verdict, Verdict::catch_up);
}

TEST_F(DurablePrimary, WhatTheLogNoLongerHoldsNeedsAFullCopy) {
  oldest = 500;
  const ResumeVerdict answer = resume(claim(kBefore, 400));
  EXPECT_EQ(answer.verdict, Verdict::needs_full_copy);
  EXPECT_EQ(answer.position, 500u);
}

struct Divergence {
  const char* what;
  Epoch epoch;
  Position position;
  Position keeps;
};

TEST_F(DurablePrimary, WhatItNeverHadIsToBeCut) {
  const Divergence cases[] = {
      {"more of the last reign than this log has", kBefore, kStart + 64, kStart},
      {"more of an older reign than this log has", {2, 5}, 304, 300},
      {"a reign between two that are known", {3, 1}, 500, 300},
      {"a reign between two, shorter than what is common", {3, 1}, 200, 199},
      {"a reign older than all that are known", {1, 1}, 100, 0},
  };
  for (const Divergence& each : cases) {
    const ResumeVerdict answer = resume(claim(each.epoch, each.position));
    EXPECT_EQ(answer.verdict, Verdict::truncate) << each.what;
    EXPECT_EQ(answer.position, each.keeps) << each.what;
    EXPECT_EQ(rig.state(0), ReplicaState::absent) << each.what;
  }
}

TEST_F(DurablePrimary, AReplicaThatTheRingLosesIsFedFromTheLog) {
  ASSERT_EQ(resume(claim(kBefore, kStart)).verdict, Verdict::resumed);
  rig.seal(100);
  rig.machine.on_durable(kStart + 100, rig.effects);
  for (int i = 0; i < 3 && rig.state(0) == ReplicaState::streaming; ++i) {
    rig.reclaim(kStart + 100);
    rig.now += 2 * kStall_ns;
  }
  EXPECT_EQ(rig.state(0), ReplicaState::catching_up);
}

// The replica.

ReplicaStreamConfig replica_config() {
  ReplicaStreamConfig config;
  config.stream = 3;
  config.incarnation = 7;
  config.ring_bytes = 4096;
  config.durable = true;
  config.start = kStart;
  config.last_epoch = kBefore;
  config.last_checksum = checksum_of(kStart);
  config.committed = 400;
  config.applied = 300;
  config.frames_max = 300;
  return config;
}

FrameInfo frame(const ReplicaMachine& machine, Position begin, Position end) {
  const ResumeClaim held = machine.claim();
  return {3, kEpoch, begin, end, held.epoch, held.checksum, checksum_of(end)};
}

class DurableReplica : public testing::Test {
 protected:
  void stream() {
    machine.on_session(kEpoch);
    ASSERT_TRUE(machine.on_verdict({3, Verdict::resumed, kStart}));
  }
  [[nodiscard]] FrameVerdict check(Position end) const {
    return machine.check_frame(frame(machine, machine.received(), end));
  }
  void receive(Position end) { machine.on_frame(frame(machine, machine.received(), end)); }
  ReplicaMachine machine{replica_config()};
};

TEST_F(DurableReplica, ClaimsWhatItsLogHolds) {
  machine.on_session(kEpoch);
  EXPECT_EQ(machine.claim().position, kStart);
  EXPECT_EQ(machine.claim().epoch, kBefore);
  EXPECT_EQ(machine.claim().checksum, checksum_of(kStart));
  EXPECT_EQ(machine.exposed(), 400u);
}

TEST_F(DurableReplica, AcknowledgesDurableOnlyWhatItsLogSaysAndShowsNothingBefore) {
  stream();
  receive(kStart + 64);
  machine.on_committed(kStart + 64);
  EXPECT_EQ(machine.acknowledgement().durable, kStart);
  EXPECT_EQ(machine.exposed(), kStart);
  machine.on_stored(kStart + 64);
  EXPECT_EQ(machine.exposed(), kStart);
  machine.on_durable(kStart + 64);
  EXPECT_TRUE(machine.acknowledgement_due({}));
  EXPECT_EQ(machine.acknowledgement().durable, kStart + 64);
  EXPECT_EQ(machine.exposed(), kStart + 64);
}

TEST_F(DurableReplica, TellsOfWhatNobodyAwaitsReceivedTogetherWithWhatIsDurable) {
  stream();
  machine.on_acknowledged();
  const Awaited durable_only{.received = false};
  receive(kStart + 64);
  EXPECT_FALSE(machine.acknowledgement_due(durable_only));
  EXPECT_TRUE(machine.acknowledgement_due({})) << "somebody awaits it";
  EXPECT_TRUE(machine.behind_on_telling()) << "told at the next heartbeat at the latest";
  machine.on_stored(kStart + 64);
  EXPECT_FALSE(machine.acknowledgement_due(durable_only));
  machine.on_durable(kStart + 64);
  EXPECT_TRUE(machine.acknowledgement_due(durable_only));
  EXPECT_EQ(machine.acknowledgement().received, kStart + 64);
}

TEST_F(DurableReplica, TellsOfWhatNobodyAwaitsReceivedWhenItIsAnEighthOfTheRing) {
  stream();
  machine.on_acknowledged();
  receive(kStart + 511);
  EXPECT_FALSE(machine.acknowledgement_due({.received = false}));
  receive(kStart + 512);
  EXPECT_TRUE(machine.acknowledgement_due({.received = false}));
}

TEST_F(DurableReplica, TellsOfWhatNobodyAwaitsReceivedWhenItIsManyFrames) {
  stream();
  machine.on_acknowledged();
  for (Position i = 1; i < 256; ++i) receive(kStart + i);
  EXPECT_FALSE(machine.acknowledgement_due({.received = false}));
  receive(kStart + 256);
  EXPECT_TRUE(machine.acknowledgement_due({.received = false}));
}

/// 64 more bytes are received, and copied is what lies before kStart.
class DurableCredit : public DurableReplica {
 protected:
  DurableCredit() {
    stream();
    receive(kStart + 64);
    machine.on_fed({kStart, kStart, kStart, false});
  }
};

TEST_F(DurableCredit, WaitsForWhatIsCopiedForTheProgramThoughItsLogHasIt) {
  machine.on_stored(kStart + 64);
  EXPECT_EQ(machine.credit_limit(), kStart + 4096u);
  machine.on_durable(kStart + 64);
  machine.on_fed({kStart + 64, kStart + 64, kStart, false});
  EXPECT_EQ(machine.credit_limit(), kStart + 64 + 4096u);
}

TEST_F(DurableCredit, WaitsForItsLogThoughItIsShownLater) {
  machine.on_fed({kStart + 64, kStart + 64, kStart, false});
  EXPECT_EQ(machine.credit_limit(), kStart + 4096u);
  machine.on_stored(kStart + 64);
  EXPECT_EQ(machine.credit_limit(), kStart + 64 + 4096u);
}

TEST_F(DurableCredit, DoesNotWaitForAProgramThatIsSlow) {
  machine.on_stored(kStart + 64);
  machine.on_fed({kStart, kStart, kStart, true});
  EXPECT_EQ(machine.credit_limit(), kStart + 64 + 4096u);
}

TEST_F(DurableCredit, WaitsForItsDiskHoweverLongThatTakes) {
  machine.on_stored(kStart + 64);
  machine.on_nothing_shown();
  EXPECT_EQ(machine.credit_limit(), kStart + 4096u);
}

TEST_F(DurableCredit, DoesNotWaitForLongForWhatNobodyCommits) {
  machine.on_stored(kStart + 64);
  machine.on_durable(kStart + 64);
  machine.on_nothing_shown();
  EXPECT_EQ(machine.credit_limit(), kStart + 64 + 4096u);
  // What was given stays given, but nothing is added to it before more is shown.
  machine.on_fed({kStart + 8, kStart + 8, kStart, false});
  receive(kStart + 128);
  machine.on_stored(kStart + 128);
  EXPECT_EQ(machine.credit_limit(), kStart + 64 + 4096u);
}

TEST_F(DurableCredit, AProgramThatReadsDoesNotMakeItWaitAgainForWhatNobodyCommits) {
  machine.on_stored(kStart + 64);
  machine.on_durable(kStart + 64);
  machine.on_nothing_shown();
  // There is room for a little more of what is not to be seen yet.
  machine.on_fed({kStart, kStart + 8, kStart, false});
  receive(kStart + 128);
  machine.on_stored(kStart + 128);
  EXPECT_EQ(machine.credit_limit(), kStart + 128 + 4096u);
}

TEST_F(DurableCredit, KeepsTheRingAsItIsForWhoReadsTheLogAndIsNear) {
  machine.on_stored(kStart + 64);
  machine.on_fed({kStart - 100, kStart - 100, kStart + 16, false});
  EXPECT_EQ(machine.credit_limit(), kStart + 16 + 4096u);
}

TEST_F(DurableCredit, DoesNotWaitForWhoReadsTheLogAndIsFar) {
  receive(kStart + 4096);
  machine.on_stored(kStart + 4096);
  machine.on_fed({400, 400, kStart + 4000, false});
  EXPECT_EQ(machine.credit_limit(), kStart + 4096 + 4096u);
}

TEST_F(DurableCredit, TellsOfItWhenAQuarterOfTheRingHasBecomeFree) {
  machine.on_stored(kStart + 64);
  machine.on_acknowledged();
  machine.on_fed({kStart + 64, kStart + 64, kStart, false});
  EXPECT_FALSE(machine.acknowledgement_due({}));
  receive(kStart + 1088);
  machine.on_stored(kStart + 1088);
  machine.on_acknowledged();
  machine.on_fed({kStart + 1024, kStart + 1024, kStart, false});
  EXPECT_FALSE(machine.acknowledgement_due({})) << "960 bytes";
  machine.on_fed({kStart + 1088, kStart + 1088, kStart, false});
  EXPECT_TRUE(machine.acknowledgement_due({}));
}

TEST_F(DurableReplica, TakesNoMoreFramesThanMayWaitForItsLog) {
  stream();
  for (Position i = 1; i <= 300; ++i) {
    EXPECT_FALSE(machine.out_of_frames());
    ASSERT_EQ(check(kStart + i), FrameVerdict::accept);
    receive(kStart + i);
  }
  EXPECT_TRUE(machine.out_of_frames());
  EXPECT_EQ(check(kStart + 301), FrameVerdict::no_credit);
  EXPECT_EQ(machine.acknowledgement().frame_limit, 300u);
  machine.on_stored(kStart + 1);
  EXPECT_EQ(check(kStart + 301), FrameVerdict::accept);
  EXPECT_EQ(machine.acknowledgement().frame_limit, 301u);
}

TEST_F(DurableReplica, ClaimsWithWhatStillWaitsForItsLog) {
  stream();
  receive(kStart + 64);
  receive(kStart + 128);
  machine.on_stored(kStart + 64);
  machine.on_disconnected();
  machine.on_session(kEpoch);
  EXPECT_EQ(machine.claim().frames, 2u);
  EXPECT_EQ(machine.claim().frame_limit, 301u);
}

TEST_F(DurableReplica, WhatIsCutWaitsForItsLogNoMore) {
  stream();
  receive(kStart + 64);
  receive(kStart + 128);
  machine.on_session(kEpoch);
  ASSERT_TRUE(machine.on_verdict({3, Verdict::truncate, kStart}));
  machine.on_truncated(kStart, kBefore, checksum_of(kStart));
  EXPECT_EQ(machine.claim().frames, 2u);
  EXPECT_EQ(machine.claim().frame_limit, 302u);
}

TEST_F(DurableReplica, CutsWhatThePrimaryNeverHadAndClaimsAgain) {
  machine.on_session(kEpoch);
  ASSERT_TRUE(machine.on_verdict({3, Verdict::truncate, 800}));
  ASSERT_EQ(machine.state(), ReplicaMachine::State::truncating);
  machine.on_truncated(768, {2, 5}, checksum_of(768));
  machine.on_claiming_again();
  EXPECT_EQ(machine.claim().position, 768u);
  EXPECT_EQ(machine.claim().epoch, (Epoch{2, 5}));
  EXPECT_EQ(machine.durable(), 768u);
  EXPECT_TRUE(machine.on_verdict({3, Verdict::resumed, 768}));
}

TEST_F(DurableReplica, NeverCutsBelowWhatIsCommittedOrApplied) {
  for (const Position keeps : {Position{0}, Position{399}}) {
    machine.on_session(kEpoch);
    ASSERT_TRUE(machine.on_verdict({3, Verdict::truncate, keeps}));
    EXPECT_EQ(machine.state(), ReplicaMachine::State::needs_full_copy) << keeps;
  }
  ReplicaStreamConfig config = replica_config();
  config.applied = 900;
  ReplicaMachine ahead(config);
  ahead.on_session(kEpoch);
  ASSERT_TRUE(ahead.on_verdict({3, Verdict::truncate, 800}));
  EXPECT_EQ(ahead.state(), ReplicaMachine::State::needs_full_copy);
}

TEST_F(DurableReplica, ShowsNothingNewWhileItCatchesUpBeforeAFrameProvesTheHistory) {
  machine.on_session(kEpoch);
  ASSERT_TRUE(machine.on_verdict({3, Verdict::catch_up, kStart}));
  machine.on_committed(kStart);
  EXPECT_EQ(machine.exposed(), 400u);
  const FrameInfo next = frame(machine, kStart, kStart + 64);
  EXPECT_EQ(machine.check_frame(next), FrameVerdict::not_session) << "over the live connection";
  EXPECT_EQ(machine.check_frame(next, ReplicaMachine::State::catching_up), FrameVerdict::accept);
  receive(kStart + 64);
  EXPECT_EQ(machine.exposed(), kStart);
  machine.on_claiming_again();
  EXPECT_EQ(machine.claim().position, kStart + 64);
}

TEST_F(DurableReplica, AStreamThatTheRingLostCatchesUp) {
  stream();
  EXPECT_TRUE(machine.on_verdict({3, Verdict::catch_up, kStart + 9999}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::catching_up);
}

TEST_F(DurableReplica, WhatTheProgramAppliedAndTheLogLostIsNotAcknowledged) {
  ReplicaStreamConfig config = replica_config();
  config.applied = kStart + 500;
  ReplicaMachine ahead(config);
  ahead.on_session(kEpoch);
  EXPECT_EQ(ahead.acknowledgement().applied, kStart);
  EXPECT_EQ(ahead.exposed(), 400u);
}

}  // namespace
}  // namespace quorate::core
