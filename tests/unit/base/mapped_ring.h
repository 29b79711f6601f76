#pragma once

// A tail ring on memory of its own, open for claims, for the tests of this folder and its benches.

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/ring_memory.h"
#include "base/tail_ring.h"

namespace quorate::base {

struct MappedRing {
  explicit MappedRing(std::uint64_t ring_bytes, std::uint32_t max_record_bytes)
      : arena(RingArena::create(ring_bytes, ring_bytes, 1).value()) {
    memory = arena->map(0).value();
    ring.attach(memory.data(), ring_bytes, max_record_bytes);
  }

  std::unique_ptr<RingArena> arena;
  std::span<std::byte> memory;
  TailRing ring;
};

/// The largest record a ring of that size allows.
constexpr std::uint32_t largest_record(std::uint64_t ring_bytes) {
  return static_cast<std::uint32_t>(ring_bytes / 4 - kRecordHeaderBytes);
}

inline TailRing::Space append(TailRing& ring, std::string_view text) {
  const TailRing::Space space = ring.claim(text.size());
  if (space.refusal != TailRing::Refusal::none) return space;
  std::memcpy(space.payload, text.data(), text.size());
  ring.publish(space.begin, text.size());
  return space;
}

inline std::uint64_t word_at(const TailRing& ring, Position position) {
  std::uint64_t word;
  std::memcpy(&word, ring.at(position), sizeof word);
  return word;
}

inline std::string payload_at(const TailRing& ring, Position position) {
  const auto* text = reinterpret_cast<const char*>(ring.at(position)) + kRecordHeaderBytes;
  return {text, static_cast<std::size_t>(word_at(ring, position) & 0xFFFFFFFFu)};
}

}  // namespace quorate::base
