#pragma once

// Which kinds of faults may occur in a world. Plans are drawn as ever, and what is not allowed is
// left out of them: so a seed without one kind is the same world but for that.

#include <array>
#include <optional>
#include <string>

#include "tests/simulation/world/plan.h"

namespace quorate::simulation {

class FaultMix {
 public:
  /// Everything.
  FaultMix() noexcept { allowed_.fill(true); }

  /// From the values of --faults and --without, as far as they are given. The text of an error;
  /// empty: there was none.
  static std::string parse(const std::optional<std::string>& faults,
                           const std::optional<std::string>& without, FaultMix& mix);

  [[nodiscard]] bool allows(Fault fault) const noexcept {
    return allowed_[static_cast<std::size_t>(fault)];
  }
  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] bool whole() const noexcept { return options_.empty(); }
  void apply(Plan& plan) const;
  /// The options again, with a blank before each; empty for everything.
  [[nodiscard]] const std::string& options() const noexcept { return options_; }

 private:
  std::array<bool, kFaults> allowed_;
  std::string options_;
};

}  // namespace quorate::simulation
