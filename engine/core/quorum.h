#pragma once

// From acknowledged positions to a released position. Pure functions; no state, no allocation.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quorate/error.h"
#include "quorate/rule.h"
#include "quorate/types.h"

namespace quorate::core {

/// The n-th largest value, n counted from 1. Requires 1 <= n <= values.size() <= kReplicasMax.
/// Comparisons alone for up to 3 values; no allocation for any size.
Position nth_largest(std::span<const Position> values, std::uint32_t n) noexcept;

/// A rule with its names resolved: the primary and any `count` of the replicas in `members`.
struct CompiledRule {
  Level level = Level::received;
  std::uint32_t count = 0;      ///< replicas needed besides the primary; 0 for async
  std::uint64_t members = 0;    ///< bit i: the i-th replica may count; none when count is 0

  friend bool operator==(const CompiledRule&, const CompiledRule&) = default;
};

/// Resolves names against the configuration. Errors name the field and the allowed range: unknown
/// or repeated names, counts of 0 or above the members, async applied, fewer copies than the floor,
/// durable without a log.
Result<CompiledRule> compile_rule(const Rule& rule, std::span<const std::string> replicas,
                                  std::uint32_t floor_copies, bool has_log = false);

/// The position released under a rule, from one position per replica at the rule's level.
/// `own` bounds it: nothing is released that the primary itself does not have.
Position released_position(const CompiledRule& rule, Position own,
                           std::span<const Position> replicas) noexcept;

}  // namespace quorate::core
