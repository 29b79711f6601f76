// durable_worlds: runs durable clusters drawn from seeds, each in a process of its own, and says
// what failed and how to see it again.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/check.h"
#include "tests/simulation/durable/durable_world.h"

namespace {

using namespace quorate;
using namespace quorate::simulation::durable;

struct Command {
  std::uint64_t first = 1;
  std::uint64_t seeds = 100;
  std::uint64_t seed = 0;       ///< one world, printed as it happens
  std::uint32_t seconds = 0;    ///< stop beginning worlds after so long; 0: no limit
  std::uint32_t horizon_s = 20; ///< simulated, with faults
  std::uint32_t cpu_limit_s = 120;
  bool json = false;
};

/// What a world's process says at its end.
struct Report {
  char failure[1500];
  std::uint64_t hash;
  std::uint64_t events;
  Instant simulated_ns;
  Counts counts;
};

Report run_here(const Command& command, std::uint64_t seed, bool trace) {
  const Settings settings = Settings::draw(seed, command.horizon_s * kSecond_ns);
  const DurableResult result = DurableWorld(settings, trace).run();
  Report report{};
  std::strncpy(report.failure, result.failure.c_str(), sizeof report.failure - 1);
  report.hash = result.hash;
  report.events = result.events;
  report.simulated_ns = result.simulated_ns;
  report.counts = result.counts;
  return report;
}

void run_child(const Command& command, std::uint64_t seed, bool trace, int out) {
  const rlimit cpu{command.cpu_limit_s, command.cpu_limit_s + 1};
  CHECK(setrlimit(RLIMIT_CPU, &cpu) == 0);
  const rlimit core{0, 0};
  CHECK(setrlimit(RLIMIT_CORE, &core) == 0);
  // The lines before a violent end are those that matter.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Report report = run_here(command, seed, trace);
  CHECK(write(out, &report, sizeof report) == sizeof report);
  std::exit(0);
}

Report run_apart(const Command& command, std::uint64_t seed, bool trace) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    run_child(command, seed, trace, ends[1]);
  }
  close(ends[1]);
  Report report{};
  const bool told = read(ends[0], &report, sizeof report) == sizeof report;
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  if (told && status == 0) return report;
  const std::string how = WIFSIGNALED(status)
                              ? std::string("died: ") + strsignal(WTERMSIG(status))
                              : "exit status " + std::to_string(WEXITSTATUS(status));
  std::strncpy(report.failure, how.c_str(), sizeof report.failure - 1);
  return report;
}

void print_counts(const Counts& counts) {
  for (std::size_t i = 0; i < kCounts; ++i) {
    fmt::print("{}\"{}\": {}", i == 0 ? "" : ", ", kCountNames[i], counts.values[i]);
  }
}

void print_failure(std::uint64_t seed, const Command& command, const Report& report) {
  fmt::print(stderr, "FAIL seed {}: {} | durable_worlds --seed {} --horizon {}\n", seed,
             report.failure, seed, command.horizon_s);
}

int run_all(const Command& command) {
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  Counts sum;
  std::uint64_t worlds = 0;
  std::uint64_t failures = 0;
  std::uint64_t events = 0;
  double simulated_s = 0;
  for (std::uint64_t seed = command.first; seed < command.first + command.seeds; ++seed) {
    const auto spent = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
    if (command.seconds != 0 && spent.count() >= command.seconds) break;
    const Report report = run_apart(command, seed, false);
    ++worlds;
    sum.add(report.counts);
    events += report.events;
    simulated_s += static_cast<double>(report.simulated_ns) / 1e9;
    if (report.failure[0] == 0) continue;
    ++failures;
    print_failure(seed, command, report);
  }
  const std::chrono::duration<double> took = Clock::now() - begun;
  if (command.json) {
    fmt::print("{{\"worlds\": {}, \"failures\": {}, \"simulated_s\": {:.0f}, \"seconds\": {:.1f}, "
               "\"events\": {}, \"counts\": {{",
               worlds, failures, simulated_s, took.count(), events);
    print_counts(sum);
    fmt::print("}}}}\n");
  } else {
    fmt::print("{} worlds, {} failures, {:.0f} s simulated in {:.1f} s\n", worlds, failures,
               simulated_s, took.count());
    for (std::size_t i = 0; i < kCounts; ++i) {
      fmt::print("  {:20} {}\n", kCountNames[i], sum.values[i]);
    }
  }
  return failures == 0 ? 0 : 1;
}

int run_one(const Command& command) {
  const Report report = run_apart(command, command.seed, !command.json);
  if (report.failure[0] != 0) print_failure(command.seed, command, report);
  fmt::print("{{\"seed\": {}, \"hash\": \"{:016x}\", \"events\": {}, \"failed\": {}, ",
             command.seed, report.hash, report.events, report.failure[0] != 0);
  print_counts(report.counts);
  fmt::print("}}\n");
  return report.failure[0] != 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Command command;
  CLI::App app("Durable clusters on a simulated operating system.");
  app.add_option("--first", command.first, "the first seed");
  app.add_option("--seeds", command.seeds, "how many");
  app.add_option("--seed", command.seed, "only this one, printed as it happens");
  app.add_option("--seconds", command.seconds, "begin no world after so long");
  app.add_option("--horizon", command.horizon_s, "simulated seconds with faults");
  app.add_option("--cpu-limit", command.cpu_limit_s, "of each world, in seconds");
  app.add_flag("--json", command.json, "one line of results");
  CLI11_PARSE(app, argc, argv);
  return command.seed != 0 ? run_one(command) : run_all(command);
}
