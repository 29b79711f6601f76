#include "bench/end_to_end/log_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/end_to_end/json.h"
#include "bench/end_to_end/window.h"

namespace quorate::bench {
namespace {

constexpr double kDurableLeast_per_s = 3e6;
constexpr double kDurableLeast_mib_per_s = 300;
constexpr double kDurableDiskShare = 0.5;
constexpr double kOneFactor = 1.5;
constexpr double kReceivedShare = 0.7;
constexpr double kRecoveryShare = 0.8;
constexpr double kLiveFactor = 2;
constexpr double kGrownMost_mib = 32;  ///< a 64th of the 2 GiB that the row is meant with
constexpr double kCatchUpShare = 0.5;
constexpr double kForeignMost_cores = 0.1;

/// How a figure is shown: in the table by its label, in units of `unit`.
struct Column {
  const char* figure;
  const char* label;
  double unit = 1;
  int digits = 0;
};

/// In the order of the table; a row shows those that it has.
const std::vector<Column>& columns() {
  static const std::vector<Column> kColumns = {
      {"released_per_s", "released M/s", 1e6, 3},
      {"payload_mib_per_s", "MiB/s"},
      {"disk_mib_per_s", "three writers MiB/s"},
      {"without_log_mib_per_s", "without log MiB/s"},
      {"p50_us", "p50 us", 1, 1},
      {"synced_write_p50_us", "synced 4 KiB us", 1, 1},
      {"three_synced_p50_us", "three at once us", 1, 1},
      {"round_trip_p50_us", "round trip us", 1, 1},
      {"ratio_of_three", "over three at once and round trip", 1, 2},
      {"log_mib", "log MiB"},
      {"open_s", "open s", 1, 2},
      {"recovery_mib_per_s", "recovery MiB/s"},
      {"read_mib_per_s", "plain read MiB/s"},
      {"greatest_mib_per_s", "greatest rate MiB/s"},
      {"live_p50_before_us", "live p50 before us"},
      {"live_p50_beside_us", "beside us"},
      {"live_p99_before_us", "live p99 before us"},
      {"live_p99_beside_us", "beside us"},
      {"live_p99_behind_us", "behind us"},
      {"live_p99_ratio", "beside over the lower", 1, 2},
      {"catch_up_live_s", "catch-up under load s", 1, 2},
      {"catch_up_live_mib_per_s", "MiB/s"},
      {"catch_up_idle_s", "idle s", 1, 2},
      {"catch_up_idle_mib_per_s", "idle MiB/s"},
      {"roofline_mib_per_s", "roofline MiB/s"},
      {"one_writer_mib_per_s", "one writer MiB/s"},
      {"sockets_share", "idle over the roofline", 1, 2},
      {"grown_mib", "memory of the primary grew by MiB", 1, 1},
      {"ratio", "ratio", 1, 2},
      {"written_over_payload", "written over payload", 1, 2},
      {"cpu_ns_per_record", "CPU ns", 1, 1},
      {"foreign_cores", "foreign", 1, 2},
  };
  return kColumns;
}

std::string span_text(const std::vector<double>& values, const Column& column) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", median(values) / column.unit, column.digits,
                     *least / column.unit, column.digits, *most / column.unit, column.digits);
}

Target at_least(const LogMeasurement& row, const char* figure, double bound, const char* unit,
                double scale = 1) {
  const double value = median(row.each(figure));
  return {fmt::format("at least {:g} {}: {:.2f}", bound / scale, unit, value / scale),
          value >= bound};
}

Target at_most(const LogMeasurement& row, const char* figure, double bound, const char* unit) {
  const double value = median(row.each(figure));
  return {fmt::format("at most {:g} {}: {:.2f}", bound, unit, value), value <= bound};
}

}  // namespace

std::vector<Target> targets_of(const LogMeasurement& row) {
  if (!row.error.empty() || row.rounds.empty()) return {};
  if (row.name == "sync_durable_64") {
    return {at_least(row, "released_per_s", kDurableLeast_per_s, "M/s", 1e6)};
  }
  if (row.name == "sync_durable_1024") {
    return {at_least(row, "payload_mib_per_s", kDurableLeast_mib_per_s, "MiB/s"),
            at_least(row, "ratio", kDurableDiskShare, "of a third of three writers")};
  }
  if (row.name == "sync_durable_64_one") {
    return {at_most(row, "ratio", kOneFactor, "x (synced write + round trip)")};
  }
  if (row.name == "sync_received_1024_log") {
    return {at_least(row, "ratio", kReceivedShare,
                     "of min(without log, a third of three writers)")};
  }
  if (row.name == "recovery_4g") {
    return {at_least(row, "ratio", kRecoveryShare, "of the plain read")};
  }
  return {at_most(row, "grown_mib", kGrownMost_mib, "MiB of memory more with all that lag"),
          at_most(row, "live_p99_ratio", kLiveFactor, "x the live p99 before or behind"),
          at_least(row, "ratio", kCatchUpShare, "of the slowest limit when idle")};
}

std::string log_table_row(const LogMeasurement& row) {
  if (!row.error.empty()) return fmt::format("{:<35} FAILED: {}\n", row.name, row.error);
  std::string text = fmt::format("{:<35} {}", row.name, row.backend);
  std::string line;
  constexpr std::size_t kWidth = 110;
  for (const Column& column : columns()) {
    const std::vector<double> values = row.each(column.figure);
    if (values.empty()) continue;
    const std::string cell = fmt::format("{} {}", column.label, span_text(values, column));
    if (line.size() + cell.size() > kWidth) {
      text += fmt::format("\n    {}", line);
      line.clear();
    }
    line += (line.empty() ? "" : "; ") + cell;
  }
  text += fmt::format("\n    {}\n", line);
  for (const Target& target : targets_of(row)) {
    text += fmt::format("    target {}, {}\n", target.what, target.met ? "ok" : "below");
  }
  // Either side of a ratio may have suffered, so neither "ok" nor "below" says much then.
  const double foreign = median(row.each("foreign_cores"));
  if (foreign > kForeignMost_cores) {
    text += fmt::format("    others used {:.2f} cores: repeat when it is quiet\n", foreign);
  }
  return text;
}

std::string log_json_row(const LogMeasurement& row) {
  Json json;
  json.text("row", row.name);
  if (!row.error.empty()) {
    json.text("error", escaped(row.error));
    return json.take();
  }
  for (const Column& column : columns()) {
    const std::vector<double> values = row.each(column.figure);
    if (values.empty()) continue;
    json.number(column.figure, values, 4);
    json.ends(column.figure, values, 4);
  }
  std::string targets;
  for (const Target& target : targets_of(row)) {
    targets += fmt::format("{}{{\"what\":\"{}\",\"met\":{}}}", targets.empty() ? "" : ",",
                           escaped(target.what), target.met);
  }
  json.raw("targets", '[' + targets + ']');
  json.text("backend", row.backend);
  json.raw("writers_in_primary_process", "true");
  return json.take();
}

std::vector<std::string> log_shortfalls(const std::vector<LogMeasurement>& all) {
  std::vector<std::string> lines;
  for (const LogMeasurement& row : all) {
    if (!row.error.empty()) lines.push_back(row.name + ": " + row.error);
    for (const Target& target : targets_of(row)) {
      if (!target.met) lines.push_back(row.name + ": " + target.what);
    }
  }
  return lines;
}

}  // namespace quorate::bench
