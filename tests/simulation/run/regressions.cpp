#include "tests/simulation/run/regressions.h"

#include <string_view>

#include "tests/simulation/run/command.h"
#include "tests/simulation/run/lines.h"

namespace quorate::simulation {

namespace {

std::string read_regression(std::string_view line, Regression& regression) {
  const std::size_t hash = line.find('#');
  std::string_view numbers = trimmed(line.substr(0, hash));
  if (auto e = take_number(numbers, "seed", kSeedMax, regression.seed); !e.empty()) return e;
  if (auto e = take_number(numbers, "seconds", kSecondsMax, regression.seconds); !e.empty()) {
    return e;
  }
  if (!numbers.empty()) {
    if (auto e = take_number(numbers, "rate", kRateMax, regression.rate_per_s); !e.empty()) {
      return e;
    }
  }
  if (!numbers.empty()) {
    return "found \"" + std::string(numbers) + "\", allowed SEED SECONDS [RATE] # why";
  }
  if (hash != std::string_view::npos) regression.why = trimmed(line.substr(hash + 1));
  return regression.why.empty() ? "it does not say why: SEED SECONDS [RATE] # why" : "";
}

}  // namespace

std::string read_regressions(std::istream& in, std::vector<Regression>& regressions) {
  regressions.clear();
  const std::string error = read_lines(in, [&](std::string_view line) {
    return read_regression(line, regressions.emplace_back());
  });
  if (!error.empty()) return error;
  return regressions.empty() ? "there is no seed in it" : "";
}

}  // namespace quorate::simulation
