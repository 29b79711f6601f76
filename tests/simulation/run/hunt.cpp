#include "tests/simulation/run/hunt.h"

#include <algorithm>
#include <utility>

namespace quorate::simulation {

Hunt::Hunt(CampaignOptions options, Limits limits,
           std::function<void(const SeedFailure&)> on_left_out)
    : options_(std::move(options)), limits_(limits), on_left_out_(std::move(on_left_out)) {}

CampaignOptions Hunt::slice_from(std::uint64_t offset) const {
  CampaignOptions slice = options_;
  slice.first_seed = options_.first_seed + offset;
  slice.seeds = std::min(limits_.slice, options_.seeds - offset);
  return slice;
}

void Hunt::try_unplanted(const CampaignOptions& slice) {
  const CampaignResult result = run_campaign(slice, on_left_out_);
  for (const SeedFailure& failure : result.failures) {
    if (failure.seed != 0) options_.left_out.insert(failure.seed);
  }
  tried_ += slice.seeds;
  cpu_s_ += result.cpu_s;
}

Verdict Hunt::run(const std::function<void(std::uint64_t seed)>& plant) {
  Verdict verdict;
  const auto kill = [&](const SeedFailure& failure) {
    if (verdict.killed || failure.seed == 0) return;
    verdict.killed = true;
    verdict.seed = failure.seed;
    verdict.how = failure.what;
  };
  for (std::uint64_t offset = 0; offset < options_.seeds; offset += limits_.slice) {
    if (offset >= tried_) try_unplanted(slice_from(offset));
    CampaignOptions slice = slice_from(offset);
    slice.before_seed = plant;
    slice.stop_at_failure = true;
    slice.cpu_budget_s = limits_.cpu_s - verdict.cpu_s;
    const CampaignResult result = run_campaign(slice, kill);
    verdict.cpu_s += result.cpu_s;
    cpu_s_ += result.cpu_s;
    if (verdict.killed) return verdict;
    if (result.out_of_cpu || verdict.cpu_s >= limits_.cpu_s) {
      verdict.how = "its CPU time is used up";
      return verdict;
    }
  }
  return verdict;
}

}  // namespace quorate::simulation
