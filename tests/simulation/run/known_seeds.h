#pragma once

// The file of seeds that found planted bugs. It is only an order in which seeds are tried: what a
// line says is believed when its world has failed once more, and passes with nothing planted.

#include <cstdint>
#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace quorate::simulation {

struct KnownSeed {
  std::string kind;  ///< of the world
  std::uint64_t seed = 0;
};

using KnownSeeds = std::map<std::string, KnownSeed>;  ///< by bug

/// What lines may name.
struct KnownNames {
  std::vector<std::string> bugs;
  std::vector<std::string> kinds;
};

/// Reads lines `BUG KIND SEED`, at most one of a bug. The text of an error, with its line; empty:
/// none.
std::string read_known_seeds(std::istream& in, const KnownNames& names, KnownSeeds& seeds);
/// With a comment on top that says what it is.
void write_known_seeds(std::ostream& out, const KnownSeeds& seeds);

}  // namespace quorate::simulation
