#pragma once

// Faults that a load injects into the replica processes it started itself: NAME@SECONDS after the
// first write, or NAME@NMiB, once so much was appended since that replica's last fault that has a
// time, or since the first write. How far a log gets in a second differs by machine.

#include <cstdint>
#include <map>
#include <optional>
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
  std::uint64_t at_bytes = 0;  ///< not 0: instead of a time
};

[[nodiscard]] std::string_view to_string(Fault::Kind kind) noexcept;

/// Reads NAME@SECONDS or NAME@NMiB.
Result<Fault> parse_fault(Fault::Kind kind, std::string_view text);

/// Faults in the order of their times, and of what is appended.
class FaultPlan {
 public:
  FaultPlan() = default;
  explicit FaultPlan(std::vector<Fault> faults);

  /// The next fault that is due. `appended`: bytes since the first write; asked for only while
  /// some fault counts_bytes().
  std::optional<Fault> due(double elapsed_s, std::uint64_t appended);
  [[nodiscard]] bool counts_bytes() const noexcept { return !by_bytes_.empty(); }
  /// One that was not due yet; none: all were.
  [[nodiscard]] std::optional<Fault> left() const;
  /// Seconds until the next one that has a time; a large number when there is none.
  [[nodiscard]] double wait_s(double elapsed_s) const;

 private:
  [[nodiscard]] bool is_due(const Fault& fault, std::uint64_t appended) const;

  std::vector<Fault> by_time_;   ///< the next one last
  std::vector<Fault> by_bytes_;  ///< in order
  std::map<std::string, std::uint64_t> since_;  ///< appended at a replica's last fault by time
};

}  // namespace quorate::tools
