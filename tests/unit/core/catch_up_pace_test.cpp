#include "core/catch_up_pace.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quorate::core {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr Instant kBegin = 5 * kSecond_ns;

/// Live writes of `bytes_per_second` beside a catch-up that always has more to send: what it sent
/// within a second, once it knows of them.
std::uint64_t sent_beside(CatchUpPace& pace, std::uint64_t bytes_per_second,
                          std::uint64_t frame_bytes) {
  std::uint64_t sent = 0;
  for (std::int64_t ms = 0; ms < 2000; ++ms) {
    const Instant now = kBegin + ms * kMillisecond_ns;
    pace.on_written(bytes_per_second * static_cast<std::uint64_t>(ms) / 1000, now);
    std::uint64_t bytes = 0;
    for (const std::uint64_t most = pace.allowed(kMiB, now); bytes < most;) bytes += frame_bytes;
    if (bytes > 0) pace.on_sent(bytes, now);
    if (ms >= 1000) sent += bytes;
  }
  return sent;
}

TEST(CatchUpPace, HasNoLimitWhileNobodyWrites) {
  CatchUpPace pace(0);
  for (std::int64_t ms = 0; ms < 1000; ++ms) {
    const Instant now = kBegin + ms * kMillisecond_ns;
    pace.on_written(7, now);
    ASSERT_EQ(pace.allowed(kMiB, now), kMiB);
    pace.on_sent(kMiB, now);
  }
  EXPECT_EQ(pace.rate(), 0u);
}

TEST(CatchUpPace, TakesHalfAsMuchAgainAsLiveWrites) {
  CatchUpPace pace(0);
  const double sent = static_cast<double>(sent_beside(pace, 200 * kMiB, 64u << 10));
  EXPECT_NEAR(sent, 300.0 * kMiB, 6.0 * kMiB);
}

TEST(CatchUpPace, LargeFramesAreNoFaster) {
  CatchUpPace pace(0);
  const double sent = static_cast<double>(sent_beside(pace, 200 * kMiB, kMiB));
  EXPECT_NEAR(sent, 300.0 * kMiB, 6.0 * kMiB);
}

TEST(CatchUpPace, BesideFewLiveWritesItTakesTheLeast) {
  CatchUpPace pace(0);
  const double sent = static_cast<double>(sent_beside(pace, 1000, 64u << 10));
  EXPECT_NEAR(sent, static_cast<double>(CatchUpPace::kLeast_bytes), 2.0 * kMiB);
}

TEST(CatchUpPace, IsNeverFasterThanTheLimit) {
  CatchUpPace beside(10 * kMiB);
  EXPECT_NEAR(static_cast<double>(sent_beside(beside, 200 * kMiB, 64u << 10)), 10.0 * kMiB,
              static_cast<double>(kMiB));
  CatchUpPace alone(10 * kMiB);
  EXPECT_NEAR(static_cast<double>(sent_beside(alone, 0, 64u << 10)), 10.0 * kMiB,
              static_cast<double>(kMiB));
}

TEST(CatchUpPace, HearsAtOnceOfWhoBeginsToWrite) {
  CatchUpPace pace(0);
  pace.on_written(0, kBegin);
  pace.on_written(8, kBegin + 1);
  EXPECT_EQ(pace.rate(), CatchUpPace::kLeast_bytes);
}

TEST(CatchUpPace, HasNoLimitAgainWhenNobodyWroteForAWindow) {
  CatchUpPace pace(0);
  pace.on_written(0, kBegin);
  pace.on_written(500 * kMiB, kBegin + CatchUpPace::kLive_ns);
  EXPECT_GT(pace.rate(), CatchUpPace::kLeast_bytes);
  pace.on_written(500 * kMiB, kBegin + 2 * CatchUpPace::kLive_ns);
  EXPECT_EQ(pace.rate(), 0u);
}

TEST(CatchUpPace, MakesUpForALittleOfTheTimeInWhichItHadNothingToSend) {
  CatchUpPace pace(10 * kMiB);
  pace.on_sent(1, kBegin);
  const Instant later = kBegin + kSecond_ns;
  pace.on_sent(kMiB, later);
  EXPECT_EQ(pace.allowed(kMiB, later), 0u);
  EXPECT_NEAR(static_cast<double>(pace.next() - later),
              1e8 - static_cast<double>(CatchUpPace::kLate_ns), 1e6);
}

TEST(CatchUpPace, KeepsItsRateThoughEverySendIsLate) {
  CatchUpPace pace(100 * kMiB);
  std::uint64_t sent = 0;
  for (Instant now = kBegin; now < kBegin + kSecond_ns;) {
    const std::uint64_t bytes = pace.allowed(kMiB, now);
    sent += bytes;
    if (bytes > 0) pace.on_sent(bytes, now);
    now = std::max(now, pace.next()) + 700'000;
  }
  EXPECT_NEAR(static_cast<double>(sent), 100.0 * kMiB, 3.0 * kMiB);
}

}  // namespace
}  // namespace quorate::core
