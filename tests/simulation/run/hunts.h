#pragma once

// Hunts bugs in worlds of several kinds. Seeds that are known to find them are tried first, all at
// once; only what those do not find is hunted, one bug at a time.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/run/campaign.h"
#include "tests/simulation/run/hunt.h"
#include "tests/simulation/run/known_seeds.h"

namespace quorate::simulation {

class Hunts {
 public:
  struct Kind {
    std::string name;
    CampaignOptions options;
    Hunt::Limits limits;
  };
  using Plant = std::function<void(const std::string& bug)>;
  using OnLeftOut = std::function<void(const std::string& kind, const SeedFailure& failure)>;

  /// `plant` is called before a world, in the process that runs it. `on_left_out` hears once of
  /// each seed that fails with nothing planted.
  Hunts(const std::vector<Kind>& kinds, Plant plant, OnLeftOut on_left_out);
  Hunts(const Hunts&) = delete;
  Hunts& operator=(const Hunts&) = delete;

  /// Each world with its bug planted, and once with nothing planted, `jobs` at once.
  void try_known(const KnownSeeds& seeds, std::uint32_t jobs);
  /// What a known seed said of the bug, or a hunt in worlds of these kinds, one after the other.
  Verdict run(const std::string& bug, const std::vector<std::string>& kinds);

  /// Some seeds of a kind were hunted through, and each failed with nothing planted.
  [[nodiscard]] bool nothing_passes() const;
  /// Seeds that failed with nothing planted.
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_.size(); }
  /// CPU time of everything so far.
  [[nodiscard]] double cpu_s() const;

 private:
  using World = std::pair<std::string, std::uint64_t>;  ///< kind and seed
  struct Trial {
    std::string bug;  ///< empty: nothing is planted
    World world;
  };

  static std::vector<Trial> trials_of(const KnownSeeds& seeds);
  void leave_out(const std::string& kind, const SeedFailure& failure);
  [[nodiscard]] CampaignResult run_all(const std::vector<Trial>& trials, std::uint32_t jobs);

  const Plant plant_;
  const OnLeftOut on_left_out_;
  std::map<std::string, Hunt> hunts_;
  std::map<std::string, Verdict> known_;  ///< bugs that their known seeds killed
  std::set<World> left_out_;
  double known_cpu_s_ = 0;
};

}  // namespace quorate::simulation
