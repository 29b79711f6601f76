#pragma once

// Many seeds in worker processes, so that an engine that aborts, hangs or corrupts its memory costs
// one seed and not the campaign.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/simulation/world/world.h"

namespace quorate::simulation {

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  std::uint32_t rate_per_s = 0;  ///< 0: drawn by seed
  Instant horizon = 360 * kSecond_ns;
  std::uint32_t jobs = 1;
  std::uint32_t cpu_limit_s = 120;  ///< of one seed: a hang inside a turn ends here
  bool stop_at_failure = false;
};

struct SeedFailure {
  std::uint64_t seed = 0;
  std::string what;
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
  std::array<std::uint64_t, kFaults> faults{};
  std::vector<SeedFailure> failures;
};

/// Whether a world of this plan fails; in a process of its own, that may die of it.
bool fails(const Plan& plan, std::uint32_t cpu_limit_s);

/// `on_failure` is called as soon as one is known.
CampaignResult run_campaign(const CampaignOptions& options,
                            const std::function<void(const SeedFailure&)>& on_failure);

}  // namespace quorate::simulation
