#include "tests/simulation/run/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <thread>

namespace quorate::simulation {

namespace {

constexpr double kMinutesMin = 0.01;
constexpr double kMinutesMax = 100'000;
constexpr double kHoursMax = 1e9;

/// Options whose values are looked at once all are known.
struct Words {
  std::optional<std::string> faults;
  std::optional<std::string> without;
  std::optional<std::string> only;
  std::optional<std::string> regressions;
  std::optional<double> minutes;
  std::optional<double> require_hours;
};

void add_what_runs(CLI::App& app, Command& command, Words& words) {
  CampaignOptions& campaign = command.campaign;
  app.add_option("--seeds", campaign.seeds, "How many worlds")
      ->check(CLI::Range(std::uint64_t{1}, kSeedsMax));
  app.add_option("--first", campaign.first_seed, "The first seed")
      ->check(CLI::Range(std::uint64_t{1}, kSeedMax));
  app.add_option("--seed", command.seed, "Runs this one world and prints what happens in it")
      ->check(CLI::Range(std::uint64_t{1}, kSeedMax));
  app.add_flag("--shrink", command.shrink, "With --seed: looks for a smaller world that fails");
  app.add_option("--only", words.only, "With --seed: the part of its plan that --shrink named");
  app.add_option("--minutes", words.minutes,
                 "A soak: takes further seeds until so many minutes have passed");
  app.add_option("--regressions", words.regressions,
                 "Runs the worlds that this file lists: SEED SECONDS [RATE] # why");
}

void add_worlds(CLI::App& app, Command& command, Words& words) {
  CampaignOptions& campaign = command.campaign;
  app.add_option("--rate", campaign.rate_per_s,
                 "Records offered a second; drawn by seed (100 and more) without it")
      ->check(CLI::Range(1u, kRateMax));
  app.add_option("--seconds", command.seconds, "Simulated seconds of each world until faults end")
      ->check(CLI::Range(1u, kSecondsMax));
  app.add_option("--faults", words.faults,
                 "The only kinds of faults that may occur, separated by commas, or none");
  app.add_option("--without", words.without, "Kinds of faults that may not occur");
}

void add_the_rest(CLI::App& app, Command& command, Words& words) {
  CampaignOptions& campaign = command.campaign;
  app.add_option("--jobs", campaign.jobs, "Worlds at once")->check(CLI::Range(1u, 256u));
  app.add_option("--cpu-limit", campaign.cpu_limit_s, "CPU seconds that one world may take")
      ->check(CLI::Range(1u, 86'400u));
  app.add_flag("--require-faults", command.require_faults,
               "Fails when a kind of fault that may occur did not");
  app.add_option("--require-hours", words.require_hours,
                 "Fails when fewer simulated hours were counted");
  app.add_flag("--json", command.json, "Prints the result line only");
}

/// Which options have no meaning beside each other.
void add_exclusions(CLI::App& app) {
  const auto exclude = [&](const char* name, std::initializer_list<const char*> others) {
    for (const char* other : others) app.get_option(name)->excludes(app.get_option(other));
  };
  exclude("--seed", {"--seeds", "--first", "--minutes", "--require-faults", "--require-hours"});
  exclude("--minutes", {"--seeds"});
  exclude("--regressions", {"--seeds", "--first", "--seed", "--minutes", "--rate", "--seconds",
                            "--faults", "--without", "--require-faults", "--require-hours"});
  exclude("--shrink", {"--only"});
  app.get_option("--shrink")->needs(app.get_option("--seed"));
  app.get_option("--only")->needs(app.get_option("--seed"));
}

std::string read_amount(const char* name, const std::optional<double>& word, double high,
                        double& amount) {
  if (!word) return {};
  amount = *word;
  // Not a number compares as false.
  if (amount > 0 && amount <= high) return {};
  return fmt::format("{}: found {}, allowed more than 0 and at most {}", name, amount, high);
}

std::string read_words(const Words& words, Command& command) {
  std::string error = FaultMix::parse(words.faults, words.without, command.campaign.mix);
  if (!error.empty()) return error;
  error = read_amount("--minutes", words.minutes, kMinutesMax, command.minutes);
  if (!error.empty()) return error;
  if (words.minutes && command.minutes < kMinutesMin) {
    return fmt::format("--minutes: found {}, allowed at least {}", command.minutes, kMinutesMin);
  }
  if (words.regressions) {
    if (words.regressions->empty()) return "--regressions: found \"\", allowed the name of a file";
    command.regressions = *words.regressions;
  }
  error = read_amount("--require-hours", words.require_hours, kHoursMax, command.require_hours);
  if (!error.empty()) return error;
  if (words.only && !Cuts::parse(*words.only, command.cuts)) {
    return fmt::format("--only: found \"{}\", allowed SECONDSs or SECONDSs:INDEX,…", *words.only);
  }
  if (command.require_faults && command.campaign.mix.empty()) {
    return "--require-faults: no fault may occur, so none can be required; allowed with at least "
           "one kind of fault";
  }
  return {};
}

}  // namespace

std::string Command::again(std::uint64_t of_seed) const {
  std::string text =
      fmt::format("build/release/tests/simulate --seed {} --seconds {}", of_seed, seconds);
  if (campaign.rate_per_s != 0) text += fmt::format(" --rate {}", campaign.rate_per_s);
  text += campaign.mix.options();
  if (campaign.cpu_limit_s != CampaignOptions{}.cpu_limit_s) {
    text += fmt::format(" --cpu-limit {}", campaign.cpu_limit_s);
  }
  if (cuts.chosen || cuts.until_s != 0) text += " --only " + cuts.to_string();
  return text;
}

Parsed parse_command(const std::vector<std::string>& words) {
  Parsed parsed;
  Command& command = parsed.command;
  command.campaign.jobs = std::clamp(std::thread::hardware_concurrency(), 1u, 256u);
  Words later;
  CLI::App app{"Runs the engine in simulated worlds, each a function of its seed.", "simulate"};
  add_what_runs(app, command, later);
  add_worlds(app, command, later);
  add_the_rest(app, command, later);
  add_exclusions(app);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    parsed.what = Parsed::What::help;
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::ParseError& error) {
    parsed.text = error.what();
  }
  if (parsed.text.empty()) parsed.text = read_words(later, command);
  if (!parsed.text.empty()) parsed.what = Parsed::What::bad;
  command.campaign.horizon = command.seconds * kSecond_ns;
  return parsed;
}

namespace {

/// Which of these kinds have a count of 0, each behind a comma but the first.
template <typename Kind, typename Counts>
void add_missing(std::string& missing, const Counts& counts,
                 const std::function<bool(Kind)>& allows) {
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const auto kind = static_cast<Kind>(k);
    if (counts[k] != 0 || !allows(kind)) continue;
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", to_string(kind));
  }
}

/// A fault that was begun and met nothing did not occur: so what faults did is asked for as well,
/// when all of them may occur.
std::string missing_faults(const FaultMix& mix, const CampaignResult& result) {
  std::string missing;
  add_missing<Fault>(missing, result.faults, [&](Fault fault) { return mix.allows(fault); });
  if (!mix.whole()) return missing;
  add_missing<Effect>(missing, result.effects.counts, [](Effect) { return true; });
  add_missing<Forgery>(missing, result.forged, [](Forgery) { return true; });
  return missing;
}

}  // namespace

std::string not_reached(const Command& command, const CampaignResult& result) {
  std::string text;
  if (command.require_faults) {
    const std::string missing = missing_faults(command.campaign.mix, result);
    if (!missing.empty()) text = fmt::format("--require-faults: never occurred: {}", missing);
  }
  const double hours = result.counted_s / 3600;
  if (hours < command.require_hours) {
    text += fmt::format("{}--require-hours: counted {:.3f} hours, required {}",
                        text.empty() ? "" : "; ", hours, command.require_hours);
  }
  return text;
}

}  // namespace quorate::simulation
