// What a log does at its hard limit: from every state, with everything that may happen.

#include "log/log_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace quorate::log {
namespace {

using Limit = LimitState;

constexpr Position kOldestEnd = 1000;
constexpr bool kPrimary = true;  ///< waits for what is not committed
constexpr bool kReplica = false;
constexpr bool kRoom = false;    ///< the last segment is not full
constexpr bool kNoRoom = true;

RetentionVerdict verdict_of(RetentionState state, bool beyond = false) {
  return {11, kOldestEnd, state, beyond};
}
const RetentionVerdict kFits = verdict_of(RetentionState::ok);
const RetentionVerdict kAtLimit = verdict_of(RetentionState::full);
const RetentionVerdict kBeyondLimit = verdict_of(RetentionState::full, true);

/// What follows from the state it says it is in.
void expect_limit(const LogLimit& limit, Limit state) {
  EXPECT_EQ(limit.state(), state);
  EXPECT_EQ(limit.holds(), state == Limit::last_segment || state == Limit::beyond);
  EXPECT_EQ(limit.takes(), state != Limit::beyond);
}

LogLimit limit_in(Limit state) {
  LogLimit limit(state == Limit::parting);
  switch (state) {
    case Limit::within:
    case Limit::parting: break;
    case Limit::gives_way: limit.on_verdict(kAtLimit, kOldestEnd - 1, kReplica); break;
    case Limit::last_segment: limit.on_verdict(kAtLimit, kOldestEnd - 1, kPrimary); break;
    case Limit::beyond: limit.on_verdict(kBeyondLimit, kOldestEnd - 1, kPrimary); break;
    case Limit::lifted: limit.lift(); break;
  }
  expect_limit(limit, state);
  return limit;
}

const Limit kAllLimits[] = {Limit::within, Limit::gives_way, Limit::last_segment,
                            Limit::beyond, Limit::parting,   Limit::lifted};
/// Those in which it does what the last verdict says, whatever was before.
const Limit kJudgedLimits[] = {Limit::within, Limit::gives_way, Limit::last_segment, Limit::beyond};

struct Judgement {
  const char* name;
  RetentionVerdict verdict;
  Position committed;
  bool waits_for_commit;
  Limit state;
};

const Judgement kJudgements[] = {
    {"WhatFitsIsWithin", kFits, 0, kPrimary, Limit::within},
    {"NearTheLimitIsWithin", verdict_of(RetentionState::at_risk), 0, kPrimary, Limit::within},
    {"WhatIsLostIsWithin", verdict_of(RetentionState::lost), 0, kReplica, Limit::within},
    {"APrimaryWaitsForCommit", kAtLimit, 0, kPrimary, Limit::last_segment},
    {"APrimaryWaitsAlsoForWhatIsCommittedInPart", kAtLimit, kOldestEnd - 1, kPrimary,
     Limit::last_segment},
    {"AReplicaGivesWayToWhatIsNotCommitted", kAtLimit, 0, kReplica, Limit::gives_way},
    {"AReplicaGivesWayToWhatIsCommittedInPart", kAtLimit, kOldestEnd - 1, kReplica,
     Limit::gives_way},
    {"AReplicaWaitsForItsProgramToReadWhatIsCommitted", kAtLimit, kOldestEnd, kReplica,
     Limit::last_segment},
    {"BeyondTheLimitAPrimaryTakesNothing", kBeyondLimit, 0, kPrimary, Limit::beyond},
    {"BeyondTheLimitAReplicaGivesWayAllTheSame", kBeyondLimit, 0, kReplica, Limit::gives_way},
    {"BeyondTheLimitAReplicaTakesNothingUntilItsProgramHasRead", kBeyondLimit, kOldestEnd,
     kReplica, Limit::beyond},
};

class LogLimitVerdict : public testing::TestWithParam<Judgement> {};

INSTANTIATE_TEST_SUITE_P(Log, LogLimitVerdict, testing::ValuesIn(kJudgements),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(LogLimitVerdict, HoldsWhateverWasBefore) {
  const Judgement& each = GetParam();
  for (const Limit before : kJudgedLimits) {
    LogLimit limit = limit_in(before);
    limit.on_verdict(each.verdict, each.committed, each.waits_for_commit);
    expect_limit(limit, each.state);
  }
}

TEST_P(LogLimitVerdict, IsNothingToASegmentThatPartsOrALimitThatIsLifted) {
  const Judgement& each = GetParam();
  for (const Limit before : {Limit::parting, Limit::lifted}) {
    LogLimit limit = limit_in(before);
    limit.on_verdict(each.verdict, each.committed, each.waits_for_commit);
    expect_limit(limit, before);
  }
}

TEST(LogLimit, PartingEndsWithTheSegmentThatParts) {
  LogLimit limit = limit_in(Limit::parting);
  limit.on_segment_begun();
  expect_limit(limit, Limit::within);
  limit.on_verdict(kBeyondLimit, 0, kPrimary);
  expect_limit(limit, Limit::beyond);
}

TEST(LogLimit, AnyOtherSegmentThatBeginsSaysNothingOfTheLimit) {
  for (const Limit state : kAllLimits) {
    if (state == Limit::parting) continue;
    LogLimit limit = limit_in(state);
    limit.on_segment_begun();
    expect_limit(limit, state);
  }
}

TEST(LogLimit, ALogIsCutWhateverTheLimitIs) {
  for (const Limit state : kAllLimits) {
    LogLimit limit = limit_in(state);
    limit.on_parting();
    expect_limit(limit, state == Limit::lifted ? Limit::lifted : Limit::parting);
  }
}

TEST(LogLimit, IsLiftedForGoodFromEveryState) {
  for (const Limit state : kAllLimits) {
    LogLimit limit = limit_in(state);
    limit.lift();
    limit.on_verdict(kBeyondLimit, 0, kPrimary);
    limit.on_parting();
    limit.on_segment_begun();
    expect_limit(limit, Limit::lifted);
  }
}

TEST(LogLimit, IsFullOnlyWhereItWaitsAndSomethingWaitsForIt) {
  for (const Limit state : kAllLimits) {
    for (const bool no_room : {kRoom, kNoRoom}) {
      LogLimit limit = limit_in(state);
      const bool full = state == Limit::beyond || (state == Limit::last_segment && no_room);
      EXPECT_EQ(limit.update_full(no_room), full);
      EXPECT_EQ(limit.full(), full);
      EXPECT_FALSE(limit.update_full(no_room)) << "told once";
    }
  }
}

TEST(LogLimit, WhatTheLastSegmentHasRoomForIsTakenBeforeItIsFull) {
  LogLimit limit = limit_in(Limit::last_segment);
  EXPECT_TRUE(limit.takes());
  EXPECT_FALSE(limit.update_full(kRoom));
  EXPECT_TRUE(limit.update_full(kNoRoom));
  EXPECT_TRUE(limit.takes()) << "the segment itself refuses";
}

TEST(LogLimit, WhatIsCommittedMeanwhileEndsItButFullIsToldInItsTime) {
  LogLimit limit = limit_in(Limit::last_segment);
  ASSERT_TRUE(limit.update_full(kNoRoom));
  limit.on_verdict(kFits, kOldestEnd, kPrimary);
  expect_limit(limit, Limit::within);
  EXPECT_TRUE(limit.full());
  EXPECT_TRUE(limit.update_full(kNoRoom)) << "that other segment may be begun";
  EXPECT_FALSE(limit.full());
}

TEST(LogLimit, ALogThatWasOpenedBeyondTakesWhatThereIsRoomForOnceItIsOnlyAtTheLimit) {
  LogLimit limit = limit_in(Limit::beyond);
  ASSERT_TRUE(limit.update_full(kRoom));
  limit.on_verdict(kAtLimit, kOldestEnd - 1, kPrimary);
  expect_limit(limit, Limit::last_segment);
  EXPECT_TRUE(limit.update_full(kRoom));
  EXPECT_FALSE(limit.full());
}

TEST(LogLimit, AReplicaThatGaveWayWaitsWhenWhatItHasIsCommittedAndGoesOnWhenItIsRead) {
  LogLimit limit = limit_in(Limit::gives_way);
  limit.on_verdict(kBeyondLimit, kOldestEnd, kReplica);
  expect_limit(limit, Limit::beyond);
  EXPECT_TRUE(limit.update_full(kRoom));
  limit.on_verdict(kFits, kOldestEnd, kReplica);
  expect_limit(limit, Limit::within);
  EXPECT_TRUE(limit.update_full(kRoom));
}

TEST(LogLimit, WithoutAVerdictAsAfterAnErrorItStaysFullUntilItIsLifted) {
  LogLimit limit = limit_in(Limit::last_segment);
  ASSERT_TRUE(limit.update_full(kNoRoom));
  EXPECT_FALSE(limit.update_full(kNoRoom));
  EXPECT_TRUE(limit.full());
  limit.lift();
  EXPECT_TRUE(limit.update_full(kNoRoom));
  EXPECT_FALSE(limit.full());
}

TEST(LogLimit, WhatWasFullIsNotWhenTheLogIsCut) {
  LogLimit limit = limit_in(Limit::beyond);
  ASSERT_TRUE(limit.update_full(kRoom));
  limit.on_parting();
  EXPECT_TRUE(limit.update_full(kNoRoom)) << "it is begun";
  EXPECT_FALSE(limit.full());
}

}  // namespace
}  // namespace quorate::log
