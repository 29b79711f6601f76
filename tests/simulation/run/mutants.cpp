// mutants: plants the engine's known bugs, one at a time, and sees whether the simulation finds
// each of them. A mutant that lives is a hole in the checkers or in the faults.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/mutant.h"
#include "tests/simulation/crash/crash_images.h"
#include "tests/simulation/crash/stream_images.h"
#include "tests/simulation/durable/durable_world.h"
#include "tests/simulation/run/hunt.h"

namespace {

using namespace quorate;
using namespace quorate::simulation;

constexpr std::uint64_t kImagesAtOnce = 500;
constexpr std::uint64_t kStreamImagesAtOnce = 100;
constexpr Instant kDurableHorizon = 20 * kSecond_ns;

struct Options {
  CampaignOptions campaign;
  Hunt::Limits limits;
  std::vector<std::string> only;
  bool json = false;
};

struct Totals {
  std::size_t planted = 0;
  std::size_t killed = 0;
  std::string lines;
};

Report report_of(std::uint64_t seed, const std::string& failure) {
  Report report{};
  report.seed = seed;
  report.done = 1;
  report.failed = failure.empty() ? 0 : 1;
  failure.copy(report.what, sizeof report.what - 1);
  return report;
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
void plant(std::string_view name) {
  CHECK(base::select_mutant(name));
  base::mutant_passes = 0;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

void add_verdict(Totals& totals, std::string_view name, const Verdict& verdict, bool json) {
  ++totals.planted;
  totals.killed += verdict.killed ? 1 : 0;
  if (!json) {
    const std::string by = verdict.killed ? fmt::format("seed {}: ", verdict.seed) : "";
    fmt::print("{:<36} {} after {:.1f} CPU s {}{}\n", name, verdict.killed ? "killed" : "ALIVE",
               verdict.cpu_s, by, verdict.how);
    std::fflush(stdout);
  }
  totals.lines += fmt::format(
      "{}{{\"name\": \"{}\", \"killed\": {}, \"cpu_s\": {:.1f}, \"seed\": {}, \"how\": {}}}",
      totals.lines.empty() ? "" : ", ", name, verdict.killed, verdict.cpu_s, verdict.seed,
      quoted(verdict.how));
}

/// The worlds in which bugs are hunted, each kind with what passes in it with nothing planted.
class Hunts {
 public:
  explicit Hunts(const Options& options)
      : clusters_(options.campaign, options.limits, left_out("cluster")),
        images_(images(options.campaign), options.limits, left_out("crash images")),
        durable_(durable_worlds(options.campaign), {kDurableSlice, options.limits.cpu_s},
                 left_out("durable world")) {}

  Verdict run(const base::MutantName& mutant) {
    const auto plant_it = [&](std::uint64_t) { plant(mutant.name); };
    if (!mutant.on_disk) return clusters_.run(plant_it);
    const Verdict first = images_.run(plant_it);
    if (first.killed) return first;
    Verdict verdict = durable_.run(plant_it);
    verdict.cpu_s += first.cpu_s;
    return verdict;
  }
  [[nodiscard]] bool nothing_passes() const {
    return std::any_of(all_.begin(), all_.end(), [](const Hunt* hunt) {
      return hunt->tried() > 0 && hunt->nothing_passes();
    });
  }
  [[nodiscard]] std::uint64_t left_out() const {
    return clusters_.left_out() + images_.left_out() + durable_.left_out();
  }
  [[nodiscard]] double cpu_s() const {
    return clusters_.cpu_s() + images_.cpu_s() + durable_.cpu_s();
  }

 private:
  static constexpr std::uint64_t kDurableSlice = 8;  ///< one takes more than a second
  static std::function<void(const SeedFailure&)> left_out(const char* kind) {
    return [kind](const SeedFailure& failure) {
      fmt::print(stderr, "{}: seed {} fails without a mutant: left out ({})\n", kind,
                 failure.seed, failure.what);
    };
  }

  Hunt clusters_;
  Hunt images_;
  Hunt durable_;
  const std::array<const Hunt*, 3> all_{&clusters_, &images_, &durable_};
};

int run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  Hunts hunts(options);
  Totals totals;
  for (const base::MutantName& mutant : base::mutant_names()) {
    const auto& only = options.only;
    if (!only.empty() && std::find(only.begin(), only.end(), mutant.name) == only.end()) continue;
    const Verdict verdict = hunts.run(mutant);
    add_verdict(totals, mutant.name, verdict, options.json);
    if (!hunts.nothing_passes()) continue;
    fmt::print(stderr, "mutants: no seed passes without a mutant, so none can find one\n");
    break;
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  fmt::print("{{\"planted\": {}, \"killed\": {}, \"left_out\": {}, \"cpu_s\": {:.1f}, "
             "\"wall_s\": {:.1f}, \"mutants\": [{}]}}\n",
             totals.planted, totals.killed, hunts.left_out(), hunts.cpu_s(), wall.count(),
             totals.lines);
  return totals.killed == totals.planted && !hunts.nothing_passes() ? 0 : 1;
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
  app.add_option("--only", options.only, "Names of mutants; all without it")->check(no_mutant);
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
    fmt::print(stderr, "mutants: {}\n", error.what());
    return 2;
  }
  return run(options);
}
