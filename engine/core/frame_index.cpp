#include "core/frame_index.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace quorate::core {

namespace {
constexpr std::uint64_t kRingBytesPerFrame = 1024;
}  // namespace

std::uint32_t frame_slots_for(std::uint64_t ring_bytes) noexcept {
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(std::bit_floor(ring_bytes / kRingBytesPerFrame), 64, 16384));
}

FrameIndex::FrameIndex(std::span<FrameEntry> entries) noexcept : entries_(entries) {
  CHECK(std::has_single_bit(entries.size()));
}

std::uint32_t FrameIndex::capacity() const noexcept {
  return static_cast<std::uint32_t>(entries_.size());
}

std::uint32_t FrameIndex::size() const noexcept {
  return static_cast<std::uint32_t>(tail_ - head_);
}

void FrameIndex::push(const FrameEntry& entry) noexcept {
  CHECK(!full() && entry.begin < entry.end);
  CHECK(entry.begin == (empty() ? popped_.end : back().end));
  entries_[tail_++ & (entries_.size() - 1)] = entry;
}

void FrameIndex::pop_until(Position position) noexcept {
  while (!empty() && front().end <= position) {
    popped_ = front();
    ++head_;
  }
}

const FrameEntry& FrameIndex::front() const noexcept { return at(0); }

const FrameEntry& FrameIndex::back() const noexcept { return at(size() - 1); }

const FrameEntry& FrameIndex::at(std::uint32_t index) const noexcept {
  DCHECK(index < size());
  return entries_[(head_ + index) & (entries_.size() - 1)];
}

const FrameEntry* FrameIndex::begins_at(Position position, std::uint64_t* hint) const noexcept {
  if (empty() || position < front().begin || position >= back().end) return nullptr;
  if (hint != nullptr && *hint >= head_ && *hint < tail_) {
    // Sends go forward frame by frame: the next one is where the hint points, or one behind.
    for (std::uint64_t number = *hint; number < tail_ && number <= *hint + 1; ++number) {
      const FrameEntry& entry = at(static_cast<std::uint32_t>(number - head_));
      if (entry.begin == position) {
        *hint = number;
        return &entry;
      }
    }
  }
  std::uint32_t low = 0;
  std::uint32_t high = size();
  while (low + 1 < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    (at(middle).begin <= position ? low : high) = middle;
  }
  if (at(low).begin != position) return nullptr;
  if (hint != nullptr) *hint = head_ + low;
  return &at(low);
}

const FrameEntry* FrameIndex::ends_at(Position position) const noexcept {
  if (position != 0 && popped_.end == position) return &popped_;
  if (empty() || position <= front().begin || position > back().end) return nullptr;
  std::uint32_t low = 0;
  std::uint32_t high = size() - 1;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (at(middle).end < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return at(low).end == position ? &at(low) : nullptr;
}

Position FrameIndex::end_at_or_before(Position position, Position floor) const noexcept {
  if (empty() || position < front().end) return floor;
  if (position >= back().end) return back().end;
  std::uint32_t low = 0;
  std::uint32_t high = size() - 1;
  while (low + 1 < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    (at(middle).end <= position ? low : high) = middle;
  }
  return at(low).end;
}

}  // namespace quorate::core
