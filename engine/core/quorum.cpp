#include "core/quorum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::core {

namespace {

/// Up to here an insertion sort beats a selection.
constexpr std::size_t kInsertionMax = 8;

Position nth_of_two(Position a, Position b, std::uint32_t n) {
  return n == 1 ? std::max(a, b) : std::min(a, b);
}

Position nth_of_three(Position a, Position b, Position c, std::uint32_t n) {
  const Position low = std::min(a, b);
  const Position high = std::max(a, b);
  if (n == 1) return std::max(high, c);
  if (n == 3) return std::min(low, c);
  return std::max(low, std::min(high, c));
}

std::uint64_t all_members(std::size_t count) {
  return count >= 64 ? ~0ull : (1ull << count) - 1;
}

Result<std::uint64_t> members_of(const Rule& rule, std::span<const std::string> replicas) {
  if (rule.names.empty()) return all_members(replicas.size());
  std::uint64_t members = 0;
  for (const std::string& name : rule.names) {
    const auto found = std::find(replicas.begin(), replicas.end(), name);
    if (found == replicas.end()) {
      return Error(Errc::invalid_option,
                   "rule names: found \"" + name + "\", which is no replica of this primary");
    }
    const std::uint64_t bit = 1ull << (found - replicas.begin());
    if (members & bit) {
      return Error(Errc::invalid_option, "rule names: \"" + name + "\" is named twice");
    }
    members |= bit;
  }
  return members;
}

Result<std::uint32_t> count_of(const Rule& rule, std::uint32_t members) {
  const auto out_of_range = [&](std::uint32_t low, std::uint32_t high) {
    if (low > high) {
      return Error(Errc::invalid_option, "rule: needs a replica, this primary has none");
    }
    return Error(Errc::invalid_option, "rule count: found " + std::to_string(rule.count) +
                                           ", allowed " + std::to_string(low) + "…" +
                                           std::to_string(high) + " with these replicas");
  };
  switch (rule.kind) {
    case Rule::Kind::async: return std::uint32_t{0};
    case Rule::Kind::all: return QUORATE_MUTANT(all_means_any) ? 1u : members;
    case Rule::Kind::any:
      if (rule.count < 1 || rule.count > members) return out_of_range(1, members);
      return rule.count;
    case Rule::Kind::copies:
      if (rule.count < 1 || rule.count > members + 1) return out_of_range(1, members + 1);
      return rule.count - 1;
  }
  return Error(Errc::invalid_option, "rule kind: unknown");
}

Position nth_by_insertion(std::span<const Position> values, std::uint32_t n) {
  std::array<Position, kInsertionMax> sorted;
  std::uint32_t size = 0;
  for (const Position value : values) {
    std::uint32_t at = size++;
    for (; at > 0 && sorted[at - 1] < value; --at) sorted[at] = sorted[at - 1];
    sorted[at] = value;
  }
  return sorted[n - 1];
}

}  // namespace

Position nth_largest(std::span<const Position> values, std::uint32_t n) noexcept {
  CHECK(n >= 1 && n <= values.size() && values.size() <= kReplicasMax);
  switch (values.size()) {
    case 1: return values[0];
    case 2: return nth_of_two(values[0], values[1], n);
    case 3: return nth_of_three(values[0], values[1], values[2], n);
    default: break;
  }
  if (values.size() <= kInsertionMax) return nth_by_insertion(values, n);
  std::array<Position, kReplicasMax> copy;
  const auto end = std::copy(values.begin(), values.end(), copy.begin());
  const auto nth = copy.begin() + (n - 1);
  std::nth_element(copy.begin(), nth, end, std::greater<>{});
  return *nth;
}

Result<CompiledRule> compile_rule(const Rule& rule, std::span<const std::string> replicas,
                                  std::uint32_t floor_copies, bool has_log) {
  if (rule.level == Level::durable && !has_log) {
    return Error(Errc::unsupported,
                 "level durable: this primary keeps no log; set its directory, or use received or "
                 "applied");
  }
  if (rule.kind == Rule::Kind::async && rule.level == Level::applied) {
    return Error(Errc::invalid_option, "level applied: not offered for async; allowed received");
  }
  auto members = members_of(rule, replicas);
  if (!members) return members.error();
  CompiledRule compiled{rule.level, 0, members.value()};
  auto count = count_of(rule, static_cast<std::uint32_t>(std::popcount(members.value())));
  if (!count) return count.error();
  compiled.count = count.value();
  // A rule that needs nobody is the same rule whomever it names.
  if (compiled.count == 0) compiled.members = 0;
  if (compiled.count + 1 < floor_copies) {
    return Error(Errc::invalid_option, "rule: asks for " + std::to_string(compiled.count + 1) +
                                           " copies, floor_copies requires at least " +
                                           std::to_string(floor_copies));
  }
  return compiled;
}

Position released_position(const CompiledRule& rule, Position own,
                           std::span<const Position> replicas) noexcept {
  if (rule.count == 0) return own;
  std::array<Position, kReplicasMax> counted;
  std::uint32_t size = 0;
  for (std::uint64_t left = rule.members; left != 0; left &= left - 1) {
    counted[size++] = replicas[std::countr_zero(left)];
  }
  const std::uint32_t count =
      QUORATE_MUTANT(quorum_off_by_one) && rule.count > 1 ? rule.count - 1 : rule.count;
  return std::min(own, nth_largest({counted.data(), size}, count));
}

}  // namespace quorate::core
