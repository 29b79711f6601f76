#pragma once

// The rows of the durable log. Each alternation measures a row and what limits it; what limits
// them differs from row to row, so a round is a set of named figures.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/end_to_end/measure.h"

namespace quorate::bench {

/// Of one alternation, by name.
using Figures = std::map<std::string, double>;

struct LogMeasurement {
  std::string name;
  std::string error;    ///< the row failed; the rounds are incomplete
  std::string backend = "none";
  std::vector<Figures> rounds;

  [[nodiscard]] std::vector<double> each(const std::string& figure) const;
};

struct LogPlan {
  std::string directory;  ///< rounds make theirs in it
  std::uint32_t repeats = 3;
  double seconds = 2;
  std::uint64_t ring_bytes = 4u << 20;
  bool pin = true;
  std::uint64_t recovery_mib = 1024;
  std::uint64_t catch_up_mib = 512;
  std::function<void(std::string_view)> progress;
};

/// Groups of rows that alternate with each other and share their limits, in the order of running.
std::vector<std::vector<std::string>> log_groups();
std::vector<std::string> log_row_names();

/// What the rows occupy on the disk at most, with room to spare.
std::uint64_t log_bytes_needed(const std::vector<std::string>& rows, const LogPlan& plan);

/// The named rows of one group. An error: the directory cannot be made.
Result<std::vector<LogMeasurement>> measure_log_group(const std::vector<std::string>& rows,
                                                      const LogPlan& plan);

}  // namespace quorate::bench
