// Many worlds in processes of their own: what is counted, what ends them, and what counts as the
// death of a planted bug.

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "tests/simulation/run/apart.h"
#include "tests/simulation/run/campaign.h"
#include "tests/simulation/run/hunt.h"

namespace quorate::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

CampaignOptions small(std::uint64_t seeds) {
  CampaignOptions options;
  options.seeds = seeds;
  options.horizon = 5 * kSecond_ns;
  return options;
}

/// So much load for so long that no machine is done with it in a second.
CampaignOptions endless() {
  CampaignOptions options;
  options.rate_per_s = 1'000'000;
  options.horizon = 86'400 * kSecond_ns;
  options.cpu_limit_s = 1;
  return options;
}

CampaignResult run(const CampaignOptions& options) {
  return run_campaign(options, [](const SeedFailure&) {});
}

TEST(Campaign, ItsHashIsTheSameWithAnyNumberOfWorkers) {
  CampaignOptions options = small(6);
  const CampaignResult one = run(options);
  options.jobs = 4;
  const CampaignResult four = run(options);
  EXPECT_EQ(one.seeds, 6u);
  EXPECT_EQ(one.failures.size(), 0u);
  EXPECT_EQ(one.hash, four.hash);
  EXPECT_EQ(one.events, four.events);
  EXPECT_GT(one.cpu_s, 0);
}

TEST(Campaign, SeedsThatAreLeftOutDoNotRun) {
  CampaignOptions options = small(4);
  options.left_out = {1, 2, 3};
  const CampaignResult rest = run(options);
  options = small(1);
  options.first_seed = 4;
  EXPECT_EQ(rest.seeds, 1u);
  EXPECT_EQ(rest.hash, run(options).hash);
}

TEST(Campaign, AProcessForEachSeedRunsTheSameSeedsOnce) {
  CampaignOptions options = small(7);
  options.left_out = {2, 7};
  const CampaignResult together = run(options);
  options.each_apart = true;
  options.jobs = 3;
  const CampaignResult apart = run(options);
  EXPECT_EQ(together.seeds, 5u);
  EXPECT_EQ(apart.seeds, 5u);
  EXPECT_EQ(together.hash, apart.hash);
}

TEST(Campaign, AProcessForEachSeedOutlivesNoSeed) {
  static int seeds_before = 0;
  CampaignOptions options = small(6);
  options.each_apart = true;
  options.jobs = 2;
  options.before_seed = [](std::uint64_t seed) {
    if (seeds_before++ > 0) std::_Exit(8);
    if (seed == 3) std::_Exit(9);
  };
  const CampaignResult result = run(options);
  EXPECT_EQ(result.seeds, 5u);
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].seed, 3u);
  EXPECT_EQ(result.failures[0].what, "died with status 9");
}

TEST(Campaign, AFailureSaysWhatItsSeedTook) {
  CampaignOptions options = endless();
  options.seeds = 2;
  const CampaignResult result = run(options);
  ASSERT_EQ(result.failures.size(), 2u);
  for (const SeedFailure& failure : result.failures) {
    EXPECT_GE(failure.cpu_s, 0.5);
    EXPECT_LT(failure.cpu_s, 1.5);
  }
}

TEST(Campaign, AWorldWithoutEndIsALivenessFailureOfItsSeed) {
  CampaignOptions options = endless();
  options.first_seed = 11;
  const CampaignResult result = run(options);
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].seed, 11u);
  EXPECT_EQ(result.failures[0].what, "liveness: no end within the CPU limit of a seed");
}

TEST(Campaign, AWorkerThatDiesCostsItsSeedOnly) {
  CampaignOptions options = small(4);
  options.before_seed = [](std::uint64_t seed) {
    if (seed == 2) std::_Exit(9);
  };
  const CampaignResult result = run(options);
  EXPECT_EQ(result.seeds, 3u);
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].seed, 2u);
  EXPECT_EQ(result.failures[0].what, "died with status 9");
}

TEST(Campaign, ABudgetOfCpuTimeEndsIt) {
  CampaignOptions options = endless();
  options.cpu_limit_s = 60;
  options.cpu_budget_s = 0.3;
  const CampaignResult result = run(options);
  EXPECT_TRUE(result.out_of_cpu);
  EXPECT_EQ(result.failures.size(), 0u);
  EXPECT_LT(result.cpu_s, 30);
}

TEST(Campaign, NoSeedBeginsAfterItsTimeAndProgressIsTold) {
  CampaignOptions options = small(1u << 30);
  options.until = steady_clock::now() + milliseconds(600);
  options.progress_every = milliseconds(100);
  int told = 0;
  const CampaignResult result =
      run_campaign(options, [](const SeedFailure&) {}, [&](const CampaignResult&) { ++told; });
  EXPECT_GE(result.seeds, 1u);
  EXPECT_EQ(result.failures.size(), 0u);
  EXPECT_GE(result.wall_s, 0.5);
  EXPECT_GE(told, 2);
}

