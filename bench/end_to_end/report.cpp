#include "bench/end_to_end/report.h"

#include <fmt/format.h>
#include <mimalloc.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "bench/end_to_end/json.h"
#include "bench/end_to_end/window.h"

namespace quorate::bench {
namespace {

struct Spread {
  double middle = 0;
  double least = 0;
  double most = 0;
};

Spread spread(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {median(values), *least, *most};
}

std::string cell(const std::vector<double>& values, double unit, int digits) {
  return values.empty() ? "-" : fmt::format("{:.{}f}", median(values) / unit, digits);
}

std::string span_cell(const std::vector<double>& values, double unit, int digits) {
  if (values.empty()) return "-";
  const Spread all = spread(values);
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", all.middle / unit, digits, all.least / unit,
                     digits, all.most / unit, digits);
}

const RowMeasurement* find(const std::vector<RowMeasurement>& all, const std::string& name) {
  for (const RowMeasurement& row : all) {
    if (row.row.name == name && row.error.empty() && !row.engine.empty()) return &row;
  }
  return nullptr;
}

/// Alternation by alternation, so that drift between them cancels.
std::vector<double> paired(const std::vector<double>& over, const std::vector<double>& under) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(over.size(), under.size()); ++i) {
    if (under[i] > 0) ratios.push_back(over[i] / under[i]);
  }
  return ratios;
}

std::vector<double> stopped_over_absent(const std::vector<RowMeasurement>& all, bool epoll) {
  const std::string suffix = epoll ? "_epoll" : "";
  const RowMeasurement* stopped = find(all, "semi_stopped_64" + suffix);
  const RowMeasurement* absent = find(all, "semi_absent_64" + suffix);
  if (stopped == nullptr || absent == nullptr) return {};
  return paired(stopped->released_per_s(), absent->released_per_s());
}

std::string backend_of(const RowMeasurement& row) {
  return row.engine.empty() ? "none" : row.engine.front().backend;
}

std::string valid_text(const StreamCheck& check) {
  const std::optional<bool> valid = check.valid();
  if (!valid) return "null";
  return *valid ? "true" : "false";
}

void add_figures(Json& json, const RowMeasurement& row) {
  const std::vector<double> none;
  const bool latency = row.latency();
  json.number("released_per_s", row.released_per_s(), 1);
  json.number("payload_mib_per_s", row.payload_mib_per_s(), 3);
  json.number("roofline_mib_per_s", latency ? none : row.roofline_mib_per_s(), 1);
  json.number("ratio", row.ratio(), 4);
  json.number("p50_us", latency ? row.p50_us() : none, 2);
  json.number("roofline_p50_us", latency ? row.roofline_p50_us() : none, 2);
  json.number("cpu_ns_per_record", row.cpu_ns_per_record(), 2);
  json.ends("released_per_s", row.released_per_s(), 1);
  json.ends("ratio", row.ratio(), 4);
  if (latency) json.ends("p50_us", row.p50_us(), 2);
  if (row.row.spec.work == RoundSpec::Work::one_threads) {
    json.number("wake_pair_us", row.wake_pair_us, 2);
    json.number("bound_us", row.bound_us(), 2);
  }
}

}  // namespace

std::string heading(const StreamCheck& check, const Plan& plan, double seconds) {
  utsname system{};
  ::uname(&system);
  std::string text = fmt::format(
      "Linux {}, {} cores, {} alternations of {:g} s, medians (min-max), mimalloc {}\n",
      system.release, ::sysconf(_SC_NPROCESSORS_ONLN), plan.repeats, seconds, mi_version());
  text +=
      "1 primary + up to 2 replicas, one process each, loopback, cubic. The writer thread lives "
      "in\n"
      "the primary's process; replicas apply every record on their only thread.\n";
  text += plan.pin ? "With one write outstanding, loop and sender are pinned to one core, the "
                     "others to another.\n"
                   : "No process is pinned.\n";
  const std::string iperf3 =
      check.iperf3_mib_per_s ? fmt::format("{:.0f} MiB/s", *check.iperf3_mib_per_s) : check.note;
  const std::optional<bool> valid = check.valid();
  const char* verdict = !valid ? "validity unknown" : *valid ? "valid" : "NOT VALID";
  text += fmt::format("One plain stream: roofline {:.0f} MiB/s, iperf3 {}: {}\n",
                      check.roofline_mib_per_s, iperf3, verdict);
  return text;
}

std::string table_head() {
  return fmt::format("{:<35} {:>22} {:>8} {:>8} {:>17} {:>8} {:>8} {:>8} {:>7} {}\n", "row",
                     "released M/s", "MiB/s", "roofline", "ratio", "p50 us", "roofline", "CPU ns",
                     "foreign", "backend");
}

std::string table_row(const RowMeasurement& row) {
  const std::string& name = row.row.name;
  if (!row.error.empty()) return fmt::format("{:<35} FAILED: {}\n", name, row.error);
  const std::vector<double> none;
  const bool latency = row.latency();
  std::string text = fmt::format(
      "{:<35} {:>22} {:>8} {:>8} {:>17} {:>8} {:>8} {:>8} {:>7} {}\n", name,
      span_cell(row.released_per_s(), 1e6, 3), cell(row.payload_mib_per_s(), 1, 0),
      cell(latency ? none : row.roofline_mib_per_s(), 1, 0), span_cell(row.ratio(), 1, 2),
      cell(latency ? row.p50_us() : none, 1, 1), cell(latency ? row.roofline_p50_us() : none, 1, 1),
      cell(row.cpu_ns_per_record(), 1, 1), cell(row.foreign_cores(), 1, 2), backend_of(row));
  if (!row.wake_pair_us.empty()) {
    text +=
        fmt::format("{:<35} two wake-ups {:.1f} us; bound 1.3 x (round trip + that) {:.1f} us\n",
                    "", median(row.wake_pair_us), median(row.bound_us()));
  }
  if (row.row.spec.stop_second && !row.engine.empty()) {
    text += fmt::format("{:<35} primary's memory while stopped: {} KiB more\n", "",
                        span_cell(row.rss_growth_kib(), 1, 0));
  }
  return text;
}

