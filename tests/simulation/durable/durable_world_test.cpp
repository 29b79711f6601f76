// Durable worlds: that they find nothing, that what they are for does happen in them, and that a
// seed says all.

#include <gtest/gtest.h>

#include <ctime>

#include "tests/simulation/durable/durable_world.h"

namespace quorate::simulation::durable {
namespace {

constexpr Instant kHorizon = 20 * kSecond_ns;
constexpr std::uint64_t kSeeds = 30;
constexpr std::clock_t kCpuMax_s = 60;

DurableResult run(std::uint64_t seed) {
  return DurableWorld(Settings::draw(seed, kHorizon), false).run();
}

TEST(DurableWorld, NothingIsLostAndAllThatMattersHappens) {
  Counts sum;
  std::uint64_t worlds = 0;
  const std::clock_t begun = std::clock();
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    // A sanitizer takes its time: then fewer.
    if (seed > 10 && std::clock() - begun > kCpuMax_s * CLOCKS_PER_SEC) break;
    const DurableResult result = run(seed);
    EXPECT_EQ(result.failure, "") << "seed " << seed;
    sum.add(result.counts);
    ++worlds;
  }
  for (const Count count :
       {Count::kills, Count::power_losses, Count::closes, Count::deaths_in_open, Count::reopenings,
        Count::catch_ups, Count::log_cuts, Count::tails_lost, Count::replays, Count::rotations,
        Count::given_up, Count::log_failures, Count::wipes, Count::offers, Count::installs,
        Count::releases_durable, Count::releases_applied, Count::examined}) {
    EXPECT_GT(sum[count], 0u) << kCountNames[static_cast<std::size_t>(count)];
  }
  // Rarer than once in ten.
  if (worlds == kSeeds) {
    EXPECT_GT(sum[Count::no_space], 0u);
    EXPECT_GT(sum[Count::log_full], 0u);
  }
}

TEST(DurableWorld, TwoRunsOfOneSeedAreTheSame) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const DurableResult first = run(seed);
    const DurableResult second = run(seed);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.counts.values, second.counts.values);
  }
}

}  // namespace
}  // namespace quorate::simulation::durable
