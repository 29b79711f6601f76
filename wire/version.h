#pragma once

// Wire versions this build speaks, and what peers may do with each other.

#include <algorithm>
#include <cstdint>
#include <optional>

namespace quorate::wire {

inline constexpr std::uint16_t kVersionMin = 1;
inline constexpr std::uint16_t kVersionMax = 1;

/// Optional abilities, one bit each; a peer uses what both have.
inline constexpr std::uint64_t kTakesSnapshots = 1;  ///< a replica; a primary: it can offer them
inline constexpr std::uint64_t kCapabilities = kTakesSnapshots;

/// The highest version both ranges contain.
constexpr std::optional<std::uint16_t> negotiate(std::uint16_t peer_min, std::uint16_t peer_max,
                                                 std::uint16_t own_min = kVersionMin,
                                                 std::uint16_t own_max = kVersionMax) {
  const std::uint16_t version = std::min(peer_max, own_max);
  if (peer_min > peer_max || version < std::max(peer_min, own_min)) return std::nullopt;
  return version;
}

}  // namespace quorate::wire
