#include "core/quorum.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace quorate::core {
namespace {

Position nth_by_sorting(std::vector<Position> values, std::uint32_t n) {
  std::sort(values.begin(), values.end(), std::greater<>{});
  return values[n - 1];
}

TEST(NthLargest, AgreesWithSortingForEverySizeAndRank) {
  std::uint64_t state = 1;
  for (std::uint32_t size = 1; size <= kReplicasMax; ++size) {
    for (int round = 0; round < 20; ++round) {
      std::vector<Position> values;
      for (std::uint32_t i = 0; i < size; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        // Few different values, so that ties are common.
        values.push_back((state >> 40) % (size + 1));
      }
      for (std::uint32_t n = 1; n <= size; ++n) {
        ASSERT_EQ(nth_largest(values, n), nth_by_sorting(values, n)) << size << " " << n;
      }
    }
  }
}

TEST(NthLargest, AgreesWithSortingForEveryOrderOfThreeToSixValues) {
  for (std::uint32_t size = 2; size <= 6; ++size) {
    std::vector<Position> values;
    for (std::uint32_t i = 0; i < size; ++i) values.push_back(10 * i);
    do {
      for (std::uint32_t n = 1; n <= size; ++n) {
        ASSERT_EQ(nth_largest(values, n), (size - n) * 10) << n;
      }
    } while (std::next_permutation(values.begin(), values.end()));
  }
}

RC_GTEST_PROP(NthLargest, AgreesWithSortingOnAnyValues, (std::vector<Position> values)) {
  if (values.size() > kReplicasMax) values.resize(kReplicasMax);
  RC_PRE(!values.empty());
  const auto n = *rc::gen::inRange<std::uint32_t>(1, static_cast<std::uint32_t>(values.size()) + 1);
  RC_ASSERT(nth_largest(values, n) == nth_by_sorting(values, n));
}

using QuorumDeathTest = ::testing::Test;

TEST(QuorumDeathTest, RankOutsideTheValuesIsABug) {
  const std::vector<Position> values{1, 2};
  EXPECT_DEATH(nth_largest(values, 0), "CHECK failed");
  EXPECT_DEATH(nth_largest(values, 3), "CHECK failed");
}

TEST(ReleasedPosition, RuleThatNeedsNobodyReleasesWhatThePrimaryHas) {
  const std::vector<Position> replicas{0, 0};
  EXPECT_EQ(released_position({Level::received, 0, 0}, 700, replicas), 700u);
}

TEST(ReleasedPosition, PrimaryItselfBoundsTheRelease) {
  const std::vector<Position> replicas{900, 800};
  EXPECT_EQ(released_position({Level::received, 1, 0b11}, 700, replicas), 700u);
}

TEST(ReleasedPosition, OnlyMembersCount) {
  const std::vector<Position> replicas{500, 100, 300};
  EXPECT_EQ(released_position({Level::received, 1, 0b110}, 700, replicas), 300u);
  EXPECT_EQ(released_position({Level::received, 2, 0b110}, 700, replicas), 100u);
  EXPECT_EQ(released_position({Level::received, 2, 0b111}, 700, replicas), 300u);
}

TEST(ReleasedPosition, WorksForTheLastOfSixtyFourReplicas) {
  std::vector<Position> replicas(64, 10);
  replicas[63] = 40;
  EXPECT_EQ(released_position({Level::received, 1, 1ull << 63}, 700, replicas), 40u);
  EXPECT_EQ(released_position({Level::received, 64, ~0ull}, 700, replicas), 10u);
}

/// What release means, said by counting: the furthest position that enough members have reached.
Position released_by_counting(const CompiledRule& rule, Position own,
                              const std::vector<Position>& replicas) {
  std::vector<Position> candidates = replicas;
  candidates.push_back(own);
  Position best = 0;
  for (const Position candidate : candidates) {
    std::uint32_t copies = 0;
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      if ((rule.members >> i & 1) != 0 && replicas[i] >= candidate) ++copies;
    }
    if (candidate <= own && copies >= rule.count) best = std::max(best, candidate);
  }
  return best;
}

RC_GTEST_PROP(ReleasedPosition, IsTheFurthestThatEnoughMembersHave, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 12);
  const auto replicas =
      *rc::gen::container<std::vector<Position>>(size, rc::gen::inRange<Position>(0, 20));
  const auto own = *rc::gen::inRange<Position>(0, 20);
  CompiledRule rule;
  rule.members = *rc::gen::inRange<std::uint64_t>(1, 1ull << size);
  const auto members = static_cast<std::uint32_t>(std::popcount(rule.members));
  rule.count = *rc::gen::inRange<std::uint32_t>(0, members + 1);
  RC_ASSERT(released_position(rule, own, replicas) == released_by_counting(rule, own, replicas));
}

}  // namespace
}  // namespace quorate::core
