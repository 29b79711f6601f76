#include "tests/unit/wire/golden_file.h"

#include <fstream>

namespace quorate::wire {

namespace {

constexpr std::size_t kBytesPerLine = 32;
constexpr char kDigits[] = "0123456789abcdef";

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<unsigned>(bytes[i]);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
    if (i % kBytesPerLine == kBytesPerLine - 1 || i + 1 == bytes.size()) text += '\n';
  }
  return text;
}

std::optional<std::vector<std::byte>> read_golden(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::vector<std::byte> bytes;
  for (std::string line; std::getline(file, line);) {
    if (line.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < line.size(); i += 2) {
      const int high = digit_of(line[i]);
      const int low = digit_of(line[i + 1]);
      if (high < 0 || low < 0) return std::nullopt;
      bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
  }
  return bytes;
}

bool write_golden(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path);
  file << to_hex(bytes);
  return static_cast<bool>(file.flush());
}

}  // namespace quorate::wire
