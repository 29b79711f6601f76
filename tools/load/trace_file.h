#pragma once

// A block trace: a CSV file whose rows `time_s,offset_bytes,length_bytes` each become one record.
// A first line with just these names is skipped. Errors name file and line.

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "quorate/error.h"

namespace quorate::tools {

struct TraceRow {
  double time_s = 0;
  std::uint64_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
};

struct TraceLimits {
  std::uint32_t length_bytes_max = 0;
  bool in_order = false;  ///< times may not fall, because the replay keeps them
};

Result<std::vector<TraceRow>> read_trace(const std::string& path, const TraceLimits& limits);
/// `name` stands for the file in errors.
Result<std::vector<TraceRow>> read_trace(std::istream& text, const std::string& name,
                                         const TraceLimits& limits);

}  // namespace quorate::tools
