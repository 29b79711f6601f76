// What the model rejects of replicas: frames, acknowledgements, applying, reports.

#include "tests/simulation/model/spoiling.h"

namespace quorate::simulation {
namespace {

/// Whether a frame delivered in the same reign begins with that record.
bool frame_begins_with(Spoiling& spoiling, std::size_t published) {
  const HistoryEvent& record = spoiling.at(published);
  Epoch epoch;
  for (std::size_t i = 0; i < spoiling.size(); ++i) {
    const HistoryEvent& event = spoiling.at(i);
    if (event.kind == EventKind::reign_began && i < published) epoch = event.epoch;
    if (event.kind == EventKind::reign_ended && i > published) return false;
    if (event.kind == EventKind::frame_delivered && i > published && event.epoch == epoch &&
        event.stream == record.stream && event.begin == record.begin) {
      return true;
    }
  }
  return false;
}

/// The end of the claim that was published or abandoned there.
Position end_of_claim(Spoiling& spoiling, std::size_t index) {
  const HistoryEvent& event = spoiling.at(index);
  std::size_t at = index;
  while (spoiling.at(at).kind != EventKind::claimed || spoiling.at(at).stream != event.stream ||
         spoiling.at(at).begin != event.begin) {
    --at;
  }
  return spoiling.at(at).end;
}

TEST(ModelRejects, AFrameThatLeavesAGapIsRejected) {
  expect_rejected(rules::kFrames, "no continuation", [](Spoiling& spoiling) {
    const auto frame = spoiling.pick(EventKind::frame_delivered, [&](std::size_t i) {
      const std::size_t next = spoiling.next_of_copy(i);
      return next < spoiling.size() && spoiling.at(next).kind == EventKind::frame_delivered;
    });
    if (frame) spoiling.erase(*frame);
    return frame.has_value();
  });
}

TEST(ModelRejects, AFrameDeliveredTwiceIsRejected) {
  expect_echo_rejected(rules::kFrames, "no continuation", EventKind::frame_delivered, any_event,
                       unchanged);
}

TEST(ModelRejects, AFrameThatCutsARecordIsRejected) {
  expect_change_rejected(rules::kFrames, "cuts the record", EventKind::frame_delivered, any_event,
                         [](HistoryEvent& frame) { frame.end -= 8; });
}

TEST(ModelRejects, AFrameBeyondWhatIsWrittenIsRejected) {
  expect_change_rejected(rules::kFrames, "but written are", EventKind::frame_delivered, any_event,
                         [](HistoryEvent& frame) { frame.end += 1u << 20; });
}

TEST(ModelRejects, AFrameOverAnOpenClaimIsRejected) {
  expect_rejected(rules::kFrames, "but written are", [](Spoiling& spoiling) {
    // Without what the primary shows, nothing but a frame tells what was written. With more than
    // one protected copy no commit can be told before it.
    if (spoiling.history.config.protected_copies < 2) return false;
    spoiling.erase_kinds({EventKind::watermark, EventKind::committed, EventKind::awaited,
                          EventKind::resolved, EventKind::stream_fenced});
    const auto published = spoiling.pick(
        EventKind::published, [&](std::size_t i) { return frame_begins_with(spoiling, i); });
    if (published) spoiling.erase(*published);
    return published.has_value();
  });
}

TEST(ModelRejects, AFrameOfAnEpochThatNeverWasIsRejected) {
  expect_change_rejected(rules::kFrames, "no such reign", EventKind::frame_delivered, any_event,
                         [](HistoryEvent& frame) { ++frame.epoch.incarnation; });
}

TEST(ModelRejects, AFrameOfANewEpochBehindBytesOfAnOldOneIsRejected) {
  expect_rejected(rules::kFrames, "while it holds", [](Spoiling& spoiling) {
    Epoch current;
    for (std::size_t i = 0; i < spoiling.size(); ++i) {
      const HistoryEvent& event = spoiling.at(i);
      if (event.kind == EventKind::reign_began) current = event.epoch;
      if (event.kind != EventKind::claim_sent || event.end == 0 || event.epoch == current) continue;
      HistoryEvent frame = event;
      frame.kind = EventKind::frame_delivered;
      frame.epoch = current;
      frame.begin = event.end;
      frame.end = event.end + 16;
      spoiling.insert(i + 1, frame);
      return true;
    }
    return false;
  });
}

TEST(ModelRejects, AnAcknowledgementBeyondWhatIsHeldIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, ", holds ", EventKind::ack_sent, any_event,
                         [](HistoryEvent& ack) { ack.end += 8; });
}

TEST(ModelRejects, AnAcknowledgementOfSomethingDurableIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "nothing is durable", EventKind::ack_sent,
                         any_event, [](HistoryEvent& ack) { ack.durable = ack.end; });
}

