// The edges of the model's rules, each in a short history told by hand.

#include "tests/simulation/model/story.h"

namespace quorate::simulation {
namespace {

TEST(ModelEdge, AnEmptyFrameIsRejected) {
  Story first;
  first.write(0, 64).frame(1, kFirst, 0, 0).breaks(rules::kFrames);
  Story later;
  later.replicate().frame(1, kFirst, 64, 64).breaks(rules::kFrames);
}

TEST(ModelEdge, AnEmptyClaimIsRejected) {
  Story story;
  story.claim(0, 0).breaks(rules::kClaims);
}

TEST(ModelEdge, PublishingBeforeAnyClaimIsRejected) {
  Story story;
  story.publish(0).breaks(rules::kClaims);
}

TEST(ModelEdge, AnAcknowledgementWhoseAppliedFallsIsRejected) {
  Story story;
  story.replicate().apply(1, 0, 64).say(1, kFirst, 64, 64).is_fine();
  story.say(1, kFirst, 64, 0).breaks(rules::kAcknowledgements);
}

TEST(ModelEdge, ApplyingNothingIsRejected) {
  Story empty;
  empty.apply(1, 0, 0).breaks(rules::kApplying);
  Story behind;
  behind.replicate().apply(1, 0, 64).apply(1, 64, 64).breaks(rules::kApplying);
}

TEST(ModelEdge, ApplyingTheRestOfARecordIsRejected) {
  Story story;
  story.replicate().apply(1, 8, 64).breaks(rules::kApplying);
}

TEST(ModelEdge, AReportOfMoreAppliedThanTheProgramHasIsRejected) {
  Story story;
  story.replicate().show(1, 64, 64, 0).is_fine();
  story.show(1, 64, 64, 64).breaks(rules::kReports);
}

TEST(ModelEdge, AReportWhoseExposedOrAppliedFallsIsRejected) {
  Story exposed;
  exposed.replicate().show(1, 64, 64, 0).show(1, 64, 0, 0).breaks(rules::kReports);
  Story applied;
  applied.replicate().apply(1, 0, 64).show(1, 64, 64, 64).show(1, 64, 64, 0);
  applied.breaks(rules::kReports);
}

TEST(ModelEdge, AClaimOfNothingMayArriveWhenThereIsSomething) {
  Story story;
  story.write(0, 64).add({.kind = EventKind::claim_sent, .process = 1}).frame(1, kFirst, 0, 64);
  story.add({.kind = EventKind::claim_delivered, .process = 1}).is_fine();
}

TEST(ModelEdge, WhatArrivesBetweenReignsCountsNowhere) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).say(1, kFirst, 64);
  story.add({.kind = EventKind::reign_ended}).tell(1, kFirst, 64).is_fine();
}

TEST(ModelEdge, ACommitCountsInTheReignThatItNames) {
  Story story;
  story.replicate().next_reign().write(0, 64).commit(2, kFirst, 64).commit(2, {}, 64).is_fine();
  story.commit(2, kSecond, 64).breaks(rules::kCommits);
}

TEST(ModelEdge, ACommitOfAnOlderReignIsNotForOneWhoHoldsTheNew) {
  Story story;
  story.replicate().next_reign().write(0, 64).frame(2, kSecond, 0, 64).is_fine();
  story.commit(2, {}, 64).breaks(rules::kCommits);
}

TEST(ModelEdge, NothingIsReleasedAsDurable) {
  Story story;
  story.replicate().mark(3, 64).breaks(rules::kWatermarks);
}

TEST(ModelEdge, AReplicaOfAnOlderEpochHasNotConverged) {
  Story story;
  story.replicate().next_reign().write(0, 64).quiet(1).breaks(rules::kConvergence);
}

TEST(ModelEdge, AReplicaThatThePrimaryDoesNotKnowHasNotConverged) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).quiet(1).breaks(rules::kConvergence);
}

