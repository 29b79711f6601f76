// Short histories told by hand, for what random ones do not reach on purpose: reigns that follow
// each other while things are under way, and what counts when.

#include "tests/simulation/model/story.h"

namespace quorate::simulation {
namespace {

TEST(ModelStory, AnAcknowledgementOfAnOlderEpochDoesNotCount) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).say(1, kFirst, 64).next_reign().write(0, 64);
  story.tell(1, kFirst, 64).is_fine();
  story.mark(0, 64).breaks(rules::kWatermarks);
}

TEST(ModelStory, ACommitOfAnOlderEpochIsNotOneOfTheNew) {
  Story story;
  story.replicate();
  story.next_reign().write(0, 64).frame(2, kSecond, 0, 64).is_fine();
  story.apply(2, 0, 64).breaks(rules::kApplying);
}

TEST(ModelStory, OneWhoHoldsAnOlderEpochMayGoOnApplyingIt) {
  Story story;
  story.replicate();
  story.next_reign().apply(1, 0, 64).is_fine();
  story.frame(1, kSecond, 64, 128).breaks(rules::kFrames);
}

TEST(ModelStory, AFrameUnderWayMayArriveAfterItsReign) {
  Story story;
  story.write(0, 64).next_reign().frame(1, kFirst, 0, 64).is_fine();
}

TEST(ModelStory, AProcessThatBeganLaterIsGivenNothingOfAnOlderReign) {
  Story story;
  story.write(0, 64).next_reign();
  story.add({.kind = EventKind::process_began, .replica = 0, .process = 3});
  story.frame(3, kFirst, 0, 64).breaks(rules::kFrames);
}

TEST(ModelStory, AnAcknowledgementUnderWayOutlivesItsProcess) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).say(1, kFirst, 64);
  story.add({.kind = EventKind::process_ended, .replica = 0, .process = 1});
  story.tell(1, kFirst, 64).mark(0, 64).is_fine();
  story.add({.kind = EventKind::process_began, .replica = 0, .process = 3});
  story.resume(3).frame(3, kFirst, 0, 64).say(3, kFirst, 64).tell(3, kFirst, 64).is_fine();
  // Two processes of one replica are one copy.
  story.mark(1, 64).breaks(rules::kWatermarks);
}

TEST(ModelStory, AppliedCountsOnlyWhenThePrimaryKnows) {
  Story story;
  story.replicate();
  story.apply(1, 0, 64).say(1, kFirst, 64, 64).is_fine();
  Story early = story;
  early.mark(2, 64).breaks(rules::kWatermarks);
  story.tell(1, kFirst, 64, 64).mark(2, 64).is_fine();
}

TEST(ModelStory, AbandonedRecordsArePassedAndCountAsApplied) {
  Story story;
  story.claim(0, 32).add({.kind = EventKind::abandoned}).write(32, 64);
  story.frame(1, kFirst, 0, 64).say(1, kFirst, 64).tell(1, kFirst, 64).say(1, kFirst, 64, 32);
  story.apply(1, 32, 64).say(1, kFirst, 64, 64).is_fine();
}

TEST(ModelStory, AClaimThatIsOpenAtTheFenceIsNeverSent) {
  Story story;
  story.write(0, 32).claim(32, 64).claim(64, 96).publish(64);
  story.add({.kind = EventKind::stream_fenced}).publish(32).frame(1, kFirst, 0, 32).is_fine();
  story.frame(1, kFirst, 32, 96).breaks(rules::kFrames);
}

TEST(ModelStory, WaitersOfANewReignMayBeNumberedAnew) {
  const HistoryEvent awaited{.kind = EventKind::awaited, .waiter = 1, .end = 64};
  const HistoryEvent told{
      .kind = EventKind::resolved, .outcome = OutcomeKind::unknown, .waiter = 1};
  Story story;
  story.write(0, 64).add(awaited).add({.kind = EventKind::closing}).add(told).next_reign();
  story.write(0, 64).add(awaited).is_fine();
  story.add({.kind = EventKind::reign_ended}).breaks(rules::kWaiters);
}

TEST(ModelStory, AStoppedReplicaMayLackWhatOthersHaveWhenAllIsQuiet) {
  Story story;
  story.replicate();
  story.apply(1, 0, 64).say(1, kFirst, 64, 64).tell(1, kFirst, 64, 64);
  story.quiet(1).is_fine();
  story.quiet(3).breaks(rules::kConvergence);
}

TEST(ModelStory, ThePrimaryMustKnowWhenAllIsQuiet) {
  Story story;
  story.replicate();
  story.apply(1, 0, 64).say(1, kFirst, 64, 64).is_fine();
  story.quiet(1).breaks(rules::kConvergence);
}

}  // namespace
}  // namespace quorate::simulation
