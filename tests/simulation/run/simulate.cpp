// simulate: runs worlds drawn from seeds, and says what failed and how to see it again.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <thread>

#include "tests/simulation/run/campaign.h"
#include "tests/simulation/run/commit.h"
#include "tests/simulation/run/shrink.h"

namespace {

using namespace quorate;
using namespace quorate::simulation;

struct Options {
  CampaignOptions campaign;
  std::uint64_t seed = 0;
  std::uint32_t seconds = 360;
  std::string cuts;
  bool shrink = false;
  bool json = false;
};

std::string command_of(const Options& options, std::uint64_t seed) {
  std::string command =
      fmt::format("build/release/tests/simulate --seed {} --seconds {}", seed, options.seconds);
  if (options.campaign.rate_per_s != 0) {
    command += fmt::format(" --rate {}", options.campaign.rate_per_s);
  }
  if (!options.cuts.empty()) command += " --only " + options.cuts;
  return command;
}

void print_failure(const Options& options, const SeedFailure& failure) {
  fmt::print(stderr, "FAIL seed {} commit {}: {} | {}\n", failure.seed, kCommit, failure.what,
             command_of(options, failure.seed));
}

int shrink_seed(Options options, const Plan& plan) {
  const std::uint32_t limit_s = options.campaign.cpu_limit_s;
  if (!fails(plan, limit_s)) {
    fmt::print("seed {} does not fail\n", options.seed);
    return 0;
  }
  const Cuts cuts = shrink(
      plan, [&](const Plan& smaller) { return fails(smaller, limit_s); },
      [](const std::string& step) { fmt::print(stderr, "shrink: {}\n", step); });
  options.cuts = cuts.to_string();
  fmt::print("{}\n", command_of(options, options.seed));
  return 1;
}

int replay(const Options& options) {
  Plan plan = Plan::draw(options.seed, options.campaign.rate_per_s, options.campaign.horizon);
  Cuts cuts;
  if (!options.cuts.empty() && !Cuts::parse(options.cuts, cuts)) {
    fmt::print(stderr, "simulate: --only: found \"{}\", allowed SECONDSs or SECONDSs:INDEX,…\n",
               options.cuts);
    return 2;
  }
  cuts.apply(plan);
  if (options.shrink) return shrink_seed(options, plan);
  World world(plan, !options.json);
  const WorldResult result = world.run();
  std::fflush(stdout);
  if (!result.failure.empty()) print_failure(options, {options.seed, result.failure});
  fmt::print("{{\"seed\": {}, \"hash\": \"{:016x}\", \"simulated_s\": {:.3f}, \"events\": {}, "
             "\"appended\": {}, \"applied\": {}, \"releases\": {}, \"reigns\": {}, "
             "\"failed\": {}}}\n",
             options.seed, result.hash, static_cast<double>(result.simulated_ns) / 1e9,
             result.events, result.appended, result.applied, result.releases, result.reigns,
             !result.failure.empty());
  return result.failure.empty() ? 0 : 1;
}

void print_json(const CampaignResult& result) {
  fmt::print("{{\"seeds\": {}, \"simulated_hours\": {:.3f}, \"counted_hours\": {:.3f}, "
             "\"wall_s\": {:.1f}, \"cpu_s\": {:.1f}, \"times_real\": {:.0f}, \"failures\": {}, "
             "\"hash\": \"{:016x}\", \"events\": {}, \"offered\": {}, \"appended\": {}, "
             "\"applied\": {}, \"releases\": {}, \"reigns\": {}, \"faults\": {{",
             result.seeds, result.simulated_s / 3600, result.counted_s / 3600, result.wall_s,
             result.cpu_s, result.counted_s / result.cpu_s, result.failures.size(), result.hash,
             result.events, result.offered, result.appended, result.applied, result.releases,
             result.reigns);
  for (std::size_t f = 0; f < kFaults; ++f) {
    fmt::print("{}\"{}\": {}", f == 0 ? "" : ", ", to_string(static_cast<Fault>(f)),
               result.faults[f]);
  }
  fmt::print("}}}}\n");
}

int campaign(const Options& options) {
  const CampaignResult result = run_campaign(
      options.campaign, [&](const SeedFailure& failure) { print_failure(options, failure); });
  print_json(result);
  return result.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.campaign.jobs = std::max(1u, std::thread::hardware_concurrency());
  CLI::App app{"Runs the engine in simulated worlds, each a function of its seed."};
  app.add_option("--seeds", options.campaign.seeds, "How many worlds")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--first", options.campaign.first_seed, "The first seed")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  app.add_option("--seed", options.seed, "Runs this one world and prints what happens in it")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  app.add_option("--rate", options.campaign.rate_per_s,
                 "Records offered a second; drawn by seed (100 and more) without it")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--seconds", options.seconds, "Simulated seconds of each world until faults end")
      ->check(CLI::Range(1u, 86'400u));
  app.add_option("--jobs", options.campaign.jobs, "Worlds at once")->check(CLI::Range(1u, 256u));
  auto* seed = app.get_option("--seed");
  app.add_flag("--shrink", options.shrink, "With --seed: looks for a smaller world that fails")
      ->needs(seed);
  app.add_option("--only", options.cuts, "With --seed: the part of its plan that --shrink named")
      ->needs(seed);
  app.add_flag("--json", options.json, "Prints the result line only");
  CLI11_PARSE(app, argc, argv);
  options.campaign.horizon = options.seconds * kSecond_ns;
  return options.seed != 0 ? replay(options) : campaign(options);
}
