#pragma once

// Looks for the seed that finds a planted bug. Only seeds that pass with nothing planted count:
// where the world fails by itself, its failure says nothing of the bug.

#include <cstdint>
#include <functional>
#include <string>

#include "tests/simulation/run/campaign.h"

namespace quorate::simulation {

struct Verdict {
  bool killed = false;
  std::uint64_t seed = 0;  ///< that killed it
  std::string kind;        ///< of the world of that seed
  double cpu_s = 0;        ///< of the hunt
  bool known = false;      ///< no hunt was needed: the seed was known to kill it
  std::string how;
};

class Hunt {
 public:
  struct Limits {
    std::uint64_t slice = 64;  ///< so many seeds are tried unplanted at once
    double cpu_s = 600;        ///< of one planted bug
  };

  /// `options`: the seeds. `on_left_out` hears of each that fails with nothing planted.
  Hunt(CampaignOptions options, Limits limits,
       std::function<void(const SeedFailure&)> on_left_out);

  /// `plant` is called before each world, in the process that runs it.
  Verdict run(const std::function<void(std::uint64_t seed)>& plant);

  [[nodiscard]] const CampaignOptions& options() const noexcept { return options_; }
  /// Seeds that ran with nothing planted, and those of them that failed.
  [[nodiscard]] std::uint64_t tried() const noexcept { return tried_; }
  [[nodiscard]] std::uint64_t left_out() const noexcept { return options_.left_out.size(); }
  [[nodiscard]] bool nothing_passes() const noexcept { return tried_ == left_out(); }
  /// CPU time of everything so far.
  [[nodiscard]] double cpu_s() const noexcept { return cpu_s_; }

 private:
  [[nodiscard]] CampaignOptions slice_from(std::uint64_t offset) const;
  void try_unplanted(const CampaignOptions& slice);

  CampaignOptions options_;
  const Limits limits_;
  const std::function<void(const SeedFailure&)> on_left_out_;
  std::uint64_t tried_ = 0;
  double cpu_s_ = 0;
};

}  // namespace quorate::simulation
