#pragma once

// What a run is drawn from. One seed makes independent streams by purpose, so that a change in one
// place does not shift what is drawn in another. Integers only: the same on every compiler.

#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace quorate::simulation {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) noexcept : random_(seed) {}

  /// The stream of one purpose, and of one of several of that purpose.
  static Draw of(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    base::Random mix(seed ^ hash ^ (index * 0x9E3779B97F4A7C15u));
    return Draw(mix.next());
  }

  std::uint64_t bits() noexcept { return random_.next(); }
  /// Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(
                     random_.below(static_cast<std::uint64_t>(high - low) + 1));
  }
  /// Between low and high, every magnitude alike: most draws are small. low > 0.
  std::int64_t magnitude(std::int64_t low, std::int64_t high) noexcept {
    std::int64_t bound = low;
    std::int64_t steps = 0;
    while (bound < high) bound *= 2, ++steps;
    const std::int64_t top = low << between(0, steps);
    return top >= high ? between(high / 2 < low ? low : high / 2, high) : between(low, top);
  }
  bool chance(std::uint32_t per_mille) noexcept { return random_.below(1000) < per_mille; }

 private:
  base::Random random_;
};

}  // namespace quorate::simulation
