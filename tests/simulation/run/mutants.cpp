// mutants: plants the engine's known bugs, one at a time, and sees whether the simulation finds
// each of them. A mutant that lives is a hole in the checkers or in the faults.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutant.h"
#include "tests/simulation/run/campaign.h"

namespace {

using namespace quorate;
using namespace quorate::simulation;

struct Verdict {
  std::string_view name;
  bool killed = false;
  double cpu_s = 0;
  std::string how;
};

Verdict hunt(std::string_view name, CampaignOptions options) {
  CHECK(base::select_mutant(name));
  Verdict verdict{name, false, 0, {}};
  options.stop_at_failure = true;
  const CampaignResult result = run_campaign(options, [&](const SeedFailure& failure) {
    verdict.killed = true;
    verdict.how = fmt::format("seed {}: {}", failure.seed, failure.what);
  });
  verdict.cpu_s = result.cpu_s;
  return verdict;
}

std::string quoted(std::string text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

}  // namespace

int main(int argc, char** argv) {
  CampaignOptions options;
  options.seeds = 400;
  options.horizon = 120 * kSecond_ns;
  options.cpu_limit_s = 20;
  options.jobs = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::string> only;
  bool json = false;
  CLI::App app{"Plants known bugs and sees whether the simulation finds each of them."};
  app.add_option("--seeds", options.seeds, "Worlds per mutant at most")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--only", only, "Names of mutants; all without it");
  app.add_option("--jobs", options.jobs, "Worlds at once")->check(CLI::Range(1u, 256u));
  app.add_flag("--json", json, "Prints the result line only");
  CLI11_PARSE(app, argc, argv);
  std::size_t planted = 0;
  std::size_t killed = 0;
  std::string lines;
  for (const base::MutantName& mutant : base::mutant_names()) {
    if (!only.empty() && std::find(only.begin(), only.end(), mutant.name) == only.end()) continue;
    const Verdict verdict = hunt(mutant.name, options);
    ++planted;
    killed += verdict.killed ? 1 : 0;
    if (!json) {
      fmt::print("{:<36} {} after {:.1f} CPU s {}\n", verdict.name,
                 verdict.killed ? "killed" : "ALIVE", verdict.cpu_s, verdict.how);
      std::fflush(stdout);
    }
    lines += fmt::format("{}{{\"name\": \"{}\", \"killed\": {}, \"cpu_s\": {:.1f}, \"how\": {}}}",
                         lines.empty() ? "" : ", ", verdict.name, verdict.killed, verdict.cpu_s,
                         quoted(verdict.how));
  }
  if (planted == 0) {
    fmt::print(stderr, "mutants: --only names no mutant\n");
    return 2;
  }
  fmt::print("{{\"planted\": {}, \"killed\": {}, \"mutants\": [{}]}}\n", planted, killed, lines);
  return killed == planted ? 0 : 1;
}
