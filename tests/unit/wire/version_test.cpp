#include "wire/version.h"

#include <gtest/gtest.h>

namespace quorate::wire {
namespace {

TEST(Version, HighestCommonOneIsChosen) {
  EXPECT_EQ(negotiate(1, 3, 1, 2), 2);
  EXPECT_EQ(negotiate(1, 2, 1, 3), 2);
  EXPECT_EQ(negotiate(2, 2, 1, 3), 2);
  EXPECT_EQ(negotiate(1, 1, 1, 1), 1);
}

TEST(Version, RangesWithoutACommonOneDoNotMeet) {
  EXPECT_EQ(negotiate(3, 4, 1, 2), std::nullopt);
  EXPECT_EQ(negotiate(1, 2, 3, 4), std::nullopt);
}

TEST(Version, RangeThatEndsBeforeItBeginsMeetsNobody) {
  EXPECT_EQ(negotiate(2, 1, 1, 3), std::nullopt);
  EXPECT_EQ(negotiate(0xFFFF, 0, 0, 0xFFFF), std::nullopt);
}

TEST(Version, ThisBuildSpeaksWithItself) {
  EXPECT_EQ(negotiate(kVersionMin, kVersionMax), kVersionMax);
}

}  // namespace
}  // namespace quorate::wire
