#pragma once

// CRC32C (Castagnoli), the checksum of envelopes and frames. Uses the processor's instruction where
// there is one (three interleaved chains for large buffers), a table elsewhere; chosen once.

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorate::wire {

/// `seed` is the checksum of what precedes, so that pieces can be chained.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

/// The table implementation, for machines without the instruction and for tests.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

/// The checksum of two pieces in a row from the checksum of each.
std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second,
                             std::uint64_t second_bytes) noexcept;

}  // namespace quorate::wire
