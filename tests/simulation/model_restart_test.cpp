// A replica that is started again holds nothing: what the process before it had acknowledged stops
// counting as soon as the primary can know.

#include <algorithm>
#include <cstddef>

#include "tests/simulation/model/spoiling.h"
#include "tests/simulation/model/story.h"

namespace quorate::simulation {
namespace {

/// Process 1 has acknowledged 64, process 2 nothing yet.
Story acknowledged() {
  Story story;
  story.replicate();
  story.frame(2, kFirst, 0, 64).say(2, kFirst, 64);
  return story;
}

TEST(ModelRestart, WhatTheProcessBeforeHadStopsCounting) {
  Story story = acknowledged();
  story.restart().resume(3).tell(2, kFirst, 64).is_fine();
  story.mark(1, 64).breaks(rules::kWatermarks);
}

TEST(ModelRestart, ItCountsUntilThePrimaryHasSeenTheClaim) {
  Story story = acknowledged();
  // Who only ended, or lost its session, is not known to be empty.
  story.add({.kind = EventKind::session_ended, .process = 1});
  story.restart().tell(2, kFirst, 64).claim_by(3).mark(1, 64).is_fine();
}

TEST(ModelRestart, WhatWasReleasedStaysSo) {
  Story story = acknowledged();
  story.tell(2, kFirst, 64).restart().resume(3).is_fine();
  // Shown late, but true when the claim came.
  story.mark(1, 64).mark(0, 64).add({.kind = EventKind::committed, .end = 64}).is_fine();
  story.write(64, 128).mark(1, 128).breaks(rules::kWatermarks);
}

TEST(ModelRestart, WhatWasCommittedStaysSo) {
  Story story(3);
  story.replicate().frame(2, kFirst, 0, 64).say(2, kFirst, 64).tell(2, kFirst, 64);
  story.restart().resume(3).commit(2, kFirst, 64).apply(2, 0, 64).is_fine();
  Story early(3);
  early.replicate().frame(2, kFirst, 0, 64).say(2, kFirst, 64);
  early.restart().resume(3).tell(2, kFirst, 64).is_fine();
  early.commit(2, kFirst, 64).breaks(rules::kCommits);
}

TEST(ModelRestart, WhoWaitedIsToldTheCopiesOfTheRelease) {
  Story story = acknowledged();
  story.add({.kind = EventKind::awaited, .rule = 1, .waiter = 1, .end = 64});
  story.tell(2, kFirst, 64).restart().resume(3).is_fine();
  const HistoryEvent told{.kind = EventKind::resolved, .outcome = OutcomeKind::released,
                          .copies = 3, .waiter = 1};
  Story fine = story;
  fine.add(told).is_fine();
  HistoryEvent more = told;
  more.copies = 4;
  story.add(more).breaks(rules::kWaiters);
}

TEST(ModelRestart, AnAcknowledgementOfTheProcessBeforeComesTooLate) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).say(1, kFirst, 64);
  story.restart().resume(3).tell(1, kFirst, 64).is_fine();
  story.mark(0, 64).breaks(rules::kWatermarks);
}

TEST(ModelRestart, NobodyCountsWhoseClaimThePrimaryHasNotSeen) {
  Story story;
  story.replicate().next_reign().write(0, 64).frame(2, kSecond, 0, 64).say(2, kSecond, 64);
  story.tell(2, kSecond, 64).is_fine();
  story.mark(0, 64).breaks(rules::kWatermarks);
}

TEST(ModelRestart, AClaimCountsForWhatItSays) {
  Story story;
  story.write(0, 64).frame(1, kFirst, 0, 64).resume(1, kFirst, 64).mark(0, 64).is_fine();
}

TEST(ModelRestart, AClaimOfAnotherEpochCountsForNothing) {
  Story story;
  story.replicate().next_reign().write(0, 64).resume(1, kFirst, 64).is_fine();
  story.mark(0, 64).breaks(rules::kWatermarks);
}

TEST(ModelRestart, WhatIsAppliedCountsAnewAfterAClaim) {
  Story story;
  story.replicate().apply(1, 0, 64).say(1, kFirst, 64, 64).resume(1, kFirst, 64).is_fine();
  Story early = story;
  early.mark(2, 64).breaks(rules::kWatermarks);
  story.tell(1, kFirst, 64, 64).mark(2, 64).is_fine();
}

TEST(ModelRestart, AnAnswerWithoutAClaimChangesNothing) {
  Story story;
  story.replicate().answer(1).answer(2).mark(0, 64).is_fine();
}

/// A primary that goes on counting the process before: it shows what that one has once had as soon
/// as somebody else has it too.
TEST(ModelRestart, CountingTheProcessBeforeIsRejectedInAnyHistory) {
  expect_rejected(rules::kWatermarks, " replicas and ", [](Spoiling& spoiling) {
    // A rule for all, and a claim of nothing by a process whose replica had acknowledged more.
    const auto claim = spoiling.pick(EventKind::claim_answered, [&](std::size_t i) {
      const HistoryEvent& said = spoiling.at(i - 1);
      return said.kind == EventKind::claim_delivered && said.end == 0;
    });
    if (!claim) return false;
    const StreamId stream = spoiling.at(*claim).stream;
    Position marked = 0;
    Position written = 0;
    for (std::size_t i = 0; i < *claim; ++i) {
      const HistoryEvent& event = spoiling.at(i);
      if (event.kind == EventKind::reign_began) marked = written = 0;
      if (event.stream != stream) continue;
      if (event.kind == EventKind::watermark && event.rule == 2) marked = event.end;
      if (event.kind == EventKind::ack_delivered) written = std::max(written, event.end);
    }
    if (written <= marked) return false;
    HistoryEvent mark = spoiling.at(*claim);
    mark.kind = EventKind::watermark;
    mark.rule = 2;
    mark.end = written;
    spoiling.insert(*claim + 1, mark);
    return true;
  });
}

}  // namespace
}  // namespace quorate::simulation
