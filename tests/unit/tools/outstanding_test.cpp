#include "tools/load/outstanding.h"

#include <gtest/gtest.h>

#include <vector>

namespace quorate::tools {
namespace {

/// Released up to a position per lane.
struct Watermarks {
  std::vector<Position> ends;
  bool operator()(std::size_t lane, Position end) const { return end <= ends[lane]; }
};

TEST(Outstanding, IsFullAtItsWindow) {
  Outstanding outstanding(3, 1, 1);
  EXPECT_TRUE(outstanding.empty());
  Histogram latencies;
  for (Position end = 10; end <= 30; end += 10) {
    EXPECT_FALSE(outstanding.full());
    outstanding.push(end, 0);
  }
  EXPECT_TRUE(outstanding.full());
  EXPECT_EQ(outstanding.oldest_end(), 10u);
  outstanding.advance(Watermarks{{20}}, 100, latencies);
  EXPECT_EQ(outstanding.pending(), 1u);
  EXPECT_EQ(outstanding.oldest_end(), 30u);
  EXPECT_FALSE(outstanding.full());
}

TEST(Outstanding, MeasuresEveryRecordFromItsOwnTime) {
  Outstanding outstanding(4, 1, 1);
  Histogram latencies;
  outstanding.push(10, 5);
  outstanding.push(20, 50);
  outstanding.advance(Watermarks{{20}}, 100, latencies);
  EXPECT_EQ(latencies.count(), 2u);
  EXPECT_EQ(latencies.least(), 50u);
  EXPECT_EQ(latencies.most(), 95u);
}

TEST(Outstanding, MeasuresOneOfSeveral) {
  Outstanding outstanding(100, 7, 1);
  Histogram latencies;
  std::uint64_t due = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    if (outstanding.full()) outstanding.advance(Watermarks{{i}}, 1000, latencies);
    due += outstanding.sample_due() ? 1 : 0;
    outstanding.push(i + 1, 1000 - static_cast<std::int64_t>(i % 7));
  }
  outstanding.advance(Watermarks{{10'000}}, 1000, latencies);
  EXPECT_TRUE(outstanding.empty());
  EXPECT_EQ(due, (10'000u + 6) / 7);
  EXPECT_EQ(latencies.count(), due);
  // Records 0, 7, 14, … all began at 1000.
  EXPECT_EQ(latencies.most(), 0u);
}

TEST(Outstanding, TakesLanesInTurn) {
  Outstanding outstanding(6, 1, 3);
  Histogram latencies;
  for (Position end : {10, 10, 10, 20, 20, 20}) outstanding.push(end, 0);
  outstanding.advance(Watermarks{{20, 10, 20}}, 1, latencies);
  // The second lane's second record is the oldest left, though lane 0 is released beyond it.
  EXPECT_EQ(outstanding.pending(), 2u);
  EXPECT_EQ(outstanding.oldest_lane(), 1u);
  EXPECT_EQ(outstanding.oldest_end(), 20u);
}

TEST(Outstanding, NeverMeasuresBelowZero) {
  Outstanding outstanding(1, 1, 1);
  Histogram latencies;
  outstanding.push(1, 500);
  outstanding.advance(Watermarks{{1}}, 400, latencies);
  EXPECT_EQ(latencies.most(), 0u);
}

}  // namespace
}  // namespace quorate::tools
