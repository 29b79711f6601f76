#pragma once

// What a run of the load found out, as a row of the table and as one JSON object.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/status.h"
#include "tools/cli/text.h"
#include "tools/load/histogram.h"
#include "tools/load/options.h"

namespace quorate::tools {

/// How a replica's contents compare with the primary's at the end.
enum class Verdict : std::uint8_t {
  unchecked,  ///< nobody asked, or the run was cut before the comparison
  equal,
  different,
  late,  ///< streaming, but it had not applied everything in time
  told,  ///< started elsewhere: it has the digest and compares by itself
  needs_full_copy,
  gone,  ///< killed, stopped, ended or not connected at the end
};
std::string_view to_string(Verdict verdict);

struct ReplicaResult {
  std::string name;
  ReplicaStatus::State state = ReplicaStatus::State::absent;  ///< at the end
  std::uint64_t lag_bytes_max = 0;  ///< while it was connected, over all streams
  double lag_seconds_max = 0;
  Verdict verdict = Verdict::unchecked;
};

struct LoadReport {
  std::string mode;
  std::string backend;
  double seconds = 0;  ///< from the first write until the last was seen released
  std::uint64_t appended = 0;
  std::uint64_t pending = 0;        ///< not released when the run ended
  std::uint64_t missed = 0;         ///< in the open loop's schedule, never appended
  std::uint64_t rows_left = 0;      ///< of the trace, never appended
  std::uint64_t payload_bytes = 0;  ///< of all that was appended
  Histogram latencies_ns;
  std::vector<ReplicaResult> replicas;
  std::vector<std::string> errors;  ///< one line each; any makes the run fail

  [[nodiscard]] std::uint64_t released() const { return appended - pending; }
  [[nodiscard]] double released_per_s() const;
  /// Payload of released records. With pending ones, their share by number.
  [[nodiscard]] double mib_per_s() const;
  [[nodiscard]] std::uint64_t lag_bytes_max() const;
  [[nodiscard]] double lag_seconds_max() const;
};

/// Notes everything that makes a run fail in report.errors.
void judge(LoadReport& report, const LoadPlan& plan);

std::string heading(const LoadPlan& plan, const std::string& backend);
Table report_table();
void add_row(Table& table, const LoadReport& report, const LoadPlan& plan);
/// `verified 1 of 2 replicas; c: needs_full_copy`.
std::string verdict_line(const LoadReport& report);
std::string report_json(const LoadReport& report, const LoadPlan& plan);

}  // namespace quorate::tools
