#include "tools/load/content.h"

#include <cstring>

namespace quorate::tools {

bool read_stamp(std::span<const std::byte> payload, Stamp& stamp) noexcept {
  if (payload.size() < sizeof stamp) return false;
  std::memcpy(&stamp, payload.data(), sizeof stamp);
  return true;
}

void fill_contents(std::span<std::byte> bytes, std::uint64_t seed) noexcept {
  std::uint64_t state = seed;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t word = mixed(state += kGolden);
    std::memcpy(bytes.data() + at, &word, 8);
  }
  const std::uint64_t word = mixed(state + kGolden);
  if (at < bytes.size()) std::memcpy(bytes.data() + at, &word, bytes.size() - at);
}

void write_block(std::span<std::byte> payload, const BlockHeader& header) noexcept {
  std::memcpy(payload.data(), &header, sizeof header);
  fill_contents(payload.subspan(sizeof header),
                mixed(header.stamp.index * kGolden + header.offset_bytes));
}

}  // namespace quorate::tools
