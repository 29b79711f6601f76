#pragma once

// Many seeds in worker processes, so that an engine that aborts, hangs or corrupts its memory costs
// one seed and not the campaign.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/simulation/run/apart.h"
#include "tests/simulation/run/fault_mix.h"
#include "tests/simulation/world/world.h"

namespace quorate::simulation {

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  std::set<std::uint64_t> left_out;  ///< of those seeds
  std::uint32_t rate_per_s = 0;      ///< 0: drawn by seed
  Instant horizon = 360 * kSecond_ns;
  FaultMix mix;
  std::uint32_t jobs = 1;
  std::uint32_t cpu_limit_s = 120;  ///< of one seed: a hang inside a turn ends here
  double cpu_budget_s = 0;          ///< of all seeds; then it stops. 0: as much as they take
  /// No seed begins later.
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max();
  std::chrono::milliseconds progress_every{60'000};
  bool stop_at_failure = false;
  /// A process for each seed: what one spoils, no other sees. They run in their order, as many at
  /// once as there are jobs.
  bool each_apart = false;
  std::function<void(std::uint64_t seed)> before_seed;  ///< called in the worker
  /// What a seed stands for; without it, the world of its plan. Called in the worker.
  std::function<Report(std::uint64_t seed)> world;
};

struct SeedFailure {
  std::uint64_t seed = 0;  ///< 0: a worker died, but of none of its seeds
  std::string what;
  double cpu_s = 0;  ///< that it took
};

struct CampaignResult {
  std::uint64_t seeds = 0;
  std::uint64_t hash = 0;  ///< of all runs, whatever their order
  std::uint64_t events = 0;
  std::uint64_t offered = 0;
  std::uint64_t appended = 0;
  std::uint64_t applied = 0;
  std::uint64_t releases = 0;
  std::uint64_t reigns = 0;
  double simulated_s = 0;
  double counted_s = 0;
  double wall_s = 0;
  double cpu_s = 0;
  bool out_of_cpu = false;  ///< the budget was used up
  std::int64_t primary_bytes_max = 0;  ///< on the heap of a simulated process
  std::int64_t replica_bytes_max = 0;
  std::array<std::uint64_t, kFaults> faults{};
  Effects effects;
  std::array<std::uint64_t, kForgeries> forged{};
  std::vector<SeedFailure> failures;
};

/// The plan of one seed of a campaign.
Plan plan_of(const CampaignOptions& options, std::uint64_t seed);

/// What a seed of a campaign stands for, in this process.
Report run_seed(const CampaignOptions& options, std::uint64_t seed);

/// `on_failure` is called as soon as one is known, `on_progress` now and then.
CampaignResult run_campaign(
    const CampaignOptions& options, const std::function<void(const SeedFailure&)>& on_failure,
    const std::function<void(const CampaignResult&)>& on_progress = nullptr);

}  // namespace quorate::simulation
