#pragma once

// What the load writes into its records. Each begins with a stamp that says who wrote it and as
// which of its records, cut short when the record is shorter. A block of a trace has its place on
// the disk behind the stamp and then contents that follow from row and offset. The last record of a
// stream, when verifying, is the primary's digest of all before it.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "tools/load/digest.h"

namespace quorate::tools {

enum class StampKind : std::uint16_t { record = 0x5152, block = 0x5142, digest = 0x5144 };

struct Stamp {
  std::uint64_t index = 0;  ///< of this writer on this stream; of a block: its row
  std::uint32_t stream = 0;
  std::uint16_t writer = 0;
  StampKind kind = StampKind::record;
};
static_assert(sizeof(Stamp) == 16);

struct BlockHeader {
  Stamp stamp;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};
static_assert(sizeof(BlockHeader) == 32);

struct DigestRecord {
  Stamp stamp;
  StreamDigest digest;
};
static_assert(sizeof(DigestRecord) == 40);

/// As much of the stamp as fits. Made in a register and stored at once: the copy that follows takes
/// it from the store buffer, which it could not if the fields were stored one by one.
inline void write_stamp(std::span<std::byte> payload, const Stamp& stamp) noexcept {
  using Words = std::uint64_t __attribute__((vector_size(sizeof(Stamp))));
  static_assert(std::endian::native == std::endian::little);
  const Words words = {stamp.index, std::uint64_t{stamp.stream} |
                                        std::uint64_t{stamp.writer} << 32 |
                                        static_cast<std::uint64_t>(stamp.kind) << 48};
  if (payload.size() >= sizeof words) {
    std::memcpy(payload.data(), &words, sizeof words);
  } else if (!payload.empty()) {
    std::memcpy(payload.data(), &words, payload.size());
  }
}
/// False when the record is too short to hold a whole one.
bool read_stamp(std::span<const std::byte> payload, Stamp& stamp) noexcept;

/// Bytes that look random and follow from the seed alone.
void fill_contents(std::span<std::byte> bytes, std::uint64_t seed) noexcept;

/// A whole block record: `payload` holds the header and `length_bytes` of contents.
void write_block(std::span<std::byte> payload, const BlockHeader& header) noexcept;

}  // namespace quorate::tools
