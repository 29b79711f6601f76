#pragma once

// Writes the benchmark's JSON lines.

#include <string>
#include <vector>

namespace quorate::bench {

/// One object, in the order the fields were added. A figure that a row does not have is null.
class Json {
 public:
  void text(const char* key, const std::string& value) { add(key, '"' + value + '"'); }
  void raw(const char* key, const std::string& value) { add(key, value); }
  /// The median.
  void number(const char* key, const std::vector<double>& values, int digits);
  /// As two fields: KEY_min and KEY_max.
  void ends(const std::string& key, const std::vector<double>& values, int digits);
  [[nodiscard]] std::string take();

 private:
  void add(const std::string& key, const std::string& value);
  std::string body_ = "{";
};

std::string escaped(const std::string& text);

}  // namespace quorate::bench
