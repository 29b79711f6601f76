#include "base/tail_ring.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::base {

void TailRing::attach(std::byte* memory, std::uint64_t ring_bytes,
                      std::uint32_t max_record_bytes, Position start) noexcept {
  CHECK(std::has_single_bit(ring_bytes) && record_bytes(max_record_bytes) <= ring_bytes / 4);
  CHECK((start & kStateBits) == 0);
  claimed_.store(start | kParkedBit, std::memory_order_release);
  memory_ = memory;
  mask_ = ring_bytes - 1;
  max_record_bytes_ = max_record_bytes;
  limit_.store(start + ring_bytes, std::memory_order_release);
}

void TailRing::abandon(Position begin, std::uint64_t payload_bytes) noexcept {
  const std::uint64_t kind = QUORATE_MUTANT(abandoned_is_data) ? kKindData : kKindPadding;
  header(begin).store(payload_bytes | kind << kKindShift, std::memory_order_release);
}

TailRing::Walk TailRing::walk(Position from, std::uint64_t bytes_max) const noexcept {
  Walk walk{from, 0};
  // Claims end at the limit at most, so a ring that is full is walked once and not around.
  const Position stop = limit_.load(std::memory_order_relaxed);
  while (walk.end < stop) {
    const std::uint64_t word = header(walk.end).load(std::memory_order_acquire);
    if (word == 0) break;
    const Position end = walk.end + record_bytes(word & 0xFFFFFFFFu);
    if (end - from > bytes_max && walk.records > 0) break;
    walk.end = end;
    ++walk.records;
  }
  return walk;
}

void TailRing::give_back(Position from, Position to) noexcept {
  DCHECK(from <= to && to - from <= size() && from + size() == limit());
  if (!QUORATE_MUTANT(space_not_zeroed)) std::memset(at(from), 0, to - from);
  limit_.store(to + size(), std::memory_order_release);
}

bool TailRing::park(Position expected) noexcept {
  std::uint64_t value = expected;
  return claimed_.compare_exchange_strong(value, expected | kParkedBit | kEmptyingBit);
}

bool TailRing::unpark() noexcept {
  std::uint64_t value = claimed_.load();
  while ((value & kStateBits) == kParkedBit) {
    if (claimed_.compare_exchange_weak(value, value & ~kParkedBit)) return true;
  }
  return false;
}

}  // namespace quorate::base
