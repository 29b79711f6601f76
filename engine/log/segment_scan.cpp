#include "log/segment_scan.h"

#include <algorithm>

#include "base/mutant.h"

namespace quorate::log {

namespace {

constexpr std::size_t kFrameHeader = wire::kFrameHeaderBytes;

bool follows(const wire::FrameHeader& frame, const LogEnd& end, StreamId stream) {
  const Epoch epoch{frame.epoch_number, frame.epoch_incarnation};
  const Epoch previous{frame.previous_epoch_number, frame.previous_epoch_incarnation};
  return frame.begin == end.position && frame.stream == stream && previous == end.epoch &&
         frame.previous_checksum == end.frame_checksum && epoch >= end.epoch;
}

/// Calls `each` for the frames of a unit's body; false: they are not a sequence that follows `end`.
template <typename Each>
bool walk_frames(const UnitHeader& unit, std::span<const std::byte> body, LogEnd& end,
                 const Each& each) {
  for (std::uint32_t i = 0; i < unit.frame_count; ++i) {
    wire::FrameHeader frame;
    if (body.size() < kFrameHeader ||
        wire::decode_frame_header(body.first<kFrameHeader>(), wire::kFrameRecordsMax, frame) !=
            wire::DecodeError::none) {
      return false;
    }
    const std::size_t bytes = kFrameHeader + frame.body_bytes;
    if (bytes > body.size() || !follows(frame, end, unit.stream)) return false;
    each(frame, body.first(bytes));
    body = body.subspan(bytes);
    end.position = frame.end;
    end.epoch = {frame.epoch_number, frame.epoch_incarnation};
    end.frame_checksum = frame.header_crc;
  }
  return body.empty() && end.position == unit.end_position;
}

Flaw check_place(const LogIdentity& identity, const SegmentHeader& segment, std::uint64_t offset,
                 const UnitHeader& unit) {
  if (unit.storage != identity.storage) return Flaw::other_storage;
  if (unit.stream != identity.stream) return Flaw::other_stream;
  if (unit.offset != offset) return Flaw::other_place;
  if (unit.segment < segment.number) return Flaw::stale;
  if (unit.segment != segment.number) return Flaw::other_place;
  if (unit.unit_bytes > segment.unit_bytes_max ||
      unit.unit_bytes > segment.segment_bytes - offset) {
    return Flaw::bad_length;
  }
  return Flaw::none;
}

/// In the order of the table: header, bounds, identity, position, chain, body, frames.
Flaw check_unit(const LogIdentity& identity, const SegmentHeader& segment,
                std::span<const std::byte> bytes, const SegmentScan& scan, UnitHeader& unit) {
  if (bytes.size() < scan.offset + kBlockBytes) return Flaw::unreadable;
  const std::span<const std::byte> from_here = bytes.subspan(scan.offset);
  Flaw flaw = decode_unit_header(from_here.first<kHeaderBytes>(), unit);
  if (flaw != Flaw::none) return flaw;
  flaw = check_place(identity, segment, scan.offset, unit);
  if (flaw != Flaw::none) return flaw;
  if (unit.first_position != scan.end.position) return Flaw::other_position;
  if (unit.previous_unit_crc != scan.end.unit_crc) return Flaw::bad_chain;
  if (from_here.size() < unit.unit_bytes) return Flaw::unreadable;
  if (!check_unit_body(unit, from_here.first(unit.unit_bytes)) &&
      !QUORATE_MUTANT(torn_body_taken)) {
    return Flaw::bad_body;
  }
  LogEnd end = scan.end;
  const auto body = from_here.subspan(kHeaderBytes, unit.body_bytes);
  const auto ignore = [](const wire::FrameHeader&, std::span<const std::byte>) {};
  return walk_frames(unit, body, end, ignore) ? Flaw::none : Flaw::bad_frame;
}

/// Hands on what of a checked unit lies before the cut.
void visit_unit(const UnitHeader& unit, std::span<const std::byte> body, Position cut,
                SegmentScan& scan, FrameVisitor& visitor) {
  visitor.on_unit(unit);
  LogEnd walked = scan.end;
  walk_frames(unit, body, walked,
              [&](const wire::FrameHeader& header, std::span<const std::byte> frame) {
                if (header.end > cut) return;
                visitor.on_frame(header, frame);
                scan.end = {header.end, scan.end.unit_crc,
                            {header.epoch_number, header.epoch_incarnation}, header.header_crc};
              });
  scan.at_cut = walked.position > cut;
  scan.durable_before = std::max<Position>(scan.durable_before, unit.durable_before);
  ++scan.units;
  if (scan.at_cut) return;
  scan.end.unit_crc = unit.header_crc;
  scan.offset += unit.unit_bytes;
}

enum class BlockKind : std::uint8_t { zero, own, stale, unknown };

/// A unit of this segment counts as its own whatever its length says.
BlockKind kind_of(const LogIdentity& identity, std::uint64_t number,
                  std::span<const std::byte> block, std::uint64_t at, UnitHeader& unit) {
  if (is_zero(block)) return BlockKind::zero;
  if (decode_unit_header(block.first<kHeaderBytes>(), unit) != Flaw::none) {
    return BlockKind::unknown;
  }
  const bool here = unit.storage == identity.storage && unit.stream == identity.stream &&
                    unit.offset == at;
  if (!here || unit.segment > number) return BlockKind::unknown;
  return unit.segment == number ? BlockKind::own : BlockKind::stale;
}

void add_own(SegmentRest& rest, const UnitHeader& unit, std::uint64_t block_end) {
  ++rest.units;
  rest.used_end = rest.units_end = block_end;
  rest.first_position = std::min<Position>(rest.first_position, unit.first_position);
  rest.end_position = std::max<Position>(rest.end_position, unit.end_position);
  rest.durable_before = std::max<Position>(rest.durable_before, unit.durable_before);
}

}  // namespace

std::string_view to_string(Tail tail) noexcept {
  switch (tail) {
    case Tail::clean: return "clean";
    case Tail::torn: return "torn";
    case Tail::fault: return "fault";
  }
  return "?";
}

SegmentScan scan_units(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, const LogEnd& end, FrameVisitor& visitor,
                       Position cut) {
  SegmentScan scan;
  scan.offset = kBlockBytes;
  scan.end = end;
  bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), segment.segment_bytes));
  while (!scan.at_cut && scan.end.position < cut && scan.offset < segment.segment_bytes) {
    UnitHeader unit;
    scan.flaw = check_unit(identity, segment, bytes, scan, unit);
    if (scan.flaw != Flaw::none) return scan;
    const auto body = bytes.subspan(scan.offset + kHeaderBytes, unit.body_bytes);
    visit_unit(unit, body, cut, scan, visitor);
  }
  scan.at_cut = scan.at_cut || scan.end.position >= cut;
  scan.flaw = Flaw::none;
  return scan;
}

