#pragma once

// Files of words in lines, with comments behind a #.

#include <charconv>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

namespace quorate::simulation {

/// Without the blanks around it.
std::string_view trimmed(std::string_view text);
/// Takes the next word off the text; empty: there is none.
std::string_view take_word(std::string_view& text);

/// Takes the next word off the text. An error text; empty: a number in [1, high] was there.
template <typename Number>
std::string take_number(std::string_view& text, const char* name, Number high, Number& number) {
  const std::string_view word = take_word(text);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size() && number >= 1 && number <= high) {
    return {};
  }
  return std::string(name) + ": found \"" + std::string(word) + "\", allowed 1 to " +
         std::to_string(high);
}

/// Calls `take` with each line that is neither empty nor a comment, trimmed, until it says what is
/// wrong with one. The text of the error, with its line; empty: none.
std::string read_lines(std::istream& in,
                       const std::function<std::string(std::string_view line)>& take);

}  // namespace quorate::simulation
