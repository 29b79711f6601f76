#pragma once

// How the rows of the durable log are printed, and what they must reach.

#include <string>
#include <vector>

#include "bench/end_to_end/log_rows.h"

namespace quorate::bench {

/// What a row must reach, on the medians of its rounds.
struct Target {
  std::string what;  ///< "at least 300 MiB/s: 412"
  bool met = false;
};
std::vector<Target> targets_of(const LogMeasurement& row);

/// Its figures in a line, its targets in lines below.
std::string log_table_row(const LogMeasurement& row);
std::string log_json_row(const LogMeasurement& row);
/// One line for each target that is not met.
std::vector<std::string> log_shortfalls(const std::vector<LogMeasurement>& all);

}  // namespace quorate::bench
