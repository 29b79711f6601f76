#pragma once

// Reads the bytes of one segment and decides what its end means: the decision table of recovery,
// sans-I/O. A torn tail is what a crash may leave of writes in flight, of which nothing was ever
// acknowledged; everything else that is wrong is a fault, and a fault is never cut.
//
// The file of a segment may have been that of an older one, and is not zeroed then: behind the
// units of this segment lie stale ones, each whole or, where its head was overwritten, the rest of
// one. They count as if they were zero. What is known of them: a whole unit explains the bytes up
// to its end, and the rest of a headless one is shorter than a unit and lies directly behind the
// units of another segment, or behind what was in flight. So bytes that nothing else explains are
// believed to be stale only less than a unit behind the end of a stale unit or of the window.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "log/format.h"
#include "wire/frame.h"

namespace quorate::log {

struct LogIdentity {
  StorageId storage;
  StreamId stream = 0;
};

/// The end of what has been read or written: what the next unit and its first frame must name.
struct LogEnd {
  Position position = 0;
  std::uint32_t unit_crc = 0;
  Epoch epoch;  ///< of the last frame; zero before the first
  std::uint32_t frame_checksum = 0;
  friend constexpr bool operator==(const LogEnd&, const LogEnd&) = default;
};

/// Told of every frame that was found whole and in its place, in order. The bytes are gone after
/// the call.
class FrameVisitor {
 public:
  virtual void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) = 0;
  /// A unit begins; its frames follow. For the sparse index.
  virtual void on_unit(const UnitHeader& header) { static_cast<void>(header); }
  /// A segment begins of which something counts; its units follow.
  virtual void on_segment(const SegmentHeader& header) { static_cast<void>(header); }

 protected:
  ~FrameVisitor() = default;
};

inline constexpr Position kNoCut = ~Position{0};

struct SegmentScan {
  Flaw flaw = Flaw::zero;    ///< of what lies at `offset`; none: the segment is full, or at_cut
  std::uint64_t offset = 0;  ///< where the whole units end; at a cut, those that count as a whole
  LogEnd end;
  std::uint64_t units = 0;
  Position durable_before = 0;  ///< the greatest that a whole unit states
  bool at_cut = false;          ///< the next frame would end behind the cut
};

/// `bytes`: what can be read of the segment from its beginning; shorter than the segment where the
/// rest cannot be. `end`: that of the segment before, as the header names it. `cut`: frames that
/// end behind it are not visited, and nothing behind the unit that holds it is looked at.
SegmentScan scan_units(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, const LogEnd& end, FrameVisitor& visitor,
                       Position cut = kNoCut);

enum class Tail : std::uint8_t {
  clean,  ///< nothing of this segment
  torn,   ///< writes that were in flight; to be cut
  fault,  ///< something that was, or may have been, durable is gone
};
[[nodiscard]] std::string_view to_string(Tail tail) noexcept;

struct TailVerdict {
  Tail tail = Tail::clean;
  std::string_view why;
  std::uint64_t used_end = 0;    ///< torn: nothing but zeros and stale bytes from here on
  std::uint64_t window_end = 0;  ///< torn: up to here writes may have been in flight
  /// Torn: to be zeroed up to here, first what lies behind the window. Then a stale unit whose head
  /// was zeroed leaves no rest that nothing would explain any more.
  std::uint64_t zero_end = 0;
};

/// Of the last segment. `floor`: everything before it is known to have been durable. `closed`: the
/// log was closed in order, and the floor is where.
TailVerdict judge_tail(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, const SegmentScan& scan, Position floor,
                       bool closed);

/// What lies from `from` on, in a segment of which the header may be unknown.
struct SegmentRest {
  std::uint64_t used_end = 0;   ///< end of the last block of this segment, or within reach of it
  std::uint64_t units_end = 0;  ///< end of the last block with a header of this segment
  std::uint64_t units = 0;      ///< headers of this segment that are whole and in their place
  Position first_position = kNoCut;  ///< the least of them
  Position end_position = 0;         ///< the greatest that one of them states
  Position durable_before = 0;       ///< the greatest that one of them states
  std::uint64_t strange = 0;         ///< blocks that nothing explains
  std::uint64_t zero_end = 0;
};
/// `window_end`: up to there anything may lie. Of `segment` only the number and unit_bytes_max are
/// looked at.
SegmentRest look_ahead(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, std::uint64_t from,
                       std::uint64_t window_end);

/// Whether the header block of segment `number` says that its file was an older segment's.
[[nodiscard]] bool is_stale(const LogIdentity& identity, const SegmentHeader& header,
                            std::uint64_t number) noexcept;

}  // namespace quorate::log
