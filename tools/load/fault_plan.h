#pragma once

// Faults that a load injects into the replica processes it started itself: NAME@SECONDS after the
// first write.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"

namespace quorate::tools {

struct Fault {
  enum class Kind : std::uint8_t { kill, restart, stop, cont };
  Kind kind = Kind::kill;
  std::string name;
  double at_s = 0;
};

[[nodiscard]] std::string_view to_string(Fault::Kind kind) noexcept;

/// Reads NAME@SECONDS.
Result<Fault> parse_fault(Fault::Kind kind, std::string_view text);

/// Faults in the order of their times.
class FaultPlan {
 public:
  FaultPlan() = default;
  explicit FaultPlan(std::vector<Fault> faults);

  /// The next fault whose time has come, or null.
  const Fault* due(double elapsed_s);
  /// Seconds until the next one; a large number when there is none.
  [[nodiscard]] double wait_s(double elapsed_s) const;

 private:
  std::vector<Fault> faults_;
  std::size_t next_ = 0;
};

}  // namespace quorate::tools