TEST(Campaign, FaultsThatAreNotAllowedDoNotOccur) {
  CampaignOptions options = small(12);
  options.horizon = 60 * kSecond_ns;
  ASSERT_EQ(FaultMix::parse("reset,isolate", {}, options.mix), "");
  const CampaignResult result = run(options);
  std::uint64_t allowed = 0;
  for (std::size_t f = 0; f < kFaults; ++f) {
    const auto fault = static_cast<Fault>(f);
    if (options.mix.allows(fault)) {
      allowed += result.faults[f];
    } else {
      EXPECT_EQ(result.faults[f], 0u) << to_string(fault);
    }
  }
  EXPECT_GT(allowed, 0u);
}

TEST(Apart, ItIsTheSameWorldAsHere) {
  const Plan plan = plan_of(small(1), 5);
  const Report apart = run_apart(plan, false, 60);
  const Report here = run_here(plan, false);
  EXPECT_EQ(apart.failed, 0u);
  EXPECT_EQ(apart.hash, here.hash);
  EXPECT_EQ(apart.events, here.events);
}

TEST(Apart, AWorldWithoutEndIsReportedAndShowsItsLastLines) {
  const CampaignOptions options = endless();
  const Plan plan = plan_of(options, 1);
  const Report report = run_apart(plan, false, options.cpu_limit_s);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_STREQ(report.what, "liveness: no end within the CPU limit of a seed");
  const auto lines = last_lines(plan, options.cpu_limit_s, 40);
  EXPECT_GE(lines.size(), 1u);
  EXPECT_LE(lines.size(), 40u);
}

TEST(Apart, TheLastLinesAreThoseOfTheWholeTrace) {
  const Plan plan = plan_of(small(1), 1);
  const auto all = last_lines(plan, 60, 1'000'000);
  const auto last = last_lines(plan, 60, 3);
  ASSERT_GT(all.size(), 3u);
  EXPECT_NE(all.front().find("seed 1:"), std::string::npos);
  EXPECT_EQ(last, std::vector<std::string>(all.end() - 3, all.end()));
}

/// Stands for a bug that shows in these seeds only.
std::function<void(std::uint64_t)> dies_in(std::uint64_t seed) {
  return [seed](std::uint64_t running) {
    if (running == seed) std::_Exit(1);
  };
}

struct Hunted {
  explicit Hunted(CampaignOptions options, Hunt::Limits limits = {4, 60})
      : hunt(std::move(options), limits, [this](const SeedFailure& f) { left_out = f.seed; }) {}

  std::uint64_t left_out = 0;
  Hunt hunt;
};

TEST(Hunt, ASeedThatFailsUnplantedIsLeftOutAndKillsNothing) {
  CampaignOptions options = small(4);
  options.before_seed = dies_in(2);
  Hunted hunted(options);
  EXPECT_FALSE(hunted.hunt.run(dies_in(2)).killed);
  EXPECT_EQ(hunted.left_out, 2u);
  EXPECT_EQ(hunted.hunt.left_out(), 1u);
  EXPECT_FALSE(hunted.hunt.nothing_passes());
  const Verdict verdict = hunted.hunt.run(dies_in(3));
  EXPECT_TRUE(verdict.killed);
  EXPECT_EQ(verdict.seed, 3u);
  EXPECT_EQ(verdict.how, "died with status 1");
}

TEST(Hunt, SeedsRunUnplantedOnlyAsFarAsTheyAreNeededAndOnce) {
  Hunted hunted(small(12));
  EXPECT_TRUE(hunted.hunt.run(dies_in(1)).killed);
  EXPECT_EQ(hunted.hunt.tried(), 4u);
  EXPECT_TRUE(hunted.hunt.run(dies_in(6)).killed);
  EXPECT_EQ(hunted.hunt.tried(), 8u);
  EXPECT_TRUE(hunted.hunt.run(dies_in(2)).killed);
  EXPECT_EQ(hunted.hunt.tried(), 8u);
}

TEST(Hunt, WhereNoSeedPassesNothingIsKilled) {
  CampaignOptions options = small(2);
  options.before_seed = [](std::uint64_t) { std::_Exit(1); };
  Hunted hunted(options);
  EXPECT_FALSE(hunted.hunt.run([](std::uint64_t) { std::_Exit(1); }).killed);
  EXPECT_TRUE(hunted.hunt.nothing_passes());
}

TEST(Hunt, ABugMayTakeOnlySoMuchCpuTime) {
  CampaignOptions options = small(1u << 20);
  Hunted hunted(options, {2, 0.2});
  const Verdict verdict = hunted.hunt.run([](std::uint64_t) {});
  EXPECT_FALSE(verdict.killed);
  EXPECT_EQ(verdict.how, "its CPU time is used up");
  EXPECT_LT(verdict.cpu_s, 30);
}

}  // namespace
}  // namespace quorate::simulation
