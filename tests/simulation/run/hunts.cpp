#include "tests/simulation/run/hunts.h"

#include <algorithm>

namespace quorate::simulation {

/// Each world once with nothing planted, and once with each of its bugs.
std::vector<Hunts::Trial> Hunts::trials_of(const KnownSeeds& seeds) {
  std::vector<Trial> trials;
  std::set<World> worlds;
  for (const auto& [bug, known] : seeds) {
    const World world{known.kind, known.seed};
    if (worlds.insert(world).second) trials.push_back({"", world});
    trials.push_back({bug, world});
  }
  return trials;
}

Hunts::Hunts(const std::vector<Kind>& kinds, Plant plant, OnLeftOut on_left_out)
    : plant_(std::move(plant)), on_left_out_(std::move(on_left_out)) {
  for (const Kind& kind : kinds) {
    hunts_.try_emplace(kind.name, kind.options, kind.limits,
                       [this, name = kind.name](const SeedFailure& f) { leave_out(name, f); });
  }
}

void Hunts::leave_out(const std::string& kind, const SeedFailure& failure) {
  if (failure.seed != 0 && !left_out_.emplace(kind, failure.seed).second) return;
  on_left_out_(kind, failure);
}

/// The seeds of this campaign are places in the list: so worlds of all kinds run beside each other.
/// Each has a process, or what one bug spoils could kill the next.
CampaignResult Hunts::run_all(const std::vector<Trial>& trials, std::uint32_t jobs) {
  const auto options_of = [this](const Trial& trial) -> const CampaignOptions& {
    return hunts_.at(trial.world.first).options();
  };
  CampaignOptions all;
  all.seeds = trials.size();
  all.jobs = jobs;
  all.each_apart = true;
  all.before_seed = [&](std::uint64_t place) {
    const Trial& trial = trials[place - all.first_seed];
    const CampaignOptions& options = options_of(trial);
    limit_time(options.cpu_limit_s);
    if (options.before_seed) options.before_seed(trial.world.second);
    if (!trial.bug.empty()) plant_(trial.bug);
  };
  all.world = [&](std::uint64_t place) {
    const Trial& trial = trials[place - all.first_seed];
    Report report = run_seed(options_of(trial), trial.world.second);
    report.seed = place;
    return report;
  };
  CampaignResult result = run_campaign(all, [](const SeedFailure&) {});
  std::erase_if(result.failures, [](const SeedFailure& failure) { return failure.seed == 0; });
  for (SeedFailure& failure : result.failures) failure.seed -= all.first_seed;
  return result;
}

void Hunts::try_known(const KnownSeeds& seeds, std::uint32_t jobs) {
  const std::vector<Trial> trials = trials_of(seeds);
  const CampaignResult result = run_all(trials, jobs);
  known_cpu_s_ += result.cpu_s;
  for (const SeedFailure& failure : result.failures) {
    const auto& [bug, world] = trials[failure.seed];
    if (bug.empty()) leave_out(world.first, {world.second, failure.what, failure.cpu_s});
  }
  for (const SeedFailure& failure : result.failures) {
    const auto& [bug, world] = trials[failure.seed];
    if (bug.empty() || left_out_.contains(world)) continue;
    known_[bug] = {.killed = true,
                   .seed = world.second,
                   .kind = world.first,
                   .cpu_s = failure.cpu_s,
                   .known = true,
                   .how = failure.what};
  }
}

Verdict Hunts::run(const std::string& bug, const std::vector<std::string>& kinds) {
  if (const auto known = known_.find(bug); known != known_.end()) return known->second;
  Verdict verdict;
  double cpu_s = 0;
  for (const std::string& kind : kinds) {
    verdict = hunts_.at(kind).run([&](std::uint64_t) { plant_(bug); });
    cpu_s += verdict.cpu_s;
    if (!verdict.killed) continue;
    verdict.kind = kind;
    break;
  }
  verdict.cpu_s = cpu_s;
  return verdict;
}

bool Hunts::nothing_passes() const {
  return std::any_of(hunts_.begin(), hunts_.end(), [](const auto& named) {
    return named.second.tried() > 0 && named.second.nothing_passes();
  });
}

double Hunts::cpu_s() const {
  double sum_s = known_cpu_s_;
  for (const auto& [name, hunt] : hunts_) sum_s += hunt.cpu_s();
  return sum_s;
}

}  // namespace quorate::simulation
