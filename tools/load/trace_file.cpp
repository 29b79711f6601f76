#include "tools/load/trace_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "tools/cli/option_set.h"
#include "tools/cli/text.h"

namespace quorate::tools {

namespace {

constexpr std::string_view kHeading = "time_s,offset_bytes,length_bytes";

/// A row, or what is wrong with it.
class RowReader {
 public:
  explicit RowReader(const TraceLimits& limits) : limits_(limits) {}

  std::string read(std::string_view line, TraceRow& row) {
    const auto fields = split(line, ',');
    if (fields.size() != 3) {
      return fmt::format("found {} fields, allowed 3: {}", fields.size(), kHeading);
    }
    const auto time_s = parse_number<double>(fields[0]);
    const double least_s = limits_.in_order ? before_s_ : 0;
    if (!time_s || !(*time_s >= least_s && *time_s <= 1e12)) {
      return "time_s: " + found_allowed(fields[0], fmt::format("{}…{}", least_s, 1e12));
    }
    const auto offset = parse_number<std::uint64_t>(fields[1]);
    if (!offset) return "offset_bytes: " + found_allowed(fields[1], "0…18446744073709551615");
    const auto length = parse_number<std::uint32_t>(fields[2]);
    if (!length || *length > limits_.length_bytes_max) {
      return "length_bytes: " +
             found_allowed(fields[2], fmt::format("0…{} (the ring holds four such records)",
                                                  limits_.length_bytes_max));
    }
    before_s_ = *time_s;
    row = {*time_s, *offset, *length};
    return {};
  }

 private:
  TraceLimits limits_;
  double before_s_ = 0;
};

}  // namespace

Result<std::vector<TraceRow>> read_trace(std::istream& text, const std::string& name,
                                         const TraceLimits& limits) {
  RowReader reader(limits);
  std::vector<TraceRow> rows;
  std::string line;
  for (std::uint64_t number = 1; std::getline(text, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || (number == 1 && line == kHeading)) continue;
    TraceRow row;
    const std::string wrong = reader.read(line, row);
    if (!wrong.empty()) {
      return Error(Errc::invalid_option, fmt::format("{}:{}: {}", name, number, wrong));
    }
    rows.push_back(row);
  }
  if (rows.empty()) {
    return Error(Errc::invalid_option,
                 fmt::format("{}: found no row, allowed at least one: {}", name, kHeading));
  }
  return rows;
}

Result<std::vector<TraceRow>> read_trace(const std::string& path, const TraceLimits& limits) {
  errno = 0;
  std::ifstream file(path);
  file.peek();
  if (const int number = errno; number != 0) {
    return Error(Errc::invalid_option,
                 fmt::format("--trace: cannot read {}: {}", path, std::strerror(number)), number);
  }
  return read_trace(file, path, limits);
}

}  // namespace quorate::tools
