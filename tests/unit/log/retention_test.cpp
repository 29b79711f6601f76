// How much of a log is kept.

#include "log/retention.h"

#include <gtest/gtest.h>

namespace quorate::log {
namespace {

/// Segments 11, 12, … of 100 bytes of file and 50 positions each.
std::vector<SegmentRange> segments(std::size_t count) {
  std::vector<SegmentRange> ranges;
  for (std::size_t i = 0; i < count; ++i) {
    ranges.push_back({11 + i, 1000 + 50 * i, 1050 + 50 * i, 100});
  }
  return ranges;
}

struct Case {
  const char* name;
  RetentionLimits limits;
  std::size_t segments;
  Position needed_from;
  std::uint64_t oldest_to_keep;
  RetentionState state;
  Position firm = kNoHold;  ///< committed, say
};

class LogRetention : public testing::TestWithParam<Case> {};

constexpr RetentionState kOk = RetentionState::ok;
constexpr RetentionState kExtended = RetentionState::extended;
constexpr RetentionState kAtRisk = RetentionState::at_risk;
constexpr RetentionState kLost = RetentionState::lost;
constexpr RetentionState kFull = RetentionState::full;

const Case kCases[] = {
    {"WithoutLimitsEverythingStays", {0, 0, 0}, 10, kNoHold, 11, kOk},
    {"WithoutLimitsAHoldExtendsNothing", {0, 0, 0}, 10, 1000, 11, kOk},
    {"WhatFitsStays", {1000, 0, 0}, 10, kNoHold, 11, kOk},
    {"WhatIsOneByteTooMuchGoes", {999, 0, 0}, 10, kNoHold, 12, kOk},
    {"TheOldestGoUntilTheRestFits", {500, 0, 0}, 10, kNoHold, 16, kOk},
    {"TheLastTwoAlwaysStay", {1, 0, 1}, 10, kNoHold, 19, kOk},
    {"TheLastTwoStayWhenThereIsNoMore", {1, 0, 1}, 2, kNoHold, 11, kOk},
    {"ALoneSegmentStays", {1, 0, 1}, 1, kNoHold, 11, kOk},
    {"AHoldKeepsItsSegmentAndWhatFollows", {500, 0, 0}, 10, 1100, 13, kExtended},
    {"AHoldThatNeedsLessExtendsNothing", {500, 0, 0}, 10, 1250, 16, kOk},
    {"WhatEndsWhereTheHoldBeginsIsNotHeld", {500, 0, 0}, 10, 1050, 12, kExtended},
    {"AHoldInTheMiddleOfASegmentKeepsIt", {500, 0, 0}, 10, 1049, 11, kExtended},
    {"BelowNineTenthsOfTheHardLimitNothingIsAtRisk", {500, 0, 1112}, 10, 1000, 11, kExtended},
    {"FromNineTenthsOnAHoldIsAtRisk", {500, 0, 1111}, 10, 1000, 11, kAtRisk},
    {"AtTheHardLimitAHoldStillKeeps", {500, 0, 1000}, 10, 1000, 11, kAtRisk},
    {"BeyondTheHardLimitAHoldLoses", {500, 0, 999}, 10, 1000, 12, kLost},
    {"WhatWasLostOnceStaysLost", {500, 0, 2000}, 10, 992, 11, kLost},
    {"TheHardLimitTakesWhatNobodyNeedsFirst", {0, 0, 999}, 10, 1050, 12, kAtRisk},
    {"WithoutAHoldTheHardLimitLosesNothing", {0, 0, 500}, 10, kNoHold, 16, kOk},
    {"AgeAloneLetsTheOldGo", {0, 60, 0}, 10, kNoHold, 14, kOk},
    {"AHoldKeepsTheOld", {0, 60, 0}, 10, 1000, 11, kExtended},
    {"WhatIsAsOldAsAllowedStays", {0, 50, 0}, 10, kNoHold, 15, kOk},
    {"EitherSoftLimitIsEnough", {300, 60, 0}, 10, kNoHold, 18, kOk},
    {"WhatIsNotCommittedStaysBeyondTheHardLimit", {1, 0, 500, 100}, 10, kNoHold, 11, kFull, 1000},
    {"WhatIsCommittedInPartStays", {1, 0, 500, 100}, 10, kNoHold, 11, kFull, 1049},
    {"WhatIsCommittedGoesFirst", {1, 0, 500, 100}, 10, kNoHold, 13, kFull, 1100},
    {"WhenEnoughIsCommittedNothingIsFull", {1, 0, 500, 100}, 10, kNoHold, 19, kOk, 1450},
    {"WhatIsNotCommittedExtendsASoftLimit", {500, 0, 0, 100}, 10, kNoHold, 12, kExtended, 1050},
    {"WhatIsNotCommittedIsNeverTooOld", {0, 60, 0, 100}, 10, kNoHold, 12, kExtended, 1050},
    {"WhereAnotherSegmentFitsNothingIsFull", {1, 0, 1100, 100}, 10, kNoHold, 11, kAtRisk, 1000},
    {"WhereNoOtherSegmentFitsItIsFull", {1, 0, 1099, 100}, 10, kNoHold, 11, kFull, 1000},
    {"WhatIsCommittedAndHeldIsNotFull", {1, 0, 1099, 100}, 10, 1000, 11, kAtRisk, 1500},
    {"WhatIsFullIsToldBeforeWhatIsLost", {1, 0, 1099, 100}, 10, 992, 11, kFull, 1000},
};

INSTANTIATE_TEST_SUITE_P(Log, LogRetention, testing::ValuesIn(kCases),
                         [](const testing::TestParamInfo<Case>& each) { return each.param.name; });

/// Segment n was begun at 10 n, and the time is 210 then: segment 15 was finished 50
/// before that.
TEST_P(LogRetention, Holds) {
  const Case& each = GetParam();
  Retention retention(each.limits, 0);
  for (std::uint64_t number = 11; number < 11 + each.segments; ++number) {
    retention.on_segment(number, static_cast<Instant>(10 * number));
  }
  const auto ranges = segments(each.segments);
  const RetentionNeeds needs{each.needed_from, each.firm};
  const RetentionVerdict verdict = retention.decide(ranges, needs, 210);
  EXPECT_EQ(verdict.oldest_to_keep, each.oldest_to_keep);
  EXPECT_EQ(verdict.oldest_end, 1050 + 50 * (verdict.oldest_to_keep - 11));
  EXPECT_EQ(verdict.state, each.state) << to_string(verdict.state);
}

TEST(LogRetentionStart, WhatWasThereAtTheStartIsNoOlderThanThat) {
  Retention retention({0, 60, 0}, 1000);
  const auto ranges = segments(5);
  EXPECT_EQ(retention.decide(ranges, {kNoHold, kNoHold}, 1060).oldest_to_keep, 11u);
  EXPECT_EQ(retention.decide(ranges, {kNoHold, kNoHold}, 1061).oldest_to_keep, 14u);
}

TEST(LogRetentionFull, SaysWhetherItIsBeyondTheLimitAlready) {
  const auto ranges = segments(5);
  for (const std::uint64_t hard : {499u, 500u}) {
    const RetentionVerdict verdict = Retention({1, 0, hard, 100}, 0).decide(ranges, {0, 0}, 100);
    EXPECT_EQ(verdict.state, RetentionState::full);
    EXPECT_EQ(verdict.beyond, hard == 499);
  }
}

TEST(LogRetentionStart, WithoutSegmentsThereIsNothingToKeep) {
  Retention retention({1, 1, 1}, 0);
  const RetentionVerdict verdict = retention.decide({}, {0, 0}, 100);
  EXPECT_EQ(verdict.oldest_to_keep, 0u);
  EXPECT_EQ(verdict.state, RetentionState::ok);
}

}  // namespace
}  // namespace quorate::log
