#pragma once

// Payloads that can be told apart: every record's bytes follow from its key, and its content is a
// hash of all of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace quorate::simulation {

inline void fill(std::span<std::byte> payload, std::uint64_t key) noexcept {
  constexpr std::uint64_t kFactor = 0xD1342543DE82EF95u;
  std::uint64_t next = key * 0x9E3779B97F4A7C15u;
  std::size_t at = 0;
  for (; at + 8 <= payload.size(); at += 8) {
    const std::uint64_t word = next++ * kFactor;
    std::memcpy(payload.data() + at, &word, 8);
  }
  const std::uint64_t word = next * kFactor;
  if (at < payload.size()) std::memcpy(payload.data() + at, &word, payload.size() - at);
}

/// Four lanes, because each step waits for the one before it: worlds spend much of their time here.
inline std::uint64_t content_of(std::span<const std::byte> payload) noexcept {
  constexpr std::uint64_t kFactor = 0xBF58476D1CE4E5B9u;
  std::uint64_t lanes[4] = {payload.size() + 0x9E3779B97F4A7C15u, 1, 2, 3};
  std::size_t at = 0;
  for (; at + 32 <= payload.size(); at += 32) {
    std::uint64_t words[4];
    std::memcpy(words, payload.data() + at, 32);
    for (int lane = 0; lane < 4; ++lane) lanes[lane] = (lanes[lane] ^ words[lane]) * kFactor;
  }
  std::uint64_t hash = 0;
  for (const std::uint64_t lane : lanes) {
    hash = (hash ^ lane ^ (lane >> 29)) * kFactor;
    hash ^= hash >> 31;
  }
  for (; at < payload.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, payload.data() + at, std::min<std::size_t>(8, payload.size() - at));
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 29;
  }
  hash *= 0x94D049BB133111EBu;
  return hash ^ (hash >> 32);
}

}  // namespace quorate::simulation
