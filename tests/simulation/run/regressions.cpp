#include "tests/simulation/run/regressions.h"

#include <charconv>
#include <string_view>

#include "tests/simulation/run/command.h"

namespace quorate::simulation {

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Takes the next word off the text. An error text; empty: a number in [1, high] was there.
template <typename Number>
std::string take_number(std::string_view& text, const char* name, Number high, Number& number) {
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text = trimmed(text.substr(word.size()));
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size() && number >= 1 && number <= high) {
    return {};
  }
  return std::string(name) + ": found \"" + std::string(word) + "\", allowed 1 to " +
         std::to_string(high);
}

std::string read_line(std::string_view line, Regression& regression) {
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
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::string_view text = trimmed(line);
    if (text.empty() || text.front() == '#') continue;
    Regression regression;
    if (const std::string error = read_line(text, regression); !error.empty()) {
      return "line " + std::to_string(number) + ": " + error;
    }
    regressions.push_back(std::move(regression));
  }
  if (in.bad()) return "it cannot be read";
  return regressions.empty() ? "there is no seed in it" : "";
}

}  // namespace quorate::simulation
