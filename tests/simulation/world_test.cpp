// Whole worlds: what must be true of the simulation itself, before it can say anything of the
// engine.

#include <gtest/gtest.h>

#include "tests/simulation/run/shrink.h"
#include "tests/simulation/world/world.h"

namespace quorate::simulation {
namespace {

constexpr Instant kHorizon = 20 * kSecond_ns;

WorldResult run(std::uint64_t seed) {
  return World(Plan::draw(seed, 0, kHorizon), false).run();
}

TEST(World, TwoRunsOfOneSeedAreTheSame) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const WorldResult first = run(seed);
    const WorldResult second = run(seed);
    EXPECT_EQ(first.failure, second.failure);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events);
  }
}

TEST(World, SeedsDiffer) { EXPECT_NE(run(1).hash, run(2).hash); }

TEST(World, WritesAreReleasedAndApplied) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const WorldResult result = run(seed);
    EXPECT_EQ(result.failure, "");
    EXPECT_GT(result.appended, 0u);
    EXPECT_GT(result.applied, 0u);
    EXPECT_GE(result.simulated_ns, kHorizon);
    EXPECT_LE(result.counted_ns, result.simulated_ns);
  }
}

TEST(World, EveryKindOfFaultIsDrawnBySomeSeed) {
  std::array<bool, kFaults> seen{};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    for (const Episode& episode : Plan::draw(seed, 0, 360 * kSecond_ns).episodes) {
      seen[static_cast<std::size_t>(episode.fault)] = true;
    }
  }
  for (std::size_t f = 0; f < kFaults; ++f) {
    EXPECT_TRUE(seen[f]) << to_string(static_cast<Fault>(f));
  }
}

TEST(World, AClaimMayEndWithItsPrimary) {
  std::uint64_t both = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Plan plan = Plan::draw(seed, 0, kHorizon);
    plan.primary.claim_deadline = std::chrono::seconds(60);
    plan.episodes.clear();
    for (const auto& [fault, at] :
         {std::pair{Fault::dead_claim, 5 * kSecond_ns},
          {seed % 2 == 0 ? Fault::crash_primary : Fault::close_primary, 6 * kSecond_ns}}) {
      Episode episode;
      episode.fault = fault;
      episode.at = at;
      episode.lasts_ns = kSecond_ns;
      plan.episodes.push_back(episode);
    }
    const WorldResult result = World(plan, false).run();
    EXPECT_EQ(result.failure, "") << "seed " << seed;
    both += result.faults[static_cast<std::size_t>(Fault::dead_claim)] *
            result.faults[static_cast<std::size_t>(plan.episodes[1].fault)];
  }
  EXPECT_EQ(both, 10u);
}

TEST(World, FaultsHaveEffects) {
  std::array<std::uint64_t, kEffects> sums{};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Plan plan = Plan::draw(seed, 0, 40 * kSecond_ns);
    if (seed > 30 && !plan.ledgers) continue;
    const WorldResult result = World(plan, false).run();
    EXPECT_EQ(result.failure, "") << "seed " << seed;
    for (std::size_t e = 0; e < kEffects; ++e) sums[e] += result.effects.counts[e];
  }
  for (std::size_t e = 0; e < kEffects; ++e) {
    EXPECT_GT(sums[e], 0u) << to_string(static_cast<Effect>(e));
  }
}

TEST(Cuts, AreReadAsTheyAreWritten) {
  Cuts cuts;
  ASSERT_TRUE(Cuts::parse("12s:3,7,20", cuts));
  EXPECT_EQ(cuts.until_s, 12u);
  EXPECT_EQ(cuts.episodes, (std::vector<std::uint32_t>{3, 7, 20}));
  EXPECT_EQ(cuts.to_string(), "12s:3,7,20");
  ASSERT_TRUE(Cuts::parse("5s", cuts));
  EXPECT_FALSE(cuts.chosen);
  for (const char* bad : {"", "s", "5", "5s:", "5s,", "5s:x", "5s:1;2", "5s:1,,2", "5s:1,",
                          "5s:2,1", "5s:1,1"}) {
    const bool read = Cuts::parse(bad, cuts);
    EXPECT_TRUE(!read || std::string(bad) == "5s:") << bad;
  }
}

TEST(Shrink, KeepsWhatTheFailureNeedsAndNothingElse) {
  const Plan plan = Plan::draw(7, 0, 360 * kSecond_ns);
  ASSERT_GT(plan.episodes.size(), 4u);
  const Episode needed = plan.episodes[2];
  const auto fails = [&](const Plan& smaller) {
    const auto same = [&](const Episode& episode) {
      return episode.at == needed.at && episode.fault == needed.fault;
    };
    return smaller.horizon > needed.at &&
           std::any_of(smaller.episodes.begin(), smaller.episodes.end(), same);
  };
  const Cuts cuts = shrink(plan, fails, [](const std::string&) {});
  EXPECT_EQ(cuts.episodes, std::vector<std::uint32_t>{2});
  EXPECT_LE(cuts.until_s, needed.at / kSecond_ns + 1);
}

}  // namespace
}  // namespace quorate::simulation
