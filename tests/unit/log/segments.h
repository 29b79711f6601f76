#pragma once

// Segments in memory, as the writer would have left them.

#include <algorithm>
#include <utility>
#include <vector>

#include "log/aligned_buffer.h"
#include "tests/support/log_frames.h"

namespace quorate::log {

inline constexpr LogIdentity kIdentity{{0x1111111111111111, 0x2222222222222222}, 3};

/// So that a segment can be copied before it is harmed.
struct CopyableBuffer : AlignedBuffer {
  explicit CopyableBuffer(std::size_t bytes) : AlignedBuffer(bytes) {}
  CopyableBuffer(const CopyableBuffer& other) : AlignedBuffer(other.size()) {
    std::copy(other.span().begin(), other.span().end(), data());
  }
  CopyableBuffer(CopyableBuffer&&) = default;
  CopyableBuffer& operator=(CopyableBuffer other) {
    AlignedBuffer::operator=(std::move(other));
    return *this;
  }
  ~CopyableBuffer() = default;
};

/// One segment, unit by unit. Everything before a unit is durable when it is built.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(std::uint64_t segment_bytes = 64u << 10, std::uint64_t number = 1);

  /// Puts the beginning elsewhere than at 0. Before anything is added.
  void begin_at(const LogEnd& at, std::uint16_t flags = 0);
  /// Writes the header again.
  void seal();
  /// A unit of frames with that many record bytes each, which states `durable_before`.
  void add(const std::vector<std::size_t>& records, Position durable_before);
  void add(const std::vector<std::size_t>& records) { add(records, end.position); }

  [[nodiscard]] std::span<std::byte> bytes() const { return content.span(); }
  [[nodiscard]] SegmentScan scan(FrameVisitor& visitor) const;
  [[nodiscard]] TailVerdict judge(Position floor = 0, bool closed = false) const;

  CopyableBuffer content;
  SegmentHeader header;
  LogEnd begin;
  LogEnd end;
  Epoch epoch{5, 1};  ///< of the frames to come
  std::uint64_t offset = kBlockBytes;
  std::vector<LogFrame> frames;
  std::vector<std::uint64_t> offsets;  ///< of the units
};

}  // namespace quorate::log
