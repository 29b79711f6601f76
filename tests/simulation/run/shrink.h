#pragma once

// Makes a failing world smaller: leaves out episodes and time as long as it goes on failing. What
// is left is what the failure needs.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/world/plan.h"

namespace quorate::simulation {

/// What is left out of the plan that a seed draws. Written and read as one word, so that a smaller
/// world can be run again by a command.
struct Cuts {
  std::vector<std::uint32_t> episodes;  ///< the only ones that happen; empty with `chosen`: none
  bool chosen = false;                  ///< false: all of them
  std::uint32_t until_s = 0;            ///< faults end then; 0: as drawn

  void apply(Plan& plan) const;
  [[nodiscard]] std::string to_string() const;
  static bool parse(const std::string& text, Cuts& cuts);
};

/// `fails`: runs a plan in a process of its own and says whether it still fails.
Cuts shrink(const Plan& plan, const std::function<bool(const Plan&)>& fails,
            const std::function<void(const std::string&)>& progress);

}  // namespace quorate::simulation
