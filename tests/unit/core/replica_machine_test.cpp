#include "core/replica_machine.h"

#include <gtest/gtest.h>

#include <set>

namespace quorate::core {
namespace {

constexpr Epoch kEpoch{5, 77};
constexpr Position kRing = 1000;

std::uint32_t checksum_of(Position end) { return static_cast<std::uint32_t>(end * 31 + 9); }

FrameInfo frame(Position begin, Position end) {
  FrameInfo info;
  info.stream = 3;
  info.epoch = kEpoch;
  info.begin = begin;
  info.end = end;
  if (begin != 0) {
    info.previous_epoch = kEpoch;
    info.previous_checksum = checksum_of(begin);
  }
  info.checksum = checksum_of(end);
  return info;
}

ReplicaMachine fresh() { return ReplicaMachine({3, 42, kRing}); }

/// Streaming from the beginning, with `frames` frames of 100 bytes received.
ReplicaMachine streaming(int frames = 0) {
  ReplicaMachine machine = fresh();
  machine.on_session(kEpoch);
  EXPECT_TRUE(machine.on_verdict({3, Verdict::from_start, 0}));
  for (Position i = 0; i < static_cast<Position>(frames); ++i) {
    const FrameInfo info = frame(i * 100, i * 100 + 100);
    EXPECT_EQ(machine.check_frame(info), FrameVerdict::accept);
    machine.on_frame(info);
  }
  return machine;
}

TEST(ReplicaSession, FirstClaimSaysThatNothingIsHeld) {
  ReplicaMachine machine = fresh();
  machine.on_session(kEpoch);
  const ResumeClaim claim = machine.claim();
  EXPECT_EQ(claim.stream, 3u);
  EXPECT_EQ(claim.epoch, Epoch{});
  EXPECT_EQ(claim.position, 0u);
  EXPECT_EQ(claim.incarnation, 42u);
  EXPECT_EQ(claim.credit_limit, kRing);
  EXPECT_EQ(machine.state(), ReplicaMachine::State::claiming);
}

TEST(ReplicaSession, ClaimAfterReconnectNamesTheLastFrameHeld) {
  ReplicaMachine machine = streaming(2);
  machine.on_disconnected();
  EXPECT_EQ(machine.state(), ReplicaMachine::State::idle);
  machine.on_session(kEpoch);
  EXPECT_EQ(machine.claim().epoch, kEpoch);
  EXPECT_EQ(machine.claim().position, 200u);
  EXPECT_EQ(machine.claim().checksum, checksum_of(200));
  EXPECT_TRUE(machine.on_verdict({3, Verdict::resumed, 200}));
  EXPECT_EQ(machine.check_frame(frame(200, 300)), FrameVerdict::accept);
}

TEST(ReplicaSession, VerdictThatDoesNotFitTheClaimIsRefused) {
  ReplicaMachine machine = streaming(2);
  EXPECT_FALSE(machine.on_verdict({3, Verdict::resumed, 200})) << "nothing was asked";
  machine.on_disconnected();
  EXPECT_FALSE(machine.on_verdict({3, Verdict::resumed, 200})) << "there is no session";
  machine.on_session(kEpoch);
  EXPECT_FALSE(machine.on_verdict({3, Verdict::resumed, 100}));
  EXPECT_FALSE(machine.on_verdict({3, Verdict::resumed, 300}));
  EXPECT_FALSE(machine.on_verdict({3, Verdict::from_start, 200}));
  EXPECT_FALSE(machine.on_verdict({3, Verdict::from_start, 0}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::claiming);
}

TEST(ReplicaSession, NeedsFullCopyIsBelievedAtAnyTimeAndStopsTheStream) {
  ReplicaMachine machine = streaming(2);
  EXPECT_TRUE(machine.on_verdict({3, Verdict::needs_full_copy, 500}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::needs_full_copy);
  EXPECT_EQ(machine.check_frame(frame(200, 300)), FrameVerdict::not_session);
  EXPECT_FALSE(machine.acknowledgement_due({.applied = true}));
  machine.on_disconnected();
  EXPECT_EQ(machine.state(), ReplicaMachine::State::needs_full_copy) << "until another session";
}

TEST(ReplicaSession, PrimaryMayTakeBackNeedsFullCopyInAnotherSession) {
  ReplicaMachine machine = fresh();
  machine.on_session(kEpoch);
  machine.on_verdict({3, Verdict::needs_full_copy, 500});
  machine.on_disconnected();
  const Epoch reborn{6, 1};
  machine.on_session(reborn);
  EXPECT_TRUE(machine.on_verdict({3, Verdict::from_start, 0}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::streaming);
  EXPECT_EQ(machine.acknowledgement().epoch, reborn);
}

TEST(ReplicaFrame, WithoutASessionIsRefused) {
  ReplicaMachine machine = fresh();
  EXPECT_EQ(machine.check_frame(frame(0, 100)), FrameVerdict::not_session);
  machine.on_session(kEpoch);
  EXPECT_EQ(machine.check_frame(frame(0, 100)), FrameVerdict::not_session);
}

TEST(ReplicaFrame, GapAndRepetitionAreRefused) {
  ReplicaMachine machine = streaming(2);
  EXPECT_EQ(machine.check_frame(frame(300, 400)), FrameVerdict::gap);
  EXPECT_EQ(machine.check_frame(frame(100, 200)), FrameVerdict::gap);
  EXPECT_EQ(machine.check_frame(frame(200, 300)), FrameVerdict::accept);
}

TEST(ReplicaFrame, OtherPredecessorIsRefused) {
  ReplicaMachine machine = streaming(2);
  FrameInfo checksum = frame(200, 300);
  checksum.previous_checksum += 1;
  EXPECT_EQ(machine.check_frame(checksum), FrameVerdict::mismatch);
  FrameInfo epoch = frame(200, 300);
  epoch.previous_epoch = Epoch{4, 1};
  EXPECT_EQ(machine.check_frame(epoch), FrameVerdict::mismatch);
  ReplicaMachine empty = streaming();
  FrameInfo first = frame(0, 100);
  first.previous_checksum = 1;
  EXPECT_EQ(empty.check_frame(first), FrameVerdict::mismatch);
}

TEST(ReplicaFrame, EpochMustLieBetweenTheLastFrameAndTheSession) {
  ReplicaMachine machine = streaming(1);
  FrameInfo newer = frame(100, 200);
  newer.epoch = Epoch{kEpoch.number, kEpoch.incarnation + 1};
  EXPECT_EQ(machine.check_frame(newer), FrameVerdict::wrong_epoch);
  FrameInfo older = frame(100, 200);
  older.epoch = Epoch{kEpoch.number - 1, 0};
  EXPECT_EQ(machine.check_frame(older), FrameVerdict::wrong_epoch);
}

TEST(ReplicaFrame, NewPrimaryMayForwardFramesOfItsPredecessor) {
  ReplicaMachine machine = streaming(1);
  machine.on_disconnected();
  machine.on_session(Epoch{6, 1});
  machine.on_verdict({3, Verdict::resumed, 100});
  EXPECT_EQ(machine.check_frame(frame(100, 200)), FrameVerdict::accept);
  machine.on_frame(frame(100, 200));
  FrameInfo next = frame(200, 300);
  next.epoch = Epoch{6, 1};
  EXPECT_EQ(machine.check_frame(next), FrameVerdict::accept);
  machine.on_frame(next);
  FrameInfo back = frame(300, 400);
  back.previous_epoch = next.epoch;
  EXPECT_EQ(machine.check_frame(back), FrameVerdict::wrong_epoch);
}

TEST(ReplicaFrame, BeyondTheCreditIsRefusedAndApplyingGivesCredit) {
  ReplicaMachine machine = streaming(9);
  EXPECT_EQ(machine.check_frame(frame(900, 1001)), FrameVerdict::no_credit);
  EXPECT_EQ(machine.check_frame(frame(900, 1000)), FrameVerdict::accept);
  machine.on_committed(900);
  machine.on_applied(100);
  EXPECT_EQ(machine.credit_limit(), kRing + 100);
  EXPECT_EQ(machine.check_frame(frame(900, 1001)), FrameVerdict::accept);
}

TEST(ReplicaFrame, EveryVerdictSaysWhatIsWrong) {
  std::set<std::string_view> texts;
  const auto last = static_cast<int>(FrameVerdict::no_credit);
  for (int i = 0; i <= last; ++i) texts.insert(to_string(static_cast<FrameVerdict>(i)));
  EXPECT_EQ(texts.size(), static_cast<std::size_t>(last) + 1);
  EXPECT_FALSE(texts.contains("?"));
}

TEST(ReplicaExposure, ShowsWhatIsBothCommittedAndReceived) {
  ReplicaMachine machine = streaming(2);
  EXPECT_EQ(machine.exposed(), 0u);
  machine.on_committed(100);
  EXPECT_EQ(machine.exposed(), 100u);
  machine.on_committed(300);
  EXPECT_EQ(machine.exposed(), 200u);
  machine.on_frame(frame(200, 300));
  EXPECT_EQ(machine.exposed(), 300u);
}

TEST(ReplicaExposure, NeverFalls) {
  ReplicaMachine machine = streaming(2);
  machine.on_committed(200);
  machine.on_committed(100);
  EXPECT_EQ(machine.exposed(), 200u);
  machine.on_disconnected();
  EXPECT_EQ(machine.exposed(), 200u);
  machine.on_session(Epoch{6, 1});
  EXPECT_EQ(machine.exposed(), 200u);
  machine.on_verdict({3, Verdict::resumed, 200});
  machine.on_committed(50);
  EXPECT_EQ(machine.exposed(), 200u);
}

TEST(ReplicaExposure, CommittedOfAnotherPrimaryCountsOnlyAfterTheMatch) {
  ReplicaMachine machine = streaming(3);
  machine.on_committed(100);
  machine.on_disconnected();
  machine.on_session(Epoch{6, 1});
  machine.on_committed(300);
  EXPECT_EQ(machine.exposed(), 100u) << "its bytes may be others";
  machine.on_verdict({3, Verdict::needs_full_copy, 0});
  EXPECT_EQ(machine.exposed(), 100u) << "its bytes are others";
}

TEST(ReplicaExposure, CommittedThatCameBeforeTheMatchCountsAfterIt) {
  ReplicaMachine machine = streaming(3);
  machine.on_disconnected();
  machine.on_session(kEpoch);
  machine.on_committed(300);
  machine.on_verdict({3, Verdict::resumed, 300});
  EXPECT_EQ(machine.exposed(), 300u);
}

TEST(ReplicaExposure, OldPromiseDoesNotCoverBytesOfALaterSession) {
  ReplicaMachine machine = streaming(1);
  // The old primary had committed 300 of its bytes; the new one seals others behind 100.
  machine.on_committed(300);
  machine.on_disconnected();
  const Epoch reborn{6, 1};
  machine.on_session(reborn);
  machine.on_verdict({3, Verdict::resumed, 100});
  FrameInfo other = frame(100, 300);
  other.epoch = reborn;
  machine.on_frame(other);
  EXPECT_EQ(machine.exposed(), 100u);
}

TEST(ReplicaExposure, ApplyingBeyondItIsABug) {
  ReplicaMachine machine = streaming(2);
  machine.on_committed(100);
  machine.on_applied(100);
  EXPECT_DEATH(machine.on_applied(101), "CHECK failed");
}

TEST(ReplicaAcknowledgement, IsDueAtOnceWhenReceivedMoved) {
  ReplicaMachine machine = streaming();
  EXPECT_FALSE(machine.acknowledgement_due({}));
  machine.on_frame(frame(0, 100));
  EXPECT_TRUE(machine.acknowledgement_due({}));
  machine.on_acknowledged();
  EXPECT_FALSE(machine.acknowledgement_due({.applied = true}));
  EXPECT_FALSE(machine.behind_on_telling());
}

TEST(ReplicaAcknowledgement, WithoutALogIsDueAtOnceWhetherOrNotSomebodyAwaitsIt) {
  ReplicaMachine machine = streaming();
  machine.on_frame(frame(0, 100));
  EXPECT_TRUE(machine.acknowledgement_due({.received = false}));
}

TEST(ReplicaAcknowledgement, AppliedIsToldAtOnceToWhoAwaitsItAndElseAtTheNextHeartbeat) {
  ReplicaMachine machine = streaming(2);
  machine.on_acknowledged();
  machine.on_committed(200);
  EXPECT_FALSE(machine.acknowledgement_due({.applied = true}));
  machine.on_applied(100);
  EXPECT_TRUE(machine.acknowledgement_due({.applied = true}));
  EXPECT_FALSE(machine.acknowledgement_due({}));
  EXPECT_TRUE(machine.behind_on_telling());
  machine.on_acknowledged();
  EXPECT_FALSE(machine.acknowledgement_due({.applied = true}));
  EXPECT_FALSE(machine.behind_on_telling());
}

TEST(ReplicaAcknowledgement, IsDueWhenAQuarterOfTheRingBecameFree) {
  ReplicaMachine machine = streaming(5);
  machine.on_acknowledged();
  machine.on_committed(500);
  machine.on_applied(kRing / 4 - 1);
  EXPECT_FALSE(machine.acknowledgement_due({}));
  machine.on_applied(kRing / 4);
  EXPECT_TRUE(machine.acknowledgement_due({}));
}

TEST(ReplicaAcknowledgement, SaysWhatIsHeldAndHowMuchMoreFits) {
  ReplicaMachine machine = streaming(3);
  machine.on_committed(200);
  machine.on_applied(200);
  const Acknowledgement ack = machine.acknowledgement();
  EXPECT_EQ(ack.stream, 3u);
  EXPECT_EQ(ack.epoch, kEpoch);
  EXPECT_EQ(ack.incarnation, 42u);
  EXPECT_EQ(ack.received, 300u);
  EXPECT_EQ(ack.durable, 0u);
  EXPECT_EQ(ack.applied, 200u);
  EXPECT_EQ(ack.credit_limit, 200 + kRing);
}

TEST(ReplicaAcknowledgement, AfterReconnectAppliedIsToldAgainAndReceivedWasClaimed) {
  ReplicaMachine machine = streaming(1);
  machine.on_acknowledged();
  machine.on_disconnected();
  machine.on_session(kEpoch);
  machine.on_verdict({3, Verdict::resumed, 100});
  EXPECT_FALSE(machine.behind_on_telling());
  machine.on_committed(100);
  machine.on_applied(100);
  machine.on_acknowledged();
  machine.on_disconnected();
  machine.on_session(kEpoch);
  EXPECT_FALSE(machine.acknowledgement_due({.applied = true})) << "not before the verdict";
  machine.on_verdict({3, Verdict::resumed, 100});
  EXPECT_TRUE(machine.acknowledgement_due({.applied = true}));
}

}  // namespace
}  // namespace quorate::core
