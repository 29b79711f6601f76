// bench/end_to_end: roofline and engine in alternation. See bench/README.md for how to read it.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/end_to_end/log_report.h"
#include "bench/end_to_end/log_rows.h"
#include "bench/end_to_end/measure.h"
#include "bench/end_to_end/report.h"
#include "bench/end_to_end/roles.h"
#include "bench/end_to_end/round.h"
#include "bench/end_to_end/rows.h"
#include "bench/end_to_end/scratch.h"

namespace quorate::bench {

namespace {

struct Options {
  std::vector<std::string> rows;
  double seconds = 2;
  std::uint64_t ring_kib = 4096;
  bool json = false;
  bool check = false;
  Plan plan;
  LogPlan log_plan;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--rows", options.rows, "Rows to run, separated by commas; default: all")
      ->delimiter(',');
  app.add_option("--seconds", options.seconds, "Measured seconds of each round")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--repeats", options.plan.repeats, "Alternations of roofline and engine")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  app.add_option("--ring-kib", options.ring_kib, "Ring and socket buffers, a power of two")
      ->check(CLI::Range(512u, 1048576u))
      ->capture_default_str();
  app.add_flag("--free-placement{false}", options.plan.pin,
               "Do not pin the processes of rows with one write outstanding");
  app.add_flag("--json", options.json, "One JSON object a row instead of the table");
  app.add_flag("--check", options.check, "Exit 1 when a row falls short of what it must reach");
  app.add_flag("--roofline-only", options.plan.roofline_only, "Measure the plain sockets alone");
  app.add_option("--directory", options.log_plan.directory,
                 "Where rows with logs make theirs, which are removed; default: $TMPDIR");
  app.add_option("--recovery-mib", options.log_plan.recovery_mib, "The log that is recovered")
      ->check(CLI::Range(128u, 1048576u))
      ->capture_default_str();
  app.add_option("--catch-up-mib", options.log_plan.catch_up_mib,
                 "What is written before a replica comes that has nothing")
      ->check(CLI::Range(64u, 1048576u))
      ->capture_default_str();
}

std::vector<std::vector<Row>> by_group(std::vector<Row> rows) {
  std::vector<std::vector<Row>> groups;
  for (Row& row : rows) {
    if (groups.empty() || groups.back().front().group != row.group) groups.emplace_back();
    groups.back().push_back(std::move(row));
  }
  return groups;
}

/// Progress belongs on a terminal only, and is wiped by what is printed next.
void show_progress(std::string_view what) {
  fmt::print(stderr, "\r\x1b[K{}", what);
}

void wipe_progress() {
  if (::isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\x1b[K");
}

void print_group(const std::vector<RowMeasurement>& group, const StreamCheck& check, bool json) {
  wipe_progress();
  for (const RowMeasurement& row : group) {
    fmt::print("{}", json ? json_row(row, check, group) + '\n' : table_row(row));
  }
  if (!json) fmt::print("{}", semi_lines(group));
  std::fflush(stdout);
}

struct Measured {
  std::vector<RowMeasurement> rows;
  std::vector<LogMeasurement> log_rows;
};

/// 0 when every row was measured and, if asked, reaches what it must.
int verdict(const Measured& all, const std::optional<StreamCheck>& check, const Options& options) {
  int code = 0;
  const auto failed = [&](const std::string& name, const std::string& error) {
    if (error.empty()) return;
    fmt::print(stderr, "end_to_end: {}: {}\n", name, error);
    code = 1;
  };
  for (const RowMeasurement& row : all.rows) failed(row.row.name, row.error);
  for (const LogMeasurement& row : all.log_rows) failed(row.name, row.error);
  if (!options.check) return code;
  std::vector<std::string> lines = log_shortfalls(all.log_rows);
  if (check) {
    for (std::string& line : shortfalls(all.rows, *check)) lines.push_back(std::move(line));
  }
  for (const std::string& line : lines) {
    fmt::print(stderr, "short: {}\n", line);
    code = 1;
  }
  return code;
}

Result<StreamCheck> run_rows(const Options& options, std::vector<Row> rows, Measured& all) {
  for (Row& row : rows) {
    row.spec.seconds = options.seconds;
    row.spec.ring_bytes = options.ring_kib << 10;
    row.spec.pin = options.plan.pin;
  }
  RoundSpec single;
  single.ring_bytes = options.ring_kib << 10;
  if (options.plan.progress) options.plan.progress("one plain stream, iperf3");
  auto check = check_stream(single);
  wipe_progress();
  if (!check) return check.error();
  if (!options.json) {
    fmt::print("{}{}", heading(*check, options.plan, options.seconds), table_head());
    std::fflush(stdout);
  }
  for (const std::vector<Row>& group : by_group(std::move(rows))) {
    std::vector<RowMeasurement> measured = measure_group(group, options.plan);
    print_group(measured, *check, options.json);
    for (RowMeasurement& row : measured) all.rows.push_back(std::move(row));
  }
  return check;
}

Status run_log_rows(const Options& options, const std::vector<std::string>& names,
                    Measured& all) {
  for (const std::vector<std::string>& group : log_groups()) {
    std::vector<std::string> wanted;
    for (const std::string& name : group) {
      if (std::find(names.begin(), names.end(), name) != names.end()) wanted.push_back(name);
    }
    if (wanted.empty()) continue;
    auto measured = measure_log_group(wanted, options.log_plan);
    wipe_progress();
    if (!measured) return measured.error();
    for (LogMeasurement& row : *measured) {
      fmt::print("{}", options.json ? log_json_row(row) + '\n' : log_table_row(row));
      all.log_rows.push_back(std::move(row));
    }
    std::fflush(stdout);
  }
  return Done{};
}

/// Before anything is measured: who runs out of space in the middle has waited for nothing.
Status check_space(const LogPlan& plan, const std::vector<std::string>& log_rows) {
  const std::uint64_t need = log_bytes_needed(log_rows, plan);
  if (log_rows.empty()) return Done{};
  const auto free = free_bytes(plan.directory);
  if (!free) return free.error();
  if (*free >= need) return Done{};
  return Error(Errc::io,
               fmt::format("--directory {}: {} MiB free, the rows need up to {} MiB; name another "
                           "directory, fewer rows, or smaller --recovery-mib and --catch-up-mib",
                           plan.directory, *free >> 20, need >> 20));
}

int run(Options& options, std::vector<Row> rows, const std::vector<std::string>& log_rows) {
  if (::isatty(STDERR_FILENO) != 0) options.plan.progress = show_progress;
  options.log_plan.progress = options.plan.progress;
  options.log_plan.repeats = options.plan.repeats;
  options.log_plan.pin = options.plan.pin;
  options.log_plan.seconds = options.seconds;
  options.log_plan.ring_bytes = options.ring_kib << 10;
  if (options.log_plan.directory.empty()) options.log_plan.directory = default_parent();
  Measured all;
  std::optional<StreamCheck> check;
  Status status = check_space(options.log_plan, log_rows);
  if (status && !rows.empty()) {
    auto streams = run_rows(options, std::move(rows), all);
    if (streams) check = *streams;
    if (!streams) status = streams.error();
  }
  if (status) status = run_log_rows(options, log_rows, all);
  if (!status) {
    fmt::print(stderr, "end_to_end: {}\n", status.error().text);
    return 1;
  }
  return verdict(all, check, options);
}

int usage_error(const std::string& text) {
  fmt::print(stderr, "end_to_end: {}\n", text);
  return 2;
}

int start(const Options& given) {
  Options options = given;
  if ((options.ring_kib & (options.ring_kib - 1)) != 0) {
    return usage_error(fmt::format("--ring-kib {}: must be a power of two", options.ring_kib));
  }
  // Names of rows with logs are taken out; without any name all rows of both kinds are run.
  std::vector<std::string> log_rows = log_row_names();
  std::vector<std::string> names;
  for (const std::string& name : options.rows) {
    if (std::find(log_rows.begin(), log_rows.end(), name) == log_rows.end()) names.push_back(name);
  }
  if (!options.rows.empty()) {
    std::erase_if(log_rows, [&](const std::string& name) {
      return std::find(options.rows.begin(), options.rows.end(), name) == options.rows.end();
    });
  }
  if (options.plan.roofline_only) log_rows.clear();
  std::string unknown;
  std::vector<Row> rows;
  if (options.rows.empty() || !names.empty()) rows = choose_rows(names, unknown);
  if (!unknown.empty()) {
    std::string known;
    for (const Row& row : all_rows()) known += ' ' + row.name;
    for (const std::string& name : log_row_names()) known += ' ' + name;
    return usage_error(fmt::format("--rows: no row {}; there are:{}", unknown, known));
  }
  return run(options, std::move(rows), log_rows);
}

}  // namespace

int main_of_end_to_end(int argc, char** argv) {
  CLI::App app("Replication rate and latency beside plain sockets, in one run", "end_to_end");
  Options options;
  RoleArguments role;
  add_options(app, options);
  CLI::App* internal = add_role(app, role);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  return internal->parsed() ? play(role) : start(options);
}

}  // namespace quorate::bench

int main(int argc, char** argv) {
  return quorate::bench::main_of_end_to_end(argc, argv);
}
