// bench/end_to_end: roofline and engine in alternation. See bench/README.md for how to read it.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/end_to_end/measure.h"
#include "bench/end_to_end/placement.h"
#include "bench/end_to_end/report.h"
#include "bench/end_to_end/round.h"
#include "bench/end_to_end/rows.h"

namespace quorate::bench {

/// The role's name is the internal subcommand; every field of the spec follows.
std::vector<std::string> role_arguments(Role role, const RoundSpec& spec,
                                        const std::string& address, std::uint32_t index) {
  std::vector<std::string> arguments = {
      "internal-role",
      fmt::format("--role={}", static_cast<int>(role)),
      fmt::format("--work={}", static_cast<int>(spec.work)),
      fmt::format("--peers={}", spec.peers),
      fmt::format("--payload={}", spec.payload_bytes),
      fmt::format("--ring={}", spec.ring_bytes),
      fmt::format("--role-seconds={}", spec.seconds),
      fmt::format("--index={}", index),
  };
  if (!spec.pin) arguments.emplace_back("--no-pin");
  if (!spec.sync) arguments.emplace_back("--semi");
  if (spec.epoll) arguments.emplace_back("--epoll");
  if (spec.stop_second) arguments.emplace_back("--stop-second");
  if (!address.empty()) arguments.push_back("--address=" + address);
  return arguments;
}

namespace {

struct RoleArguments {
  int role = 0;
  int work = 0;
  bool semi = false;
  bool no_pin = false;
  std::string address;
  std::uint32_t index = 0;
  RoundSpec spec;
};

CLI::App* add_role(CLI::App& app, RoleArguments& role) {
  CLI::App* command = app.add_subcommand("internal-role")->group("");
  command->add_option("--role", role.role)->check(CLI::Range(0, 3));
  command->add_option("--work", role.work)->check(CLI::Range(0, 2));
  command->add_option("--peers", role.spec.peers);
  command->add_option("--payload", role.spec.payload_bytes);
  command->add_option("--ring", role.spec.ring_bytes);
  command->add_option("--role-seconds", role.spec.seconds);
  command->add_option("--index", role.index);
  command->add_option("--address", role.address);
  command->add_flag("--semi", role.semi);
  command->add_flag("--no-pin", role.no_pin);
  command->add_flag("--epoll", role.spec.epoll);
  command->add_flag("--stop-second", role.spec.stop_second);
  return command;
}

int play(RoleArguments& role) {
  role.spec.work = static_cast<RoundSpec::Work>(role.work);
  role.spec.sync = !role.semi;
  role.spec.pin = !role.no_pin;
  const auto kind = static_cast<Role>(role.role);
  const bool leads = kind == Role::primary || kind == Role::sender;
  if (role.spec.pinned()) pin_this_thread(leads ? Core::lead : Core::peers);
  switch (kind) {
    case Role::primary:
      return run_primary(role.spec);
    case Role::replica:
      return run_replica(role.spec, role.address, role.index);
    case Role::sender:
      return run_sender(role.spec);
    case Role::receiver:
      return run_receiver(role.spec, role.address);
  }
  return 2;
}

struct Options {
  std::vector<std::string> rows;
  double seconds = 2;
  std::uint64_t ring_kib = 4096;
  bool json = false;
  bool check = false;
  Plan plan;
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

/// 0 when every row was measured and, if asked, reaches what it must.
int verdict(const std::vector<RowMeasurement>& all, const StreamCheck& check,
            const Options& options) {
  int code = 0;
  for (const RowMeasurement& row : all) {
    if (row.error.empty()) continue;
    fmt::print(stderr, "end_to_end: {}: {}\n", row.row.name, row.error);
    code = 1;
  }
  if (!options.check) return code;
  for (const std::string& line : shortfalls(all, check)) {
    fmt::print(stderr, "short: {}\n", line);
    code = 1;
  }
  return code;
}

int run(Options& options, std::vector<Row> rows) {
  if (::isatty(STDERR_FILENO) != 0) options.plan.progress = show_progress;
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
  if (!check) {
    fmt::print(stderr, "end_to_end: {}\n", check.error().text);
    return 1;
  }
  if (!options.json) {
    fmt::print("{}{}", heading(*check, options.plan, options.seconds), table_head());
    std::fflush(stdout);
  }
  std::vector<RowMeasurement> all;
  for (const std::vector<Row>& group : by_group(std::move(rows))) {
    std::vector<RowMeasurement> measured = measure_group(group, options.plan);
    print_group(measured, *check, options.json);
    for (RowMeasurement& row : measured) all.push_back(std::move(row));
  }
  return verdict(all, *check, options);
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
  std::string unknown;
  std::vector<Row> rows = choose_rows(options.rows, unknown);
  if (!unknown.empty()) {
    std::string known;
    for (const Row& row : all_rows()) known += ' ' + row.name;
    return usage_error(fmt::format("--rows: no row {}; there are:{}", unknown, known));
  }
  return run(options, std::move(rows));
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
