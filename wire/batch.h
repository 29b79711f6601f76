#pragma once

// The FlatBuffers table in front of a frame's records. The records stay in the ring: prefix and
// records together are one valid `Batch` buffer (tested), written at constant cost.

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/frame.h"

namespace quorate::wire {

void write_batch_prefix(std::span<std::byte, kBatchPrefixBytes> out, std::uint32_t record_count,
                        std::uint64_t sealed_at_ns, std::uint64_t records_bytes) noexcept;

struct BatchView {
  bool ok = false;
  std::uint32_t record_count = 0;
  std::uint64_t sealed_at_ns = 0;
};

/// Verifies a prefix whose records lie elsewhere: equivalent to verifying the concatenation.
BatchView view_batch_prefix(std::span<const std::byte, kBatchPrefixBytes> prefix,
                            std::uint64_t records_bytes) noexcept;

}  // namespace quorate::wire
