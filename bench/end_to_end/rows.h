#pragma once

// The rows of the benchmark: what each one runs. Plain values, built once.

#include <string>
#include <string_view>
#include <vector>

#include "bench/end_to_end/round.h"

namespace quorate::bench {

struct Row {
  std::string name;
  std::string base;   ///< the name without the suffix _epoll
  std::string group;  ///< rows of one group alternate with each other and with one roofline
  RoundSpec spec;
};

/// Every row, groups together, in the order they are run and printed.
std::vector<Row> all_rows();

/// The rows named, in that order of running; unknown names go to `unknown`.
std::vector<Row> choose_rows(const std::vector<std::string>& names, std::string& unknown);

/// What the roofline of these rows runs: one peer where the second is absent or stopped.
RoundSpec roofline_spec(const RoundSpec& row);

}  // namespace quorate::bench
