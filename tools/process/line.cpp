#include "tools/process/line.h"

#include <cstdlib>
#include <sstream>

namespace quorate::tools {

Line Line::parse(std::string_view line) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return {std::string(line), {}};
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

std::vector<std::string> Line::words() const {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string Line::value(std::string_view key) const {
  for (const std::string& word : words()) {
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
      return word.substr(key.size() + 1);
    }
  }
  return {};
}

double Line::number(std::string_view key) const {
  return std::atof(value(key).c_str());
}

}  // namespace quorate::tools
