#pragma once

// The controller: starts the processes of each round, alternates engine and roofline, collects.
// Single-threaded but for the wake-up pair.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/end_to_end/round.h"
#include "bench/end_to_end/rows.h"
#include "quorate/error.h"
#include "tools/process/process.h"

namespace quorate::bench {

inline constexpr double kMiB = 1024.0 * 1024.0;

/// Is the roofline a roofline? One plain stream against iperf3's, both in this run.
struct StreamCheck {
  double roofline_mib_per_s = 0;
  std::optional<double> iperf3_mib_per_s;
  std::string note;  ///< why iperf3 has no figure

  /// Unknown without iperf3.
  [[nodiscard]] std::optional<bool> valid() const;
};

/// A row's rounds; entry i of each vector comes from alternation i.
struct RowMeasurement {
  Row row;
  std::string error;  ///< the row failed; the vectors are incomplete
  std::vector<RoundResult> engine;
  std::vector<RoundResult> roofline;
  std::vector<double> wake_pair_us;  ///< one_threads only

  /// The quantity of each alternation, in order.
  [[nodiscard]] std::vector<double> each(const std::function<double(std::size_t)>& of) const;
  [[nodiscard]] std::vector<double> released_per_s() const;
  [[nodiscard]] std::vector<double> payload_mib_per_s() const;
  [[nodiscard]] std::vector<double> roofline_mib_per_s() const;
  [[nodiscard]] std::vector<double> p50_us() const;
  [[nodiscard]] std::vector<double> roofline_p50_us() const;
  [[nodiscard]] std::vector<double> cpu_ns_per_record() const;
  [[nodiscard]] std::vector<double> foreign_cores() const;
  [[nodiscard]] std::vector<double> rss_growth_kib() const;
  /// Engine over roofline: payload MiB/s (more is better), or p50 with one write outstanding (less
  /// is better).
  [[nodiscard]] std::vector<double> ratio() const;
  /// What p50 of one_threads must stay under: 1.3 × (round trip + two wake-ups).
  [[nodiscard]] std::vector<double> bound_us() const;
  [[nodiscard]] bool latency() const { return row.spec.work != RoundSpec::Work::stream; }
};

struct Plan {
  std::uint32_t repeats = 3;
  bool roofline_only = false;
  bool pin = true;  ///< with one write outstanding; see placement.h
  std::function<void(std::string_view)> progress;
};

/// What a lead said last.
RoundResult parse_result(const tools::Line& line);
/// The first `asked` of them have applied every record, in order.
Status check_reports(std::vector<tools::Process>& replicas, std::size_t asked, double appended);
Result<RoundResult> run_round(const RoundSpec& spec, bool engine);
/// Three of each, a second long, in alternation; the best of each counts, because the question is
/// what they can, and a round whose processes share a core shows half of it.
Result<StreamCheck> check_stream(const RoundSpec& spec);
/// Rows of one group. A row that fails keeps its error and is not run again.
std::vector<RowMeasurement> measure_group(const std::vector<Row>& rows, const Plan& plan);

}  // namespace quorate::bench
