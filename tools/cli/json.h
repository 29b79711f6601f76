#pragma once

// JSON for machines that read our output: objects and arrays in the order they were added to.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace quorate::tools {

std::string json_text(std::string_view text);  ///< quoted and escaped
std::string json_number(double value);         ///< null when it is not finite

class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view value) {
    return raw(key, json_text(value));
  }
  JsonObject& add(std::string_view key, const char* value) { return raw(key, json_text(value)); }
  JsonObject& add(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  JsonObject& add(std::string_view key, double value) { return raw(key, json_number(value)); }
  JsonObject& add(std::string_view key, std::unsigned_integral auto value) {
    return raw(key, std::to_string(value));
  }
  /// `value` is JSON already.
  JsonObject& raw(std::string_view key, std::string_view value);
  [[nodiscard]] std::string text() const { return '{' + body_ + '}'; }

 private:
  std::string body_;
};

class JsonArray {
 public:
  JsonArray& raw(std::string_view value);
  [[nodiscard]] std::string text() const { return '[' + body_ + ']'; }

 private:
  std::string body_;
};

}  // namespace quorate::tools
