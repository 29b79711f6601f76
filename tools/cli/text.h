#pragma once

// Text in and out: numbers with nothing behind them, lists, sizes for people, tables.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::tools {

inline constexpr double kBytesPerMiB = 1024.0 * 1024.0;

/// The whole text as a number, or nothing.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

/// Empty parts are kept: "a,,b" has three, "" has one.
std::vector<std::string_view> split(std::string_view text, char separator);

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t value);
/// "17 B", "1.2 KiB", "3.4 MiB".
std::string byte_text(std::uint64_t bytes);
/// Digits as the size asks for: "3.42", "41.7", "1820".
std::string short_number(double value);

/// Columns as wide as their widest cell, numbers to the right. The first row is the heading.
class Table {
 public:
  /// `left`: how many of the first columns hold text and stand to the left.
  explicit Table(std::size_t left) : left_(left) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;

 private:
  std::size_t left_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace quorate::tools