TEST(ModelEdge, AFencedStreamNeedNotConverge) {
  Story story;
  story.write(0, 64).claim(64, 96).add({.kind = EventKind::stream_fenced}).quiet(3).is_fine();
}

TEST(ModelEdge, OneOfTwoProcessesOfAReplicaIsEnoughToConverge) {
  Story story;
  story.replicate().apply(1, 0, 64).say(1, kFirst, 64, 64).tell(1, kFirst, 64, 64);
  story.add({.kind = EventKind::process_began, .replica = 0, .process = 3}).quiet(1).is_fine();
}

TEST(ModelEdge, WhatIsCommittedOfWhatIsWrittenMustBeApplied) {
  Story story(3);
  story.write(0, 64).write(64, 128).frame(1, kFirst, 0, 128).frame(2, kFirst, 0, 64);
  story.say(1, kFirst, 128).tell(1, kFirst, 128).say(2, kFirst, 64).tell(2, kFirst, 64);
  Story idle = story;
  idle.quiet(1).breaks(rules::kConvergence);
  story.apply(1, 0, 64).say(1, kFirst, 128, 64).tell(1, kFirst, 128, 64).quiet(1).is_fine();
}

TEST(ModelEdge, NothingConvergesWhileNobodyReigns) {
  Story story;
  story.write(0, 64).add({.kind = EventKind::reign_ended}).quiet(3).is_fine();
}

TEST(ModelEdge, ClosingAndEndingNeedAReign) {
  for (const EventKind kind : {EventKind::closing, EventKind::reign_ended}) {
    Story story;
    story.add({.kind = EventKind::reign_ended}).add({.kind = kind}).breaks(rules::kEvents);
  }
}

TEST(ModelEdge, AProcessOfAReplicaThatThereIsNotIsRejected) {
  Story story;
  story.add({.kind = EventKind::process_began, .replica = 2, .process = 9});
  story.breaks(rules::kEvents);
}

TEST(ModelEdge, NothingIsDoneByAProcessThatNeverBegan) {
  for (auto kind = EventKind::process_ended; kind < EventKind::quiet;
       kind = static_cast<EventKind>(static_cast<int>(kind) + 1)) {
    Story story;
    story.add({.kind = kind, .process = 7, .end = 8}).breaks(rules::kEvents);
  }
}

TEST(ModelEdge, NothingIsDoneByAProcessThatHasEnded) {
  for (const EventKind kind :
       {EventKind::process_ended, EventKind::frame_delivered, EventKind::commit_delivered,
        EventKind::claim_sent, EventKind::ack_sent, EventKind::applied, EventKind::shown}) {
    Story story;
    story.add({.kind = EventKind::process_ended, .process = 1}).is_fine();
    story.add({.kind = kind, .process = 1, .end = 8}).breaks(rules::kEvents);
  }
}

TEST(ModelEdge, AwaitingWhatWasNotClaimedIsRejected) {
  for (const Position end : {0u, 128u}) {
    Story story;
    story.write(0, 64).add({.kind = EventKind::awaited, .waiter = 1, .end = end});
    story.breaks(rules::kWaiters);
  }
}

TEST(ModelEdge, NumbersOfWaitersBeginAnywhereAndDoNotLeap) {
  Story story;
  story.write(0, 64);
  story.add({.kind = EventKind::awaited, .waiter = 1'000'000, .end = 64}).is_fine();
  story.add({.kind = EventKind::awaited, .waiter = 9'000'000, .end = 64});
  story.breaks(rules::kEvents);
}

TEST(ModelEdge, TellingSomebodyWhoNeverAwaitedIsRejected) {
  for (const std::uint64_t waiter : {4u, 6u}) {
    Story story;
    story.write(0, 64).add({.kind = EventKind::awaited, .waiter = 5, .end = 64});
    story.add({.kind = EventKind::resolved, .waiter = waiter}).breaks(rules::kWaiters);
  }
}

}  // namespace
}  // namespace quorate::simulation
