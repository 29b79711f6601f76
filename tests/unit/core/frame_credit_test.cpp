#include "core/frame_credit.h"

#include <gtest/gtest.h>

namespace quorate::core {
namespace {

TEST(FrameCredit, IsWhatTheLimitIsBeyondWhatWasSent) {
  FrameCredit credit(10, 13);
  EXPECT_EQ(credit.left(), 3u);
  credit.on_sent(3);
  EXPECT_EQ(credit.left(), 0u);
  credit.raise(15);
  EXPECT_EQ(credit.left(), 2u);
}

TEST(FrameCredit, DoesNotFallWhenAnOlderLimitComesLate) {
  FrameCredit credit(10, 13);
  credit.raise(12);
  EXPECT_EQ(credit.left(), 3u);
}

TEST(FrameCredit, WhatWasCutMayBeSentAgain) {
  FrameCredit credit(10, 13);
  credit.on_sent(3);
  credit.on_cut(2);
  EXPECT_EQ(credit.left(), 2u);
}

TEST(FrameCredit, GoesOnWhereTheNumbersWrapAround) {
  FrameCredit credit(0xFFFFFFFE, 0xFFFFFFFF);
  credit.on_sent(1);
  EXPECT_EQ(credit.left(), 0u);
  credit.raise(2);
  EXPECT_EQ(credit.left(), 3u);
  credit.raise(0xFFFFFFFF);
  EXPECT_EQ(credit.left(), 3u);
  credit.on_sent(3);
  EXPECT_EQ(credit.left(), 0u);
}

TEST(FrameCredit, OfAPeerWhoseLimitLiesBehindWhatItHasNothingIsLeft) {
  const FrameCredit credit(10, 9);
  EXPECT_EQ(credit.left(), 0u);
}

}  // namespace
}  // namespace quorate::core
