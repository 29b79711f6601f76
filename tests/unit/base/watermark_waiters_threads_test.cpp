#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/watermark_waiters.h"

namespace quorate::base {
namespace {

struct Awaited {
  std::atomic<Position> watermark{0};
  std::atomic<bool> ended{false};
  WatermarkWaiters waiters;

  bool wait(Position target) { return waiters.wait_until(watermark, target, ended, kNever); }
  void advance(Position to) {
    watermark.store(to, std::memory_order_release);
    waiters.on_advanced(to);
  }
};

/// Waiters that were overlooked would sleep for ever, and the test with them.
TEST(WatermarkWaitersThreads, NobodyIsOverlooked) {
  constexpr Position kEnd = 20'000;
  Awaited a;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (Position step = 1; step <= 3; ++step) {
    threads.emplace_back([&a, &wrong, step] {
      for (Position target = step; target <= kEnd; target += step) {
        if (!a.wait(target) || a.watermark.load() < target) ++wrong;
      }
    });
  }
  for (Position at = 1; at <= kEnd; ++at) {
    a.advance(at);
    if (at % 8 == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

/// Each side waits for the other, so every step is a sleep that must end by a wake-up.
TEST(WatermarkWaitersThreads, TwoThreadsHandStepsToEachOther) {
  constexpr Position kSteps = 5'000;
  Awaited ping;
  Awaited pong;
  std::thread other([&] {
    for (Position step = 1; step <= kSteps; ++step) {
      EXPECT_TRUE(ping.wait(step));
      pong.advance(step);
    }
  });
  for (Position step = 1; step <= kSteps; ++step) {
    ping.advance(step);
    EXPECT_TRUE(pong.wait(step));
  }
  other.join();
}

TEST(WatermarkWaitersThreads, LowerTargetThatComesLaterIsServedFirst) {
  Awaited a;
  std::thread high([&a] { EXPECT_TRUE(a.wait(100)); });
  while (!a.waiters.awaited()) std::this_thread::yield();
  std::thread low([&a] { EXPECT_TRUE(a.wait(1)); });
  a.advance(1);
  low.join();
  a.advance(100);
  high.join();
}

TEST(WatermarkWaitersThreads, EndReleasesEveryWaiterWithoutTheirPosition) {
  Awaited a;
  std::vector<std::thread> threads;
  for (Position target = 1; target <= 4; ++target) {
    threads.emplace_back([&a, target] { EXPECT_FALSE(a.wait(target)); });
  }
  while (!a.waiters.awaited()) std::this_thread::yield();
  a.ended.store(true);
  a.waiters.wake_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace quorate::base