SegmentRest look_ahead(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, std::uint64_t from,
                       std::uint64_t window_end) {
  // How far the rest of a unit reaches whose first block is another's.
  const std::uint64_t reach =
      std::max<std::uint64_t>(segment.unit_bytes_max, kBlockBytes) - kBlockBytes;
  std::uint64_t stale_end = 0, crossing_end = 0;  // of stale units: any, those begun in the window
  bool bounded = false;                           // a stale unit begins behind all that is zeroed
  SegmentRest rest;
  rest.used_end = rest.units_end = from;
  rest.zero_end = window_end;
  for (std::uint64_t at = from; at + kBlockBytes <= bytes.size(); at += kBlockBytes) {
    const std::uint64_t block_end = at + kBlockBytes;
    UnitHeader unit;
    const BlockKind kind =
        kind_of(identity, segment.number, bytes.subspan(at, kBlockBytes), at, unit);
    if (kind == BlockKind::zero) continue;
    if (kind == BlockKind::own) add_own(rest, unit, block_end);
    if (kind == BlockKind::stale) {
      bounded = bounded || (at >= window_end && at >= crossing_end);
      stale_end = std::max(stale_end, at + unit.unit_bytes);
      if (at < window_end) crossing_end = stale_end;
    }
    const bool explained = at < stale_end || (stale_end > 0 && at < stale_end + reach);
    if (kind == BlockKind::unknown && !explained) {
      if (at < window_end + reach) rest.used_end = block_end;
      if (at >= window_end + reach) ++rest.strange;
    }
    if (at >= window_end && !bounded) rest.zero_end = block_end;
  }
  return rest;
}

bool is_stale(const LogIdentity& identity, const SegmentHeader& header,
              std::uint64_t number) noexcept {
  return header.storage == identity.storage && header.stream == identity.stream &&
         header.number < number;
}

TailVerdict judge_tail(const LogIdentity& identity, const SegmentHeader& segment,
                       std::span<const std::byte> bytes, const SegmentScan& scan, Position floor,
                       bool closed) {
  // Positions are half-open: what begins at x was durable when a mark lies beyond x.
  const Position x = scan.end.position;
  const std::uint64_t window =
      std::uint64_t{segment.units_in_flight} * segment.unit_bytes_max;
  TailVerdict verdict;
  verdict.window_end = std::min(scan.offset + window, segment.segment_bytes);
  const SegmentRest rest =
      look_ahead(identity, segment, bytes, scan.offset, verdict.window_end);
  verdict.used_end = rest.used_end;
  verdict.zero_end = rest.zero_end;
  const auto fault = [&](std::string_view why) {
    verdict.tail = QUORATE_MUTANT(damage_cut) ? Tail::torn : Tail::fault;
    verdict.why = why;
    return verdict;
  };
  if (x < std::max(floor, scan.durable_before)) return fault("it was durable");
  if (rest.durable_before > x) return fault("a later unit states that it was durable");
  if (bytes.size() < segment.segment_bytes) return fault("the segment cannot be read to its end");
  if (bytes.size() > segment.segment_bytes) return fault("the file is longer than its segment");
  if (rest.strange > 0 || rest.units_end > verdict.window_end) {
    return fault("bytes lie further behind it than writes were in flight");
  }
  if (rest.units > segment.units_in_flight) {
    return fault("more units follow than writes were in flight");
  }
  if (rest.used_end == scan.offset) return verdict;
  if (closed && (rest.units > 0 || floor < x)) return fault("the log had been closed in order");
  // All that was ever written was durable, and lies before: this is the rest of a stale unit.
  if (closed) return verdict;
  verdict.tail = QUORATE_MUTANT(torn_is_damage) ? Tail::fault : Tail::torn;
  verdict.why = "it was in flight";
  return verdict;
}

}  // namespace quorate::log
