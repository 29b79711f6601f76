#pragma once

// What a command line of `simulate` means, and the command that runs one of its worlds again.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/run/campaign.h"
#include "tests/simulation/run/shrink.h"

namespace quorate::simulation {

inline constexpr std::uint64_t kSeedMax = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kSeedsMax = std::uint64_t{1} << 40;
inline constexpr std::uint32_t kSecondsMax = 86'400;
inline constexpr std::uint32_t kRateMax = 1'000'000;

struct Command {
  CampaignOptions campaign;
  std::uint64_t seed = 0;  ///< only this one; 0: a campaign
  std::uint32_t seconds = 360;
  Cuts cuts;
  bool shrink = false;
  bool json = false;
  double minutes = 0;        ///< a soak that takes so long; 0: none
  double require_hours = 0;  ///< counted ones
  bool require_faults = false;
  std::string regressions;   ///< a file of seeds that are run instead

  /// Shows the world of one of the seeds again.
  [[nodiscard]] std::string again(std::uint64_t of_seed) const;
};

struct Parsed {
  enum class What { run, help, bad };
  What what = What::run;
  Command command;
  std::string text;  ///< the help, or what is wrong
};

/// `words`: without the name of the program.
Parsed parse_command(const std::vector<std::string>& words);

/// What a campaign was required to reach and did not; empty: nothing.
std::string not_reached(const Command& command, const CampaignResult& result);

}  // namespace quorate::simulation
