#pragma once

// Some blocks of one segment as a reader has read them, and what is checked before a frame of them
// is handed out. Sans-I/O. Headers of units are looked at when the blocks have come, to know where
// to read on; everything else of a unit when its first frame is asked for.

#include <cstdint>
#include <optional>
#include <span>

#include "log/aligned_buffer.h"
#include "log/segment_scan.h"
#include "wire/frame.h"

namespace quorate::log {

/// Where a unit begins that is to be read next.
struct ReadPlace {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  ///< 0: at the segment's header, behind which the unit is
  Position position = 0;
  std::optional<std::uint32_t> unit_crc;  ///< of the unit before, where that is known
};

/// The end of the frame before.
struct FrameChain {
  Position position = 0;
  bool known = false;  ///< epoch and checksum
  Epoch epoch;
  std::uint32_t checksum = 0;
};

class ReadBuffer {
 public:
  enum class State : std::uint8_t {
    free,
    loading,
    loaded,
    held,  ///< nothing of it is left to hand out, but something is still used
  };
  enum class Next : std::uint8_t {
    frame,
    end,       ///< nothing more in here
    flaw,      ///< see flaw()
    no_frame,  ///< none begins at that position
  };

  explicit ReadBuffer(std::size_t bytes) : memory_(bytes) {}

  /// To be filled from `place` on with blocks up to `bytes_end` of the file. Units that begin at
  /// `until` or behind are not looked at.
  void begin(const ReadPlace& place, Position until, std::uint64_t bytes_end);
  /// After begin(): takes what the buffer that was filled before has behind its last whole unit, if
  /// this one goes on there.
  void carry(const ReadBuffer& before) noexcept;
  [[nodiscard]] std::span<std::byte> missing() const noexcept;
  [[nodiscard]] std::uint64_t missing_offset() const noexcept { return place_.offset + filled_; }
  void add(std::size_t bytes) noexcept { filled_ += bytes; }
  /// Finds the units and where to read on. False: the first one is larger than this, which is why
  /// it has grown: to be filled again.
  bool finish(const LogIdentity& identity, ReadPlace& behind);

  /// Looks for the frame that begins at `position`. Frames before it are passed over, checked.
  Next find(Position position, FrameChain& chain);
  /// What find() found.
  [[nodiscard]] const wire::FrameHeader& frame() const noexcept { return frame_; }
  [[nodiscard]] std::span<const std::byte> frame_bytes() const noexcept;
  /// It is handed out.
  void take(FrameChain& chain);
  /// Nothing more of it is wanted. It is free when what was handed out has been released.
  void leave(Position released) noexcept;
  void release(Position released) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t segment() const noexcept { return place_.segment; }
  [[nodiscard]] Flaw flaw() const noexcept { return flaw_; }
  [[nodiscard]] std::uint64_t flaw_offset() const noexcept { return place_.offset + at_; }

 private:
  Flaw read_header(const LogIdentity& identity, ReadPlace& place);
  Flaw read_unit(const LogIdentity& identity, ReadPlace& place, bool& whole);
  Next enter_unit(Position position, FrameChain& chain);
  bool read_frame(const FrameChain& chain);
  bool join(FrameChain& chain);
  void pass(FrameChain& chain);
  Next spoil(Flaw flaw) noexcept;

  AlignedBuffer memory_;
  State state_ = State::free;
  ReadPlace place_;
  Position until_ = 0;
  StreamId stream_ = 0;
  std::size_t wanted_ = 0;
  std::size_t filled_ = 0;
  std::size_t units_end_ = 0;  ///< behind the last whole unit
  std::size_t at_ = 0;         ///< the unit to look at next
  Flaw flaw_ = Flaw::none;     ///< of what lies at units_end_
  std::optional<LogEnd> before_;  ///< what the segment's header says it follows
  UnitHeader unit_;
  std::uint32_t frames_left_ = 0;
  std::span<const std::byte> body_;  ///< of the unit at at_, from the current frame on
  bool in_unit_ = false;
  bool has_frame_ = false;
  wire::FrameHeader frame_;
  Position handed_ = 0;  ///< the end of the last frame that was handed out
};

}  // namespace quorate::log
