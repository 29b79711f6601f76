// The decision table of recovery, row by row.

#include "log/segment_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "segments.h"

namespace quorate::log {
namespace {

/// Four units, 1 to 4, of which each was durable when the next but one was built.
SegmentBuilder pipelined() {
  SegmentBuilder segment;
  Position durable = 0;
  for (int i = 0; i < 4; ++i) {
    const Position before = segment.end.position;
    segment.add({400, 80}, durable);
    durable = before;
  }
  return segment;
}

/// Damages the body of a unit.
void spoil_unit(SegmentBuilder& segment, std::size_t unit) {
  segment.bytes()[segment.offsets[unit] + 300] ^= std::byte{0x10};
}
void erase(SegmentBuilder& segment, std::size_t unit) {
  const auto bytes = segment.bytes().subspan(segment.offsets[unit], kBlockBytes);
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
}

TEST(LogScan, FindsEveryFrameByteForByte) {
  const SegmentBuilder segment = pipelined();
  FrameCollector found;
  const SegmentScan scan = segment.scan(found);
  EXPECT_EQ(scan.flaw, Flaw::zero);
  EXPECT_EQ(scan.units, 4u);
  EXPECT_EQ(scan.end, segment.end);
  EXPECT_EQ(scan.offset, segment.offset);
  ASSERT_EQ(found.frames.size(), segment.frames.size());
  for (std::size_t i = 0; i < found.frames.size(); ++i) {
    EXPECT_EQ(found.frames[i].bytes, segment.frames[i].bytes);
  }
  EXPECT_EQ(segment.judge().tail, Tail::clean);
}

TEST(LogScan, TheLastUnitAloneIsTorn) {
  SegmentBuilder segment = pipelined();
  spoil_unit(segment, 3);
  const TailVerdict verdict = segment.judge();
  EXPECT_EQ(verdict.tail, Tail::torn);
  EXPECT_EQ(verdict.used_end, segment.offset);
  EXPECT_EQ(verdict.window_end, segment.offsets[3] + 3 * (8u << 10));
}

TEST(LogScan, AHoleInTheWindowIsTorn) {
  SegmentBuilder segment = pipelined();
  erase(segment, 2);
  EXPECT_EQ(segment.judge().tail, Tail::torn) << "the unit behind it does not state it";
}

TEST(LogScan, WhatALaterUnitStatesAsDurableIsAFault) {
  SegmentBuilder segment = pipelined();
  spoil_unit(segment, 1);
  EXPECT_EQ(segment.judge().tail, Tail::fault);
  segment = pipelined();
  erase(segment, 0);
  EXPECT_EQ(segment.judge().tail, Tail::fault);
}

TEST(LogScan, WhatLiesBelowTheFloorIsAFault) {
  SegmentBuilder segment = pipelined();
  spoil_unit(segment, 3);
  FrameCollector found;
  const Position x = segment.scan(found).end.position;
  EXPECT_EQ(segment.judge(x).tail, Tail::torn) << "all before x says nothing about x";
  EXPECT_EQ(segment.judge(x + 8).tail, Tail::fault);
  erase(segment, 3);
  EXPECT_EQ(segment.judge(x).tail, Tail::clean);
  EXPECT_EQ(segment.judge(x + 8).tail, Tail::fault) << "also where there is nothing but zeros";
}

TEST(LogScan, AfterAnOrderlyCloseNothingIsTorn) {
  SegmentBuilder segment = pipelined();
  EXPECT_EQ(segment.judge(segment.end.position, true).tail, Tail::clean);
  segment.bytes()[segment.offset + 9] = std::byte{1};
  EXPECT_EQ(segment.judge(0, true).tail, Tail::fault);
  EXPECT_EQ(segment.judge(0, false).tail, Tail::torn);
}

TEST(LogScan, BytesBeyondTheWindowAreAFault) {
  SegmentBuilder segment = pipelined();
  const std::uint64_t window_end = segment.offset + 3 * (8u << 10);
  segment.bytes()[window_end - 1] = std::byte{1};
  EXPECT_EQ(segment.judge().tail, Tail::torn);
  // The rest of a stale unit whose head was in the window: shorter than a unit.
  segment.bytes()[window_end] = std::byte{1};
  EXPECT_EQ(segment.judge().tail, Tail::torn);
  EXPECT_EQ(segment.judge().zero_end, window_end + kBlockBytes);
  segment.bytes()[window_end + kBlockBytes] = std::byte{1};
  EXPECT_EQ(segment.judge().tail, Tail::fault);
}

TEST(LogScan, MoreUnitsThanWereInFlightAreAFault) {
  SegmentBuilder segment;
  segment.add({400}, 0);
  for (int i = 0; i < 4; ++i) segment.add({400}, 0);
  erase(segment, 1);
  EXPECT_EQ(segment.judge().tail, Tail::torn) << "three follow";
  SegmentBuilder more;
  for (int i = 0; i < 6; ++i) more.add({400}, 0);
  erase(more, 1);
  EXPECT_EQ(more.judge().tail, Tail::fault) << "four follow";
}

TEST(LogScan, WhatCannotBeReadIsAFault) {
  const SegmentBuilder segment = pipelined();
  const std::vector<std::uint64_t> ends = {0, 100, kBlockBytes, segment.offsets[2],
                                           segment.offset};
  for (const std::uint64_t bytes : ends) {
    FrameCollector found;
    const auto readable = std::span<const std::byte>(segment.bytes()).first(bytes);
    const SegmentScan scan =
        scan_units(kIdentity, segment.header, readable, segment.begin, found);
    EXPECT_EQ(scan.flaw, Flaw::unreadable);
    EXPECT_EQ(judge_tail(kIdentity, segment.header, readable, scan, 0, false).tail, Tail::fault);
  }
}

TEST(LogScan, FramesBehindACutAreNotVisited) {
  const SegmentBuilder segment = pipelined();
  // Frames end at 400, 480, 880, 960, ... and units at 480, 960, ...
  struct Case {
    Position cut, end;
    std::size_t frames;
    std::uint64_t units;
    bool at_cut;
  };
  const Case cases[] = {{0, 0, 0, 0, true},      {400, 400, 1, 1, true},
                        {480, 480, 2, 1, true},  {440, 400, 1, 1, true},
                        {880, 880, 3, 2, true},  {1920, 1920, 8, 4, true},
                        {1928, 1920, 8, 4, false}, {kNoCut, 1920, 8, 4, false}};
  for (const Case& c : cases) {
    FrameCollector found;
    const SegmentScan scan = scan_units(kIdentity, segment.header, segment.bytes(),
                                        segment.begin, found, c.cut);
    EXPECT_EQ(found.frames.size(), c.frames) << c.cut;
    EXPECT_EQ(scan.end.position, c.end) << c.cut;
    EXPECT_EQ(scan.units, c.units) << c.cut;
    EXPECT_EQ(scan.at_cut, c.at_cut) << c.cut;
    EXPECT_EQ(scan.flaw, c.at_cut ? Flaw::none : Flaw::zero) << c.cut;
  }
}

/// Segment 7 in the file of segment 4, of which so many units were overwritten.
SegmentBuilder reused(const std::vector<std::vector<std::size_t>>& old_units,
                      const std::vector<std::vector<std::size_t>>& new_units) {
  SegmentBuilder old(128u << 10, 4), now(128u << 10, 7);
  for (const auto& unit : old_units) old.add(unit);
  std::memcpy(now.bytes().data() + kBlockBytes, old.bytes().data() + kBlockBytes,
              old.bytes().size() - kBlockBytes);
  now.epoch = {6, 1};
  for (const auto& unit : new_units) now.add(unit);
  return now;
}

TEST(LogScan, StaleUnitsCountAsZero) {
  using Units = std::vector<std::vector<std::size_t>>;
  const Units small(20, {400}), large(12, {7000});
  struct Case {
    const char* name;
    SegmentBuilder segment;
    Flaw flaw;
    Tail tail;
    Tail closed;
  };
  Case cases[] = {
      {"heads in place", reused(small, {{400}, {80}}), Flaw::stale, Tail::clean, Tail::clean},
      {"nothing begun", reused(large, {}), Flaw::stale, Tail::clean, Tail::clean},
      {"headless rest", reused(large, {{400}}), Flaw::bad_magic, Tail::torn, Tail::clean},
      {"own unit lost", reused(large, {{400}, {400}}), Flaw::bad_magic, Tail::torn, Tail::fault},
      {"own unit behind a stale head", reused(small, {{400}, {400}}), Flaw::stale, Tail::torn,
       Tail::fault},
  };
  erase(cases[3].segment, 0);
  std::fill_n(cases[3].segment.bytes().begin() + kBlockBytes, 64, std::byte{9});
  const SegmentBuilder old = reused(small, {});
  std::memcpy(cases[4].segment.bytes().data() + kBlockBytes, old.bytes().data() + kBlockBytes,
              kBlockBytes);
  // The second unit was built before the first one was durable.
  for (const std::size_t i : {3u, 4u}) {
    SegmentBuilder& segment = cases[i].segment;
    UnitHeader unit;
    const auto bytes = segment.bytes().subspan(segment.offsets[1], kBlockBytes);
    ASSERT_EQ(decode_unit_header(bytes.first<kHeaderBytes>(), unit), Flaw::none);
    unit.durable_before = 0;
    seal_unit(unit, bytes);
  }
  for (const Case& c : cases) {
    FrameCollector found;
    const SegmentScan scan = c.segment.scan(found);
    EXPECT_EQ(scan.flaw, c.flaw) << c.name;
    EXPECT_EQ(c.segment.judge(scan.end.position).tail, c.tail) << c.name;
    EXPECT_EQ(c.segment.judge(scan.end.position, true).tail, c.closed) << c.name;
    EXPECT_EQ(c.segment.judge(scan.end.position + 8).tail, Tail::fault) << c.name;
  }
}

TEST(LogScan, StaleUnitsExplainNoMoreThanTheirRest) {
  // Units of 8 KiB from 4 KiB on; the window of three ends at 36 KiB when one block was written.
  const SegmentBuilder whole = reused(std::vector<std::vector<std::size_t>>(4, {7000}), {{400}});
  const std::uint64_t stale_end = kBlockBytes + 4 * (8u << 10);
  EXPECT_EQ(whole.judge().tail, Tail::torn);
  SegmentBuilder segment = whole;
  segment.bytes()[stale_end] = std::byte{1};
  EXPECT_EQ(segment.judge().tail, Tail::torn) << "the rest of one more";
  segment = whole;
  segment.bytes()[stale_end + kBlockBytes] = std::byte{1};
  EXPECT_EQ(segment.judge().tail, Tail::fault) << "too far behind the last one";
  segment = whole;
  std::fill_n(segment.bytes().begin() + 20 * 4096, kHeaderBytes, std::byte{1});
  EXPECT_EQ(segment.judge().tail, Tail::fault) << "far behind everything";
}

TEST(LogScan, ZeroingLeavesNoRestOfAStaleUnit) {
  using Units = std::vector<std::vector<std::size_t>>;
  // Own units of one block each shift the window against the stale ones, of two blocks.
  for (std::size_t own = 1; own <= 4; ++own) {
    const SegmentBuilder segment = reused(Units(14, {7000}), Units(own, {400}));
    SegmentBuilder torn = segment;
    std::fill_n(torn.bytes().begin() + static_cast<std::ptrdiff_t>(torn.offset), 64, std::byte{9});
    const TailVerdict verdict = torn.judge();
    ASSERT_EQ(verdict.tail, Tail::torn);
    std::fill(torn.bytes().begin() + static_cast<std::ptrdiff_t>(torn.offset),
              torn.bytes().begin() + static_cast<std::ptrdiff_t>(verdict.zero_end), std::byte{0});
    EXPECT_EQ(torn.judge().tail, Tail::clean) << own;
    const SegmentRest rest = look_ahead(kIdentity, torn.header, torn.bytes(), torn.offset,
                                        torn.offset);
    EXPECT_EQ(rest.used_end, torn.offset) << own;
    EXPECT_EQ(rest.strange, 0u) << own;
  }
}

TEST(LogScan, UnitsOfOthersAreNotTaken) {
  const auto flaw_of = [](auto change) {
    SegmentBuilder segment = pipelined();
    UnitHeader unit;
    const auto bytes = segment.bytes().subspan(segment.offsets[2], kBlockBytes);
    EXPECT_EQ(decode_unit_header(bytes.first<kHeaderBytes>(), unit), Flaw::none);
    change(unit);
    seal_unit(unit, bytes);
    FrameCollector found;
    const SegmentScan scan = segment.scan(found);
    EXPECT_EQ(scan.units, 2u);
    return scan.flaw;
  };
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.storage.low ^= 1; }), Flaw::other_storage);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.stream ^= 1; }), Flaw::other_stream);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.segment += 1; }), Flaw::other_place);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.segment -= 1; }), Flaw::stale);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.offset += kBlockBytes; }), Flaw::other_place);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.first_position += 8; }), Flaw::other_position);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.previous_unit_crc ^= 1; }), Flaw::bad_chain);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.frame_count = 1; }), Flaw::bad_frame);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.frame_count = 3; }), Flaw::bad_frame);
  EXPECT_EQ(flaw_of([](UnitHeader& u) { u.end_position += 8; }), Flaw::bad_frame);
}

TEST(LogScan, AnOldUnitInItsPlaceDoesNotComeBackToLife) {
  SegmentBuilder before = pipelined();
  SegmentBuilder now;
  now.add({400, 80}, 0);
  now.end.epoch = {6, 1};
  now.add({400, 88}, 0);
  // What lay behind the cut, had it not been zeroed.
  std::memcpy(now.bytes().data() + now.offset, before.bytes().data() + now.offset,
              before.offset - now.offset);
  FrameCollector found;
  EXPECT_EQ(now.scan(found).units, 1u) << "the epoch of its frame names another predecessor";
}

}  // namespace
}  // namespace quorate::log
