#include "base/watermark_waiters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>

namespace quorate::base {
namespace {

struct Awaited {
  std::atomic<Position> watermark{0};
  std::atomic<bool> ended{false};
  WatermarkWaiters waiters;
};

TEST(WatermarkWaiters, ReachedPositionDoesNotWait) {
  Awaited a;
  a.watermark = 10;
  EXPECT_TRUE(a.waiters.wait_until(a.watermark, 10, a.ended, kNever));
  EXPECT_TRUE(a.waiters.wait_until(a.watermark, 3, a.ended, 0));
  EXPECT_FALSE(a.waiters.awaited());
}

TEST(WatermarkWaiters, PassedDeadlineEndsTheWait) {
  Awaited a;
  EXPECT_FALSE(a.waiters.wait_until(a.watermark, 1, a.ended, 1));
  EXPECT_TRUE(a.waiters.awaited());
}

TEST(WatermarkWaiters, DeadlineBeforeTheClockBeganIsPassedToo) {
  Awaited a;
  EXPECT_FALSE(a.waiters.wait_until(a.watermark, 1, a.ended, -1));
  EXPECT_FALSE(a.waiters.wait_until(a.watermark, 1, a.ended, std::numeric_limits<Instant>::min()));
}

TEST(WatermarkWaiters, EndedStreamDoesNotWait) {
  Awaited a;
  a.ended = true;
  EXPECT_FALSE(a.waiters.wait_until(a.watermark, 1, a.ended, kNever));
  a.watermark = 1;
  EXPECT_TRUE(a.waiters.wait_until(a.watermark, 1, a.ended, kNever));
}

TEST(WatermarkWaiters, WhatATimedOutWaiterLeavesBehindGoesWithTheNextAdvance) {
  Awaited a;
  a.waiters.wait_until(a.watermark, 5, a.ended, 0);
  a.watermark = 4;
  a.waiters.on_advanced(4);
  EXPECT_TRUE(a.waiters.awaited());
  a.watermark = 5;
  a.waiters.on_advanced(5);
  EXPECT_FALSE(a.waiters.awaited());
}

}  // namespace
}  // namespace quorate::base