TEST(ModelRejects, AnAcknowledgementBeyondWhatIsAppliedIsRejected) {
  expect_rejected(rules::kAcknowledgements, "has applied", [](Spoiling& spoiling) {
    const auto ack = spoiling.pick(EventKind::ack_sent, [&](std::size_t i) {
      // A record is applied next, so that what lies ahead is not just abandoned claims.
      const std::size_t next = spoiling.next_of_copy(i);
      return next < spoiling.size() && spoiling.at(next).kind == EventKind::applied &&
             spoiling.at(next).end <= spoiling.at(i).end;
    });
    if (ack) spoiling.at(*ack).applied = spoiling.at(*ack).end;
    return ack.has_value();
  });
}

TEST(ModelRejects, AnAcknowledgementOfMoreAppliedThanReceivedIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "more than received", EventKind::ack_sent,
                         any_event, [](HistoryEvent& ack) { ack.applied = ack.end + 8; });
}

TEST(ModelRejects, AnAcknowledgementThatFallsIsRejected) {
  expect_echo_rejected(rules::kAcknowledgements, " after ", EventKind::ack_sent, holds_something,
                       [](HistoryEvent& ack) { ack.end = ack.applied = 0; });
}

TEST(ModelRejects, AnAcknowledgementOfAnotherEpochThanTheCopyIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "holds bytes of", EventKind::ack_sent,
                         holds_something, [](HistoryEvent& ack) { ++ack.epoch.number; });
}

TEST(ModelRejects, AnAcknowledgementThatWasNeverSentIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "never said", EventKind::ack_delivered,
                         any_event, [](HistoryEvent& ack) { ack.end += 1u << 20; });
}

TEST(ModelRejects, AClaimOfMoreThanIsHeldIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "claims", EventKind::claim_sent, any_event,
                         [](HistoryEvent& claim) { claim.end += 8; });
}

TEST(ModelRejects, AClaimOfLessThanIsHeldIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "claims", EventKind::claim_sent,
                         holds_something, [](HistoryEvent& claim) { claim.end -= 8; });
}

TEST(ModelRejects, AClaimOfAnotherEpochIsRejected) {
  expect_change_rejected(rules::kAcknowledgements, "claims", EventKind::claim_sent,
                         holds_something, [](HistoryEvent& claim) { ++claim.epoch.number; });
}

TEST(ModelRejects, ARecordAppliedTwiceIsRejected) {
  expect_echo_rejected(rules::kApplying, " again", EventKind::applied, any_event, unchanged);
}

TEST(ModelRejects, ARecordLeftOutIsRejected) {
  expect_rejected(rules::kApplying, "leaving records out", [](Spoiling& spoiling) {
    const auto applied = spoiling.pick(EventKind::applied, [&](std::size_t i) {
      const std::size_t next = spoiling.next_of_copy(i);
      return next < spoiling.size() && spoiling.at(next).kind == EventKind::applied;
    });
    if (applied) spoiling.erase(*applied);
    return applied.has_value();
  });
}

TEST(ModelRejects, ContentThatWasNotPublishedIsRejected) {
  expect_change_rejected(rules::kApplying, "other content", EventKind::applied, any_event,
                         [](HistoryEvent& record) { record.content ^= 1; });
}

TEST(ModelRejects, ContentOfAnotherEpochIsRejected) {
  expect_change_rejected(rules::kApplying, "another epoch", EventKind::applied, any_event,
                         [](HistoryEvent& record) { ++record.epoch.number; });
}

