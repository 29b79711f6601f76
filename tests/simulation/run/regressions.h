#pragma once

// The seeds that found a bug once. They are run again with every build.

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace quorate::simulation {

struct Regression {
  std::uint64_t seed = 0;
  std::uint32_t seconds = 0;     ///< until faults end
  std::uint32_t rate_per_s = 0;  ///< 0: drawn by seed
  std::string why;
};

/// Reads lines `SEED SECONDS [RATE] # why`. The text of an error, with its line; empty: none.
std::string read_regressions(std::istream& in, std::vector<Regression>& regressions);

}  // namespace quorate::simulation
