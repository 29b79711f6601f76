#pragma once

// What the benchmark prints: a table to read or one JSON object a line, and what fell short.

#include <string>
#include <vector>

#include "bench/end_to_end/measure.h"

namespace quorate::bench {

/// Machine, kernel and method, in a few lines; the units of the table that follows.
std::string heading(const StreamCheck& check, const Plan& plan, double seconds);
std::string table_head();
std::string table_row(const RowMeasurement& row);

std::string json_row(const RowMeasurement& row, const StreamCheck& check,
                     const std::vector<RowMeasurement>& all);

/// stopped over absent for the backends of which both rows were measured.
std::string semi_lines(const std::vector<RowMeasurement>& all);

/// One line for each row that falls short of the "Must reach"; empty when all is well.
std::vector<std::string> shortfalls(const std::vector<RowMeasurement>& all,
                                    const StreamCheck& check);

}  // namespace quorate::bench
