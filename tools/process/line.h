#pragma once

// A line that one process tells another by pipe: a verb, then `key=value` words or text.

#include <string>
#include <string_view>
#include <vector>

namespace quorate::tools {

struct Line {
  std::string verb;
  std::string text;  ///< what follows the verb

  static Line parse(std::string_view line);
  [[nodiscard]] std::vector<std::string> words() const;
  [[nodiscard]] std::string value(std::string_view key) const;  ///< "" when missing
  [[nodiscard]] double number(std::string_view key) const;      ///< 0 when missing
};

}  // namespace quorate::tools
