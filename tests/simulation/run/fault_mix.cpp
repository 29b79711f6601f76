#include "tests/simulation/run/fault_mix.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace quorate::simulation {

namespace {

using Kinds = std::array<bool, kFaults>;

std::string found(std::string_view option, std::string_view word, std::string_view allowed) {
  return std::string(option) + ": found \"" + std::string(word) + "\", allowed " +
         std::string(allowed);
}

std::string all_names() {
  std::string names;
  for (std::size_t f = 0; f < kFaults; ++f) {
    names += f == 0 ? "" : ",";
    names += to_string(static_cast<Fault>(f));
  }
  return names;
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t comma = list.find(',');
    words.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return words;
    list.remove_prefix(comma + 1);
  }
}

std::string read_names(std::string_view option, std::string_view list, Kinds& kinds) {
  for (const std::string_view word : words_of(list)) {
    std::size_t f = 0;
    while (f < kFaults && to_string(static_cast<Fault>(f)) != word) ++f;
    if (f == kFaults) {
      return found(option, word, "names of faults separated by commas, none empty: " + all_names());
    }
    if (kinds[f]) return found(option, word, "each name once") + ", it is there twice";
    kinds[f] = true;
  }
  return {};
}

}  // namespace

std::string FaultMix::parse(const std::optional<std::string>& faults,
                            const std::optional<std::string>& without, FaultMix& mix) {
  mix = {};
  Kinds wanted{};
  Kinds unwanted{};
  if (without) {
    if (auto error = read_names("--without", *without, unwanted); !error.empty()) return error;
  }
  if (faults) {
    const auto words = words_of(*faults);
    const bool none = std::find(words.begin(), words.end(), "none") != words.end();
    if (none && (words.size() > 1 || without)) {
      return found("--faults", *faults, "none alone, without other names and without --without");
    }
    if (!none) {
      if (auto error = read_names("--faults", *faults, wanted); !error.empty()) return error;
    }
  }
  for (std::size_t f = 0; f < kFaults; ++f) {
    if (wanted[f] && unwanted[f]) {
      return found("--without", to_string(static_cast<Fault>(f)), "names that --faults has not");
    }
    mix.allowed_[f] = (!faults || wanted[f]) && !unwanted[f];
  }
  if (faults) mix.options_ += " --faults " + *faults;
  if (without) mix.options_ += " --without " + *without;
  return {};
}

bool FaultMix::empty() const noexcept {
  return std::find(allowed_.begin(), allowed_.end(), true) == allowed_.end();
}

void FaultMix::apply(Plan& plan) const {
  std::erase_if(plan.episodes, [&](const Episode& episode) { return !allows(episode.fault); });
}

}  // namespace quorate::simulation
