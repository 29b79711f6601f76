// simulate: runs worlds drawn from seeds, and says what failed and how to see it again.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/run/apart.h"
#include "tests/simulation/run/campaign.h"
#include "tests/simulation/run/command.h"
#include "tests/simulation/run/commit.h"
#include "tests/simulation/run/regressions.h"
#include "tests/simulation/run/shrink.h"

namespace {

using namespace quorate;
using namespace quorate::simulation;

constexpr std::size_t kTracesMax = 3;
constexpr std::size_t kTraceLinesMax = 40;

int refuse(const std::string& what) {
  fmt::print(stderr, "simulate: {}\n", what);
  return 2;
}

void print_failure(const Command& command, const SeedFailure& failure) {
  fmt::print(stderr, "FAIL seed {} commit {}: {} | {}\n", failure.seed, kCommit, failure.what,
             command.again(failure.seed));
}

/// Of a world that failed: runs it once more.
void print_trace(const Command& command, std::uint64_t seed) {
  if (seed == 0) return;
  const auto lines = last_lines(plan_of(command.campaign, seed), command.campaign.cpu_limit_s,
                                kTraceLinesMax);
  fmt::print(stderr, "the last {} lines of the trace of seed {}:\n", lines.size(), seed);
  for (const std::string& line : lines) fmt::print(stderr, "  {}\n", line);
}

int shrink_seed(Command command, const Plan& plan) {
  const auto fails = [&](const Plan& smaller) {
    return run_apart(smaller, false, command.campaign.cpu_limit_s).failed != 0;
  };
  if (!fails(plan)) {
    fmt::print("seed {} does not fail\n", command.seed);
    return 0;
  }
  command.cuts = shrink(plan, fails, [](const std::string& step) {
    fmt::print(stderr, "shrink: {}\n", step);
  });
  fmt::print("{}\n", command.again(command.seed));
  return 1;
}

int replay(const Command& command) {
  Plan plan = plan_of(command.campaign, command.seed);
  command.cuts.apply(plan);
  if (command.shrink) return shrink_seed(command, plan);
  const Report report = run_apart(plan, !command.json, command.campaign.cpu_limit_s);
  if (report.failed != 0) print_failure(command, {command.seed, report.what});
  fmt::print("{{\"seed\": {}, \"hash\": \"{:016x}\", \"simulated_s\": {:.3f}, \"events\": {}, "
             "\"appended\": {}, \"applied\": {}, \"releases\": {}, \"reigns\": {}, "
             "\"failed\": {}}}\n",
             command.seed, report.hash, static_cast<double>(report.simulated_ns) / 1e9,
             report.events, report.appended, report.applied, report.releases, report.reigns,
             report.failed != 0);
  return report.failed != 0 ? 1 : 0;
}

template <typename Kind, typename Counts>
void print_counts(std::FILE* out, const char* name, const Counts& counts) {
  fmt::print(out, ", \"{}\": {{", name);
  for (std::size_t k = 0; k < counts.size(); ++k) {
    fmt::print(out, "{}\"{}\": {}", k == 0 ? "" : ", ", to_string(static_cast<Kind>(k)),
               counts[k]);
  }
  fmt::print(out, "}}");
}

void print_result(std::FILE* out, const CampaignResult& result) {
  const double times_real = result.cpu_s > 0 ? result.counted_s / result.cpu_s : 0;
  fmt::print(out,
             "{{\"seeds\": {}, \"simulated_hours\": {:.3f}, \"counted_hours\": {:.3f}, "
             "\"wall_s\": {:.1f}, \"cpu_s\": {:.1f}, \"times_real\": {:.0f}, \"failures\": {}, "
             "\"hash\": \"{:016x}\", \"events\": {}, \"offered\": {}, \"appended\": {}, "
             "\"applied\": {}, \"releases\": {}, \"reigns\": {}, "
             "\"primary_bytes_max\": {}, \"replica_bytes_max\": {}",
             result.seeds, result.simulated_s / 3600, result.counted_s / 3600, result.wall_s,
             result.cpu_s, times_real, result.failures.size(), result.hash, result.events,
             result.offered, result.appended, result.applied, result.releases, result.reigns,
             result.primary_bytes_max, result.replica_bytes_max);
  print_counts<Fault>(out, "faults", result.faults);
  print_counts<Effect>(out, "effects", result.effects.counts);
  print_counts<Forgery>(out, "forged", result.forged);
  fmt::print(out, "}}\n");
  std::fflush(out);
}

int campaign(const Command& command) {
  CampaignOptions options = command.campaign;
  std::function<void(const CampaignResult&)> on_progress;
  if (command.minutes > 0) {
    const std::chrono::duration<double, std::ratio<60>> minutes(command.minutes);
    options.until = std::chrono::steady_clock::now() +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(minutes);
    options.seeds = kSeedsMax;
    on_progress = [](const CampaignResult& result) { print_result(stderr, result); };
  }
  const CampaignResult result = run_campaign(
      options, [&](const SeedFailure& failure) { print_failure(command, failure); }, on_progress);
  for (std::size_t i = 0; i < std::min(result.failures.size(), kTracesMax); ++i) {
    print_trace(command, result.failures[i].seed);
  }
  print_result(stdout, result);
  const std::string missing = not_reached(command, result);
  if (!missing.empty()) fmt::print(stderr, "simulate: {}\n", missing);
  return result.seeds != 0 && result.failures.empty() && missing.empty() ? 0 : 1;
}

/// True when the world of the line is as it should be.
bool passes(Command command, const Regression& regression, bool trace) {
  command.seconds = regression.seconds;
  command.campaign.horizon = regression.seconds * kSecond_ns;
  command.campaign.rate_per_s = regression.rate_per_s;
  const Report report = run_apart(plan_of(command.campaign, regression.seed), false,
                                  command.campaign.cpu_limit_s);
  if (report.failed == 0) return true;
  print_failure(command, {regression.seed, report.what});
  fmt::print(stderr, "seed {} is here because: {}\n", regression.seed, regression.why);
  if (trace) print_trace(command, regression.seed);
  return false;
}

int run_regressions(const Command& command) {
  std::ifstream file(command.regressions);
  if (!file) {
    return refuse(fmt::format("{}: {}", command.regressions, std::strerror(errno)));
  }
  std::vector<Regression> regressions;
  if (const std::string error = read_regressions(file, regressions); !error.empty()) {
    return refuse(fmt::format("{}: {}", command.regressions, error));
  }
  std::size_t failures = 0;
  for (const Regression& regression : regressions) {
    if (!passes(command, regression, failures < kTracesMax)) ++failures;
  }
  fmt::print("{{\"regressions\": {}, \"failures\": {}}}\n", regressions.size(), failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Parsed parsed = parse_command({argv + 1, argv + argc});
  if (parsed.what == Parsed::What::bad) return refuse(parsed.text);
  if (parsed.what == Parsed::What::help) {
    fmt::print("{}", parsed.text);
    return 0;
  }
  const Command& command = parsed.command;
  if (!command.regressions.empty()) return run_regressions(command);
  return command.seed != 0 ? replay(command) : campaign(command);
}
