#include "tools/load/digest.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quorate::tools {

std::uint64_t payload_hash(std::span<const std::byte> payload) noexcept {
  return XXH3_64bits(payload.data(), payload.size());
}

std::string digest_line(StreamId stream, Position position, const StreamDigest& digest,
                        bool equal) {
  return fmt::format("digest stream={} position={} records={} bytes={} digest={:016x} equal={}",
                     stream, position, digest.records, digest.bytes, digest.sum, equal);
}

}  // namespace quorate::tools
