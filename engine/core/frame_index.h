#pragma once

// Which frames the ring still holds: a bounded queue of frame ends with what identifies each frame.
// Owned by one stream on one loop. The memory is the caller's, so that it can be part of the
// stream's slice and be given back while the stream is idle.

#include <cstdint>
#include <span>

#include "quorate/types.h"

namespace quorate::core {

/// Frames of a ring whose heads are kept beside it, on a primary and on a replica: a power of two.
/// Lone small writes fill these before the ring. On a primary a slot takes a quarter of the ring
/// bytes that it stands for, so how far back a replica can resume is bounded by both.
std::uint32_t frame_slots_for(std::uint64_t ring_bytes) noexcept;

struct FrameEntry {
  Position begin = 0;
  Position end = 0;
  Epoch epoch;
  std::uint32_t checksum = 0;
  std::uint32_t prologue_slot = 0;  ///< where the driver keeps the frame's encoded header
};

class FrameIndex {
 public:
  /// `entries.size()` is a power of two.
  explicit FrameIndex(std::span<FrameEntry> entries) noexcept;

  [[nodiscard]] std::uint32_t capacity() const noexcept;
  [[nodiscard]] std::uint32_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] bool full() const noexcept { return size() == capacity(); }

  /// Empty so far: the frame that ends where the first one will begin, known from elsewhere.
  void begin_after(const FrameEntry& last) noexcept { popped_ = last; }
  /// Invariant: frames follow each other without a gap, also across frames forgotten.
  void push(const FrameEntry& entry) noexcept;
  /// Forgets frames that end at or before `position`.
  void pop_until(Position position) noexcept;

  [[nodiscard]] const FrameEntry& front() const noexcept;
  [[nodiscard]] const FrameEntry& back() const noexcept;
  /// Oldest first.
  [[nodiscard]] const FrameEntry& at(std::uint32_t index) const noexcept;

  /// The frame that begins / ends at `position`; nullptr when it is not known. The frame forgotten
  /// last is still known by its end. Binary search; `hint` (may be null) is a cursor the caller
  /// keeps to make the common case O(1): the running number of the frame found last.
  [[nodiscard]] const FrameEntry* begins_at(Position position, std::uint64_t* hint) const noexcept;
  [[nodiscard]] const FrameEntry* ends_at(Position position) const noexcept;
  /// End of the last frame that ends at or before `position`; `floor` when there is none.
  [[nodiscard]] Position end_at_or_before(Position position, Position floor) const noexcept;

 private:
  std::span<FrameEntry> entries_;
  FrameEntry popped_;       ///< the frame forgotten last: a claim may end exactly there
  std::uint64_t head_ = 0;  ///< running number of the oldest frame
  std::uint64_t tail_ = 0;  ///< running number of the next frame
};

}  // namespace quorate::core
