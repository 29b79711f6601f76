#include "tools/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace quorate::tools {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.least(), 0u);
  EXPECT_EQ(histogram.most(), 0u);
  EXPECT_EQ(histogram.at(0.5), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 128; ++value) histogram.record(value);
  for (std::uint64_t value = 0; value < 128; ++value) {
    EXPECT_EQ(histogram.at(static_cast<double>(value + 1) / 128), value);
  }
}

TEST(Histogram, KeepsEveryValueWithinItsError) {
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value : {power - 1, power, power + power / 3, power + power / 2}) {
      Histogram histogram;
      // A smaller and a larger neighbour, so that the result is not clamped to the value itself.
      histogram.record(0);
      histogram.record(value);
      histogram.record(std::numeric_limits<std::uint64_t>::max());
      const auto found = static_cast<double>(histogram.at(0.6));
      EXPECT_NEAR(found, static_cast<double>(value), static_cast<double>(value) * 0.004 + 0.5);
    }
  }
}

TEST(Histogram, AgreesWithSortedValues) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(10, 2);
  std::vector<std::uint64_t> values(100'000);
  Histogram histogram;
  for (std::uint64_t& value : values) {
    value = static_cast<std::uint64_t>(distribution(random));
    histogram.record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.at(quantile)), exact, exact * 0.008) << quantile;
  }
  EXPECT_EQ(histogram.at(1), values.back());
  EXPECT_EQ(histogram.most(), values.back());
  EXPECT_EQ(histogram.least(), values.front());
}

TEST(Histogram, MergesToTheSameAsRecordingInOne) {
  Histogram left;
  Histogram right;
  Histogram both;
  for (std::uint64_t value = 1; value < 1'000'000; value = value * 3 / 2 + 1) {
    (value % 2 == 0 ? left : right).record(value);
    both.record(value);
  }
  left.merge(right);
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.least(), both.least());
  EXPECT_EQ(left.most(), both.most());
  EXPECT_DOUBLE_EQ(left.mean(), both.mean());
  for (const double quantile : {0.1, 0.5, 0.9}) EXPECT_EQ(left.at(quantile), both.at(quantile));
}

TEST(Histogram, MergingNothingChangesNothing) {
  Histogram histogram;
  histogram.record(5);
  histogram.merge(Histogram());
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.least(), 5u);
}

}  // namespace
}  // namespace quorate::tools
