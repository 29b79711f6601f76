#pragma once

// Limits of messages that also those must know who never see the schema.

#include <cstddef>
#include <cstdint>

namespace quorate::wire {

inline constexpr std::uint64_t kSnapshotBytesMax = 1ull << 48;
inline constexpr std::size_t kSnapshotChunkBytesMax = 60u << 10;

}  // namespace quorate::wire