TEST(ModelRejects, ApplyingHalfARecordIsRejected) {
  expect_change_rejected(rules::kApplying, "not a record", EventKind::applied, any_event,
                         [](HistoryEvent& record) { record.end -= 8; });
}

TEST(ModelRejects, ApplyingMoreThanIsHeldIsRejected) {
  expect_change_rejected(rules::kApplying, "more than it holds", EventKind::applied, any_event,
                         [](HistoryEvent& record) { record.end += 1u << 20; });
}

TEST(ModelRejects, ApplyingWhatIsNotCommittedIsRejected) {
  expect_rejected(rules::kApplying, "not committed", [](Spoiling& spoiling) {
    if (spoiling.history.config.protected_copies < 2) return false;
    if (!spoiling.pick(EventKind::applied)) return false;
    // Nothing has reached the primary, so nothing but what it wrote is certain.
    spoiling.erase_kinds({EventKind::ack_sent, EventKind::ack_delivered,
                          EventKind::claim_delivered, EventKind::watermark, EventKind::committed,
                          EventKind::commit_sent, EventKind::commit_delivered, EventKind::awaited,
                          EventKind::resolved,
                          EventKind::shown});
    return true;
  });
}

TEST(ModelRejects, ApplyingAnAbandonedRecordIsRejected) {
  expect_rejected(rules::kApplying, "was not published", [](Spoiling& spoiling) {
    std::size_t reign = 0;
    for (std::size_t i = 0; i < spoiling.size(); ++i) {
      if (spoiling.at(i).kind == EventKind::reign_began) ++reign;
      if (spoiling.at(i).kind != EventKind::abandoned) continue;
      const HistoryEvent abandoned = spoiling.at(i);
      const Position end = end_of_claim(spoiling, i);
      for (std::size_t j = i; j < spoiling.size(); ++j) {
        const HistoryEvent applied = spoiling.at(j);
        if (applied.kind != EventKind::applied || applied.stream != abandoned.stream) continue;
        if (applied.begin != end || applied.epoch.number != reign) continue;
        HistoryEvent wrong = applied;
        wrong.begin = abandoned.begin;
        wrong.end = end;
        spoiling.insert(j, wrong);
        // An acknowledgement in between may have passed it already.
        return judge(spoiling.history).find(" again") == std::string::npos;
      }
    }
    return false;
  });
}

TEST(ModelRejects, AReportOfMoreThanIsHeldIsRejected) {
  expect_change_rejected(rules::kReports, ", holds ", EventKind::shown, any_event,
                         [](HistoryEvent& shown) { shown.end += 8; });
}

TEST(ModelRejects, AReportOfMoreExposedThanReceivedIsRejected) {
  expect_change_rejected(rules::kReports, "wrong order", EventKind::shown, any_event,
                         [](HistoryEvent& shown) { shown.begin = shown.end + 8; });
}

TEST(ModelRejects, AReportOfMoreAppliedThanExposedIsRejected) {
  expect_change_rejected(rules::kReports, "wrong order", EventKind::shown, any_event,
                         [](HistoryEvent& shown) { shown.applied = shown.begin + 8; });
}

TEST(ModelRejects, AReportThatFallsIsRejected) {
  expect_echo_rejected(
      rules::kReports, "fell", EventKind::shown, holds_something,
      [](HistoryEvent& shown) { shown.end = shown.begin = shown.applied = 0; });
}

TEST(ModelRejects, ExposingWhatIsNotCommittedIsRejected) {
  expect_rejected(rules::kReports, "committed is", [](Spoiling& spoiling) {
    if (spoiling.history.config.protected_copies < 2) return false;
    if (!spoiling.pick(EventKind::shown, [&](std::size_t i) {
          return spoiling.at(i).begin > 0;
        })) {
      return false;
    }
    spoiling.erase_kinds({EventKind::ack_sent, EventKind::ack_delivered,
                          EventKind::claim_delivered, EventKind::watermark, EventKind::committed,
                          EventKind::commit_sent, EventKind::commit_delivered, EventKind::awaited,
                          EventKind::resolved,
                          EventKind::applied});
    for (HistoryEvent& event : spoiling.history.events) {
      if (event.kind == EventKind::shown) event.applied = 0;
    }
    return true;
  });
}

}  // namespace
}  // namespace quorate::simulation
