#include "tools/cli/json.h"

#include <fmt/format.h>

#include <cmath>

namespace quorate::tools {

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.10g}", value) : "null";
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view value) {
  if (!body_.empty()) body_ += ',';
  body_ += json_text(key);
  body_ += ':';
  body_ += value;
  return *this;
}

JsonArray& JsonArray::raw(std::string_view value) {
  if (!body_.empty()) body_ += ',';
  body_ += value;
  return *this;
}

}  // namespace quorate::tools
