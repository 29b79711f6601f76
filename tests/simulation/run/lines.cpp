#include "tests/simulation/run/lines.h"

namespace quorate::simulation {

namespace {

constexpr std::string_view kBlanks = " \t\r";

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text = trimmed(text.substr(word.size()));
  return word;
}

std::string read_lines(std::istream& in,
                       const std::function<std::string(std::string_view line)>& take) {
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::string_view text = trimmed(line);
    if (text.empty() || text.front() == '#') continue;
    const std::string error = take(text);
    if (!error.empty()) return "line " + std::to_string(number) + ": " + error;
  }
  return in.bad() ? "it cannot be read" : "";
}

}  // namespace quorate::simulation
