#pragma once

// What records hold, and a digest of what a node has: the same on every node exactly when all of
// them have the same records at the same positions, in whatever order the streams were looked at.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "quorate/types.h"

namespace quorate::cluster {

inline std::uint64_t mix(std::uint64_t value) noexcept {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ull;
  value ^= value >> 29;
  return value * 0x9e3779b97f4a7c15ull;
}

inline void fill(std::span<std::byte> payload, std::uint64_t seed) noexcept {
  std::uint64_t state = mix(seed + 1);
  std::size_t at = 0;
  for (; at + sizeof state <= payload.size(); at += sizeof state) {
    std::memcpy(payload.data() + at, &state, sizeof state);
    state = state * 6364136223846793005ull + 1442695040888963407ull;
  }
  if (at < payload.size()) std::memcpy(payload.data() + at, &state, payload.size() - at);
}

inline std::uint64_t hash_record(StreamId stream, Position end,
                                 std::span<const std::byte> payload) noexcept {
  std::uint64_t hash = mix(end ^ (std::uint64_t{stream} << 48)) ^ payload.size();
  std::size_t at = 0;
  for (std::uint64_t word = 0; at < payload.size(); at += sizeof word) {
    word = 0;
    std::memcpy(&word, payload.data() + at, std::min(sizeof word, payload.size() - at));
    hash = mix(hash ^ word);
  }
  return hash;
}

/// Written by any thread.
class Digest {
 public:
  void add(StreamId stream, Position end, std::span<const std::byte> payload) noexcept {
    sum_.fetch_add(hash_record(stream, end, payload), std::memory_order_relaxed);
    records_.fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_.load(); }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_.load(); }

 private:
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> records_{0};
};

}  // namespace quorate::cluster
