#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace quorate::base {
namespace {

TEST(Random, IsSplitMix64) {
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(Random, SameSeedGivesTheSameRow) {
  Random a(7);
  Random b(7);
  Random c(8);
  int different = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    if (value != c.next()) ++different;
  }
  EXPECT_GT(different, 90);
}

TEST(Random, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(42);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random.below(seen.size());
    ASSERT_LT(value, seen.size());
    ++seen[value];
  }
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 800);
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_LT(random.below(~std::uint64_t{0}), ~std::uint64_t{0});
}

TEST(Random, SeedsOfTheSystemAreFreshAndNotZero) {
  const std::uint64_t first = random_seed();
  const std::uint64_t second = random_seed();
  EXPECT_NE(first, 0u);
  EXPECT_NE(second, 0u);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace quorate::base