std::string json_row(const RowMeasurement& row, const StreamCheck& check,
                     const std::vector<RowMeasurement>& all) {
  Json json;
  json.text("row", row.row.name);
  if (!row.error.empty()) {
    json.text("error", escaped(row.error));
    return json.take();
  }
  add_figures(json, row);
  json.raw("roofline_stream_mib_per_s", fmt::format("{:.1f}", check.roofline_mib_per_s));
  json.raw("iperf3_mib_per_s",
           check.iperf3_mib_per_s ? fmt::format("{:.1f}", *check.iperf3_mib_per_s) : "null");
  json.raw("roofline_valid", valid_text(check));
  if (row.row.spec.stop_second) {
    json.number("rss_growth_kib", row.rss_growth_kib(), 0);
    json.number("stopped_over_absent", stopped_over_absent(all, row.row.spec.epoll), 4);
  }
  json.number("foreign_cores", row.foreign_cores(), 3);
  json.text("backend", backend_of(row));
  json.raw("pinned", row.row.spec.pinned() ? "true" : "false");
  json.raw("writers_in_primary_process", "true");
  return json.take();
}

std::string semi_lines(const std::vector<RowMeasurement>& all) {
  std::string text;
  for (const bool epoll : {false, true}) {
    const std::vector<double> ratios = stopped_over_absent(all, epoll);
    if (ratios.empty()) continue;
    text += fmt::format("semi-sync with a stopped replica over an absent one{}: {}\n",
                        epoll ? ", epoll" : "", span_cell(ratios, 1, 3));
  }
  return text;
}

namespace {

constexpr double kStoppedShare = 0.9;
constexpr double kEpollShare = 0.8;
constexpr double kRoundTripFactor = 1.3;
constexpr double kRssGrowthMax_kib = 16 * 1024;  ///< four rings; a leak shows hundreds of MiB

using Lines = std::vector<std::string>;

void need(Lines& lines, bool met, const RowMeasurement& row, const std::string& what) {
  if (!met) lines.push_back(row.row.name + ": " + what);
}

void check_rate(Lines& lines, const RowMeasurement& row) {
  const double rate = median(row.released_per_s());
  const auto at_least = [&](double limit) {
    need(lines, rate >= limit, row,
         fmt::format("{:.2f} M/s, at least {:.2f} M/s", rate / 1e6, limit / 1e6));
  };
  if (row.row.base == "sync_received_16") at_least(16e6);
  if (row.row.base == "sync_received_64") at_least(9e6);
  if (row.row.base == "sync_received_1024") {
    at_least(1024.0 * 1024.0);  // 1 GiB/s of 1 KiB records
    const double share = median(row.ratio());
    need(lines, share >= 0.5, row, fmt::format("{:.2f} of the roofline, at least 0.50", share));
  }
}

void check_latency(Lines& lines, const RowMeasurement& row) {
  const double p50_us = median(row.p50_us());
  const double limit_us = row.row.spec.work == RoundSpec::Work::one_threads
                              ? median(row.bound_us())
                              : kRoundTripFactor * median(row.roofline_p50_us());
  need(lines, p50_us <= limit_us, row,
       fmt::format("p50 {:.1f} us, at most {:.1f} us", p50_us, limit_us));
}

void check_stopped(Lines& lines, const RowMeasurement& row,
                   const std::vector<RowMeasurement>& all) {
  const std::vector<double> ratios = stopped_over_absent(all, row.row.spec.epoll);
  if (!ratios.empty()) {
    need(lines, median(ratios) >= kStoppedShare, row,
         fmt::format("{:.3f} of the rate without that replica, at least {:.2f}", median(ratios),
                     kStoppedShare));
  }
  const double growth_kib = spread(row.rss_growth_kib()).most;
  need(lines, growth_kib <= kRssGrowthMax_kib, row,
       fmt::format("memory grew by {:.0f} KiB, at most {:.0f}", growth_kib, kRssGrowthMax_kib));
}

/// Within 20 % either way it is measured: a rate, or a latency.
void check_epoll(Lines& lines, const RowMeasurement& row, const RowMeasurement& uring) {
  if (backend_of(uring) != "io_uring") return;
  const std::vector<double> shares = row.latency()
                                         ? paired(uring.p50_us(), row.p50_us())
                                         : paired(row.released_per_s(), uring.released_per_s());
  need(lines, median(shares) >= kEpollShare, row,
       fmt::format("{:.2f} of io_uring, at least {:.2f}", median(shares), kEpollShare));
}

}  // namespace

std::vector<std::string> shortfalls(const std::vector<RowMeasurement>& all,
                                    const StreamCheck& check) {
  Lines lines;
  if (!check.valid().value_or(false)) {
    lines.push_back("roofline: below 80 % of iperf3's stream, or iperf3 is missing");
  }
  for (const RowMeasurement& row : all) {
    need(lines, row.error.empty(), row, row.error);
    if (!row.error.empty() || row.engine.empty()) continue;
    row.latency() ? check_latency(lines, row) : check_rate(lines, row);
    if (row.row.spec.stop_second) check_stopped(lines, row, all);
    const RowMeasurement* uring = row.row.spec.epoll ? find(all, row.row.base) : nullptr;
    if (uring != nullptr) check_epoll(lines, row, *uring);
  }
  return lines;
}

}  // namespace quorate::bench
