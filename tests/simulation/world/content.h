#pragma once

// Payloads that can be told apart: every record's bytes follow from its key, and its content is a
// hash of all of them.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace quorate::simulation {

inline void fill(std::span<std::byte> payload, std::uint64_t key) noexcept {
  std::uint64_t word = key * 0x9E3779B97F4A7C15u;
  std::size_t at = 0;
  for (; at + 8 <= payload.size(); at += 8) {
    std::memcpy(payload.data() + at, &word, 8);
    word = word * 0xD1342543DE82EF95u + 1;
  }
  if (at < payload.size()) std::memcpy(payload.data() + at, &word, payload.size() - at);
}

inline std::uint64_t content_of(std::span<const std::byte> payload) noexcept {
  std::uint64_t hash = payload.size() + 0x9E3779B97F4A7C15u;
  std::size_t at = 0;
  std::uint64_t word = 0;
  for (; at + 8 <= payload.size(); at += 8) {
    std::memcpy(&word, payload.data() + at, 8);
    hash = (hash ^ word) * 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 29;
  }
  word = 0;
  if (at < payload.size()) std::memcpy(&word, payload.data() + at, payload.size() - at);
  hash = (hash ^ word) * 0x94D049BB133111EBu;
  return hash ^ (hash >> 32);
}

}  // namespace quorate::simulation
