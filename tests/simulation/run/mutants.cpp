// mutants: plants the engine's known bugs, one at a time, and sees whether the simulation finds
// each of them. A mutant that lives is a hole in the checkers or in the faults.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/mutant.h"
#include "tests/simulation/crash/crash_images.h"
#include "tests/simulation/crash/stream_images.h"
#include "tests/simulation/durable/durable_world.h"
#include "tests/simulation/run/hunts.h"
#include "tests/simulation/run/known_seeds.h"

namespace {

using namespace quorate;
using namespace quorate::simulation;

constexpr std::uint64_t kImagesAtOnce = 500;
constexpr std::uint64_t kStreamImagesAtOnce = 100;
/// The kinds of worlds.
constexpr const char* kCluster = "cluster";
constexpr const char* kImages = "images";
constexpr const char* kDurable = "durable";
constexpr Instant kDurableHorizon = 20 * kSecond_ns;

struct Options {
  CampaignOptions campaign;
  Hunt::Limits limits;
  std::vector<std::string> only;
  std::string known_file;
  std::string written_file;
  bool json = false;

  [[nodiscard]] bool takes(std::string_view name) const {
    return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
  }
};

struct Totals {
  std::size_t planted = 0;
  std::size_t killed = 0;
  std::size_t known = 0;
  std::size_t killed_by_known = 0;
  std::string error;  ///< that ended the run
  std::string lines;
};

int refuse(const std::string& what) {
  fmt::print(stderr, "mutants: {}\n", what);
  return 2;
}

/// Crash images of a log by itself: tried first, since a hundred take a tenth of a second.
CampaignOptions images(CampaignOptions options) {
  options.seeds = std::min<std::uint64_t>(options.seeds, 8);
  options.world = [](std::uint64_t seed) {
    const CrashTotals totals = run_crash_images(seed * kImagesAtOnce, kImagesAtOnce);
    if (!totals.violations.empty()) return report_of(seed, totals.violations.front());
    const StreamTotals streams = run_stream_images(seed * kStreamImagesAtOnce,
                                                   kStreamImagesAtOnce);
    return report_of(seed, streams.violations.empty() ? "" : streams.violations.front());
  };
  return options;
}

CampaignOptions durable_worlds(CampaignOptions options) {
  options.seeds = std::min<std::uint64_t>(options.seeds, 160);
  options.cpu_limit_s = 120;
  options.world = [](std::uint64_t seed) {
    const auto settings = durable::Settings::draw(seed, kDurableHorizon);
    return report_of(seed, durable::DurableWorld(settings, false).run().failure);
  };
  return options;
}

/// In the process of the world: the bug, as if nothing had passed it before.
void plant(const std::string& name) {
  CHECK(base::select_mutant(name));
  base::mutant_passes = 0;
}

/// The worlds in which bugs are hunted.
std::vector<Hunts::Kind> kinds_of(const Options& options) {
  constexpr std::uint64_t kDurableSlice = 8;  // one takes more than a second
  return {{kCluster, options.campaign, options.limits},
          {kImages, images(options.campaign), options.limits},
          {kDurable, durable_worlds(options.campaign), {kDurableSlice, options.limits.cpu_s}}};
}

std::vector<std::string> kinds_for(const base::MutantName& mutant) {
  if (!mutant.on_disk) return {kCluster};
  return {kImages, kDurable};
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

std::string by_whom(const Verdict& verdict) {
  if (!verdict.killed) return {};
  return fmt::format("{}{} {}: ", verdict.known ? "known " : "", verdict.kind, verdict.seed);
}

void add_verdict(Totals& totals, std::string_view name, const Verdict& verdict, bool json) {
  ++totals.planted;
  totals.killed += verdict.killed ? 1 : 0;
  totals.killed_by_known += verdict.known ? 1 : 0;
  if (!json) {
    fmt::print("{:<28} {} after {:.1f} CPU s {}{}\n", name, verdict.killed ? "killed" : "ALIVE",
               verdict.cpu_s, by_whom(verdict), verdict.how);
    std::fflush(stdout);
  }
  totals.lines += fmt::format(
      "{}{{\"name\": \"{}\", \"killed\": {}, \"known\": {}, \"cpu_s\": {:.1f}, "
      "\"kind\": \"{}\", \"seed\": {}, \"how\": {}}}",
      totals.lines.empty() ? "" : ", ", name, verdict.killed, verdict.known, verdict.cpu_s,
      verdict.kind, verdict.seed, quoted(verdict.how));
}

/// The text of an error; empty: none.
std::string read_file(const std::string& name, KnownSeeds& seeds) {
  if (name.empty()) return {};
  std::ifstream file(name);
  if (!file) return fmt::format("{}: {}", name, std::strerror(errno));
  KnownNames names{{}, {kCluster, kImages, kDurable}};
  for (const base::MutantName& mutant : base::mutant_names()) names.bugs.emplace_back(mutant.name);
  const std::string error = read_known_seeds(file, names, seeds);
  return error.empty() ? "" : fmt::format("{}: {}", name, error);
}

/// Whole or not at all, since it may be the file that was read. The text of an error; empty: none.
std::string write_file(const std::string& name, const KnownSeeds& seeds) {
  if (name.empty()) return {};
  const std::string unfinished = name + ".new";
  std::ofstream file(unfinished);
  write_known_seeds(file, seeds);
  file.close();
  if (!file) return fmt::format("{}: it cannot be written", unfinished);
  if (std::rename(unfinished.c_str(), name.c_str()) == 0) return {};
  return fmt::format("{}: {}", name, std::strerror(errno));
}

/// Each bug that is asked for. `seeds`: those known, then those that killed; the others stay. The
/// file is written after each bug, so whoever ends a long run loses one hunt.
Totals hunt_all(const Options& options, Hunts& hunts, KnownSeeds& seeds) {
  KnownSeeds known = seeds;
  std::erase_if(known, [&](const auto& line) { return !options.takes(line.first); });
  hunts.try_known(known, options.campaign.jobs);
  Totals totals;
  totals.known = known.size();
  for (const base::MutantName& mutant : base::mutant_names()) {
    if (!options.takes(mutant.name)) continue;
    const std::string name(mutant.name);
    const Verdict verdict = hunts.run(name, kinds_for(mutant));
    add_verdict(totals, name, verdict, options.json);
    if (known.contains(name) && !verdict.known) {
      fmt::print(stderr, "{}: its known seed does not find it; --write-seeds\n", name);
    }
    seeds.erase(name);
    if (verdict.killed) seeds[name] = {verdict.kind, verdict.seed};
    if (hunts.nothing_passes()) {
      totals.error = "no seed passes without a mutant, so none can find one";
    } else {
      totals.error = write_file(options.written_file, seeds);
    }
    if (!totals.error.empty()) break;
  }
  return totals;
}

int run(const Options& options) {
  KnownSeeds seeds;
  if (const std::string error = read_file(options.known_file, seeds); !error.empty()) {
    return refuse(error);
  }
  const auto began = std::chrono::steady_clock::now();
  Hunts hunts(kinds_of(options), plant, [](const std::string& kind, const SeedFailure& failure) {
    fmt::print(stderr, "{}: seed {} fails without a mutant: left out ({})\n", kind, failure.seed,
               failure.what);
  });
  const Totals totals = hunt_all(options, hunts, seeds);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  fmt::print("{{\"planted\": {}, \"killed\": {}, \"known_seeds\": {}, \"killed_by_known\": {}, "
             "\"left_out\": {}, \"cpu_s\": {:.1f}, \"wall_s\": {:.1f}, \"mutants\": [{}]}}\n",
             totals.planted, totals.killed, totals.known, totals.killed_by_known,
             hunts.left_out(), hunts.cpu_s(), wall.count(), totals.lines);
  if (!totals.error.empty()) fmt::print(stderr, "mutants: {}\n", totals.error);
  return totals.error.empty() && totals.killed == totals.planted ? 0 : 1;
}

std::string no_mutant(const std::string& name) {
  std::string names;
  for (const base::MutantName& mutant : base::mutant_names()) {
    if (mutant.name == name) return {};
    names += fmt::format(" {}", mutant.name);
  }
  return fmt::format("found \"{}\", allowed{}", name, names);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--seeds", options.campaign.seeds, "Worlds per mutant at most")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--first", options.campaign.first_seed, "The first seed of each hunt")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--only", options.only, "Names of mutants; all without it")->check(no_mutant);
  app.add_option("--known-seeds", options.known_file,
                 "Tries the seeds of this file first, and hunts what they do not find")
      ->check(CLI::ExistingFile);
  app.add_option("--write-seeds", options.written_file,
                 "Writes this file: the seeds that found a mutant, and the lines of mutants that "
                 "--only left aside")
      ->check([](const std::string& name) {
        return name.empty() ? "found \"\", allowed the name of a file" : "";
      });
  app.add_option("--jobs", options.campaign.jobs, "Worlds at once")->check(CLI::Range(1u, 256u));
  app.add_option("--cpu-limit", options.limits.cpu_s, "CPU seconds that one mutant may take")
      ->check(CLI::Range(1, 1'000'000));
  app.add_flag("--json", options.json, "Prints the result line only");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.campaign.seeds = 400;
  options.campaign.horizon = 120 * kSecond_ns;
  options.campaign.cpu_limit_s = 20;
  options.campaign.jobs = std::clamp(std::thread::hardware_concurrency(), 1u, 256u);
  CLI::App app{"Plants known bugs and sees whether the simulation finds each of them."};
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  return run(options);
}
