#include "tools/log/escape.h"

#include <fmt/format.h>

#include <algorithm>

namespace quorate::tools {

std::string escaped(std::span<const std::byte> bytes, std::size_t bytes_max) {
  std::string text;
  for (const std::byte byte : bytes.first(std::min(bytes.size(), bytes_max))) {
    const auto value = static_cast<unsigned>(byte);
    switch (value) {
      case '\\': text += "\\\\"; break;
      case '\n': text += "\\n"; break;
      case '\r': text += "\\r"; break;
      case '\t': text += "\\t"; break;
      default:
        if (value >= 0x20 && value < 0x7F) {
          text += static_cast<char>(value);
        } else {
          text += fmt::format("\\x{:02x}", value);
        }
    }
  }
  if (bytes.size() > bytes_max) text += "…";
  return text;
}

}  // namespace quorate::tools
