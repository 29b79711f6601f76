#pragma once

// Release rules: when is a write safe enough for the one who wrote it?
// A rule is chosen per write, on one and the same stream. The primary's own copy always counts.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/error.h"
#include "quorate/types.h"

namespace quorate {

struct Rule {
  enum class Kind : std::uint8_t {
    async,  ///< the primary has it
    any,    ///< the primary and any `count` of the named replicas (no names: of all) have it
    all,    ///< the primary and all named replicas (no names: all of the configuration) have it
    copies, ///< `count` nodes have it, the primary included
  };

  Kind kind = Kind::async;
  Level level = Level::received;  ///< async and `applied` do not go together
  std::uint32_t count = 0;
  std::vector<std::string> names;

  friend bool operator==(const Rule&, const Rule&) = default;
};

[[nodiscard]] inline Rule async(Level level = Level::received) {
  return {Rule::Kind::async, level, 0, {}};
}
[[nodiscard]] inline Rule semi_sync(std::uint32_t count = 1, Level level = Level::received) {
  return {Rule::Kind::any, level, count, {}};
}
[[nodiscard]] inline Rule sync(Level level = Level::received) {
  return {Rule::Kind::all, level, 0, {}};
}
[[nodiscard]] inline Rule any(std::uint32_t count, std::vector<std::string> names,
                              Level level = Level::received) {
  return {Rule::Kind::any, level, count, std::move(names)};
}
[[nodiscard]] inline Rule all(std::vector<std::string> names, Level level = Level::received) {
  return {Rule::Kind::all, level, 0, std::move(names)};
}
[[nodiscard]] inline Rule copies(std::uint32_t count, Level level = Level::received) {
  return {Rule::Kind::copies, level, count, {}};
}

/// Reads `async`, `semi_sync`, `semi_sync:K`, `sync`, `any:K:a,b,c`, `all:a,b`, `copies:W`.
[[nodiscard]] Result<Rule> parse_rule(std::string_view text, Level level);
[[nodiscard]] std::string to_string(const Rule& rule);

/// A registered rule of one stream: what the hot path passes instead of a Rule.
struct RuleId {
  std::uint8_t index = 0;

  friend constexpr bool operator==(RuleId, RuleId) = default;
};

}  // namespace quorate
