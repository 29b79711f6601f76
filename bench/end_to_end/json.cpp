#include "bench/end_to_end/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bench/end_to_end/window.h"

namespace quorate::bench {

void Json::number(const char* key, const std::vector<double>& values, int digits) {
  add(key, values.empty() ? "null" : fmt::format("{:.{}f}", median(values), digits));
}

void Json::ends(const std::string& key, const std::vector<double>& values, int digits) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const bool none = values.empty();
  add(key + "_min", none ? "null" : fmt::format("{:.{}f}", *least, digits));
  add(key + "_max", none ? "null" : fmt::format("{:.{}f}", *most, digits));
}

std::string Json::take() {
  return std::move(body_) + '}';
}

void Json::add(const std::string& key, const std::string& value) {
  body_ += fmt::format("{}\"{}\":{}", body_.size() > 1 ? "," : "", key, value);
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result;
}

}  // namespace quorate::bench
