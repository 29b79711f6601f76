// What the model rejects of the primary and of the run: claims, watermarks, commits, waiters, the
// end, and events that make no sense.

#include <optional>
#include <utility>

#include "tests/simulation/model/spoiling.h"

namespace quorate::simulation {
namespace {

bool was_released(const HistoryEvent& event) { return event.outcome == OutcomeKind::released; }

TEST(ModelRejects, AGapBetweenClaimsIsRejected) {
  expect_change_rejected(rules::kClaims, "was claimed behind", EventKind::claimed, any_event,
                         [](HistoryEvent& claim) {
                           claim.begin += 8;
                           claim.end += 8;
                         });
}

TEST(ModelRejects, ASecondPublishIsRejected) {
  expect_echo_rejected(rules::kClaims, "second time", EventKind::published, any_event, unchanged);
}

TEST(ModelRejects, AbandoningAPublishedRecordIsRejected) {
  expect_echo_rejected(rules::kClaims, "second time", EventKind::published, any_event,
                       [](HistoryEvent& event) { event.kind = EventKind::abandoned; });
}

TEST(ModelRejects, PublishingWhatWasNeverClaimedIsRejected) {
  expect_change_rejected(rules::kClaims, "never claimed", EventKind::published, any_event,
                         [](HistoryEvent& event) { event.begin += 4; });
}

TEST(ModelRejects, AClaimInAFencedStreamIsRejected) {
  expect_rejected(rules::kClaims, "after the stream was fenced", [](Spoiling& spoiling) {
    const auto fenced = spoiling.pick(EventKind::stream_fenced);
    if (!fenced) return false;
    std::size_t last = *fenced;
    while (spoiling.at(last).kind != EventKind::claimed ||
           spoiling.at(last).stream != spoiling.at(*fenced).stream) {
      --last;
    }
    HistoryEvent claim = spoiling.at(last);
    claim.begin = claim.end;
    claim.end += 16;
    spoiling.insert(*fenced + 1, claim);
    return true;
  });
}

TEST(ModelRejects, AFenceWithoutAnOpenClaimIsRejected) {
  expect_rejected(rules::kClaims, "no claim is open", [](Spoiling& spoiling) {
    const auto began = spoiling.pick(EventKind::reign_began);
    HistoryEvent fence;
    fence.kind = EventKind::stream_fenced;
    spoiling.insert(*began + 1, fence);
    return true;
  });
}

TEST(ModelRejects, AWatermarkBeyondTheQuorumIsRejected) {
  expect_rejected(rules::kWatermarks, " replicas and ", [](Spoiling& spoiling) {
    const auto mark = spoiling.pick(EventKind::watermark, [&](std::size_t i) {
      return spoiling.history.config.rules[spoiling.at(i).rule].count > 0;
    });
    return mark && spoiling.move_before_cause(*mark);
  });
}

TEST(ModelRejects, AWatermarkBeyondWhatIsWrittenIsRejected) {
  expect_change_rejected(rules::kWatermarks, " written", EventKind::watermark, any_event,
                         [](HistoryEvent& mark) { mark.end += 1u << 20; });
}

TEST(ModelRejects, AWatermarkThatFallsIsRejected) {
  expect_echo_rejected(rules::kWatermarks, "fell from", EventKind::watermark, any_event,
                       [](HistoryEvent& mark) { mark.end -= 8; });
}

TEST(ModelRejects, ACommittedPositionBeyondTheQuorumIsRejected) {
  expect_rejected(rules::kCommits, "the primary shows", [](Spoiling& spoiling) {
    if (spoiling.history.config.protected_copies < 2) return false;
    const auto committed = spoiling.pick(EventKind::committed);
    return committed && spoiling.move_before_cause(*committed);
  });
}

TEST(ModelRejects, ACommittedPositionThatFallsIsRejected) {
  expect_echo_rejected(rules::kCommits, "fell from", EventKind::committed, any_event,
                       [](HistoryEvent& committed) { committed.end -= 8; });
}

TEST(ModelRejects, ACommitToldBeyondWhatIsCommittedIsRejected) {
  expect_change_rejected(rules::kCommits, "not committed", EventKind::commit_delivered, any_event,
                         [](HistoryEvent& commit) { commit.end += 1u << 20; });
}

TEST(ModelRejects, ACommitSaidBeforeItIsTrueIsRejected) {
  expect_change_rejected(rules::kCommits, "the primary tells", EventKind::commit_sent, any_event,
                         [](HistoryEvent& commit) { commit.end += 1u << 20; });
}

TEST(ModelRejects, AWaiterToldTwiceIsRejected) {
  expect_echo_rejected(rules::kWaiters, "does not wait", EventKind::resolved, any_event,
                       unchanged);
}

TEST(ModelRejects, AWaiterToldReleasedTooEarlyIsRejected) {
  expect_rejected(rules::kWaiters, "is told released at", [](Spoiling& spoiling) {
    const auto told = spoiling.pick(EventKind::resolved,
                                    [&](std::size_t i) { return was_released(spoiling.at(i)); });
    return told && spoiling.move_before_cause(*told);
  });
}

TEST(ModelRejects, AWaiterNeverToldIsRejected) {
  expect_rejected(rules::kWaiters, "never told", [](Spoiling& spoiling) {
    const auto told = spoiling.pick(EventKind::resolved,
                                    [&](std::size_t i) { return !was_released(spoiling.at(i)); });
    // One whose stream is fenced must have been told when all is quiet, which is another rule.
    if (!told || spoiling.pick(EventKind::stream_fenced)) return false;
    spoiling.erase(*told);
    return true;
  });
}

TEST(ModelRejects, AWaiterToldUnknownWithoutAReasonIsRejected) {
  expect_rejected(rules::kWaiters, "nothing is fenced or closing", [](Spoiling& spoiling) {
    if (spoiling.pick(EventKind::stream_fenced)) return false;
    const auto told = spoiling.pick(EventKind::resolved,
                                    [&](std::size_t i) { return was_released(spoiling.at(i)); });
    if (told) spoiling.at(*told).outcome = OutcomeKind::unknown;
    return told.has_value();
  });
}

TEST(ModelRejects, AWaiterToldPendingIsRejected) {
  expect_change_rejected(rules::kWaiters, "pending or lost", EventKind::resolved, any_event,
                         [](HistoryEvent& told) { told.outcome = OutcomeKind::pending; });
}

TEST(ModelRejects, AWaiterToldLostIsRejected) {
  expect_change_rejected(rules::kWaiters, "pending or lost", EventKind::resolved, any_event,
                         [](HistoryEvent& told) { told.outcome = OutcomeKind::lost; });
}

TEST(ModelRejects, AWaiterToldOfTooFewCopiesIsRejected) {
  expect_change_rejected(rules::kWaiters, "asked were", EventKind::resolved, was_released,
                         [](HistoryEvent& told) { told.copies = 0; });
}

TEST(ModelRejects, AWaiterToldOfMoreCopiesThanAreKnownIsRejected) {
  expect_change_rejected(rules::kWaiters, "known are", EventKind::resolved, was_released,
                         [](HistoryEvent& told) { ++told.copies; });
}

TEST(ModelRejects, AWaiterThatAwaitsTwiceIsRejected) {
  expect_echo_rejected(rules::kWaiters, "a second time", EventKind::awaited, any_event, unchanged);
}

TEST(ModelRejects, AWaiterToldAfterItsReignIsRejected) {
  expect_rejected(rules::kWaiters, "after its reign", [](Spoiling& spoiling) {
    const auto told = spoiling.pick(EventKind::resolved);
    if (!told) return false;
    const HistoryEvent late = spoiling.at(*told);
    spoiling.insert(spoiling.next_of_kind(*told, EventKind::reign_ended) + 1, late);
    return true;
  });
}

TEST(ModelRejects, AReleasedWaiterThatStillWaitsWhenAllIsQuietIsRejected) {
  expect_rejected(rules::kConvergence, "still waits", [](Spoiling& spoiling) {
    const auto told = spoiling.pick(EventKind::resolved, [&](std::size_t i) {
      return was_released(spoiling.at(i)) &&
             spoiling.next_of_kind(i, EventKind::reign_began) == spoiling.size();
    });
    if (told) spoiling.erase(*told);
    return told.has_value();
  });
}

TEST(ModelRejects, AReplicaThatLacksRecordsWhenAllIsQuietIsRejected) {
  expect_rejected(rules::kConvergence, " holds ", [](Spoiling& spoiling) {
    if (spoiling.pick(EventKind::stream_fenced)) return false;
    const auto last = spoiling.pick(EventKind::claimed, [&](std::size_t i) {
      const StreamId stream = spoiling.at(i).stream;
      for (std::size_t j = i + 1; j < spoiling.size(); ++j) {
        const HistoryEvent& event = spoiling.at(j);
        if (event.kind == EventKind::reign_began) return false;
        if (event.kind == EventKind::claimed && event.stream == stream) return false;
      }
      return true;
    });
    const std::size_t quiet = spoiling.next_of_kind(0, EventKind::quiet);
    if (!last || spoiling.at(quiet).content == 0) return false;
    HistoryEvent claim = spoiling.at(*last);
    claim.begin = claim.end;
    claim.end += 16;
    spoiling.insert(quiet, claim);
    claim.kind = EventKind::published;
    spoiling.insert(quiet + 1, claim);
    return true;
  });
}

TEST(ModelRejects, AReplicaWithoutAProcessWhenAllIsQuietIsRejected) {
  expect_rejected(rules::kConvergence, "has no process", [](Spoiling& spoiling) {
    HistoryEvent& quiet = spoiling.at(spoiling.next_of_kind(0, EventKind::quiet));
    const std::uint64_t all = (1ull << spoiling.history.config.replicas) - 1;
    return std::exchange(quiet.content, all) != all;
  });
}

TEST(ModelRejects, AReplicaThatHasNotAppliedWhenAllIsQuietIsRejected) {
  expect_rejected(rules::kConvergence, "has applied", [](Spoiling& spoiling) {
    // A replica's last process, from the point where it begins to apply, applies nothing.
    const std::size_t quiet = spoiling.next_of_kind(0, EventKind::quiet);
    if (spoiling.at(quiet).content == 0 || spoiling.pick(EventKind::stream_fenced)) return false;
    std::optional<HistoryEvent> last;
    for (const HistoryEvent& event : spoiling.history.events) {
      if (event.kind == EventKind::process_began && event.replica == 0) last = event;
      if (event.kind == EventKind::applied && last && event.process == last->process) {
        last->applied = 1;
      }
    }
    if (!last || last->applied == 0) return false;
    spoiling.erase_kinds({EventKind::watermark, EventKind::awaited, EventKind::resolved});
    std::erase_if(spoiling.history.events, [&](HistoryEvent& event) {
      if (event.process != last->process) return false;
      if (event.kind != EventKind::process_began) event.applied = 0;
      return event.kind == EventKind::applied;
    });
    return true;
  });
}

TEST(ModelRejects, AnEpochUsedTwiceIsRejected) {
  expect_rejected(rules::kEvents, "epoch of an earlier reign", [](Spoiling& spoiling) {
    spoiling.history.events.push_back(
        spoiling.at(spoiling.next_of_kind(0, EventKind::reign_began)));
    return true;
  });
}

TEST(ModelRejects, TwoReignsAtOnceAreRejected) {
  expect_rejected(rules::kEvents, "has not ended", [](Spoiling& spoiling) {
    const auto ended = spoiling.pick(EventKind::reign_ended, [&](std::size_t i) {
      return spoiling.next_of_kind(i, EventKind::reign_began) < spoiling.size();
    });
    if (ended) spoiling.erase(*ended);
    return ended.has_value();
  });
}

TEST(ModelRejects, WritingWhileNobodyReignsIsRejected) {
  expect_rejected(rules::kEvents, "nobody reigns", [](Spoiling& spoiling) {
    const auto claimed = spoiling.pick(EventKind::claimed);
    if (!claimed) return false;
    const HistoryEvent late = spoiling.at(*claimed);
    spoiling.insert(spoiling.next_of_kind(*claimed, EventKind::reign_ended) + 1, late);
    return true;
  });
}

TEST(ModelRejects, WhatAnEndedProcessDoesIsRejected) {
  expect_echo_rejected(rules::kEvents, "has ended", EventKind::process_ended, any_event,
                       [](HistoryEvent& event) { event.kind = EventKind::shown; });
}

TEST(ModelRejects, WhatAProcessDoesThatNeverBeganIsRejected) {
  expect_change_rejected(rules::kEvents, "never began", EventKind::ack_sent, any_event,
                         [](HistoryEvent& event) { event.process += 1000; });
}

TEST(ModelRejects, AProcessNumberUsedTwiceIsRejected) {
  expect_rejected(rules::kEvents, "began twice", [](Spoiling& spoiling) {
    spoiling.history.events.push_back(spoiling.at(*spoiling.pick(EventKind::process_began)));
    return true;
  });
}

TEST(ModelRejects, AStreamThatThereIsNotIsRejected) {
  expect_change_rejected(rules::kEvents, "no stream", EventKind::claimed, any_event,
                         [](HistoryEvent& event) { event.stream = 1000; });
}

}  // namespace
}  // namespace quorate::simulation
