// Where in its segments a position of the log lies.

#include "log/segment_index.h"

#include <gtest/gtest.h>

#include "log/format.h"

namespace quorate::log {
namespace {

constexpr std::uint64_t kSegment = 8u << 20;
constexpr std::uint32_t kUnit = 64u << 10;

/// Fills segments with units that hold 60 000 positions each.
class LogIndex : public testing::Test {
 protected:
  void begin(std::uint64_t number) {
    index.on_segment(number, position, kSegment);
    segment = number;
    offset = kBlockBytes;
  }
  void add(int units) {
    for (int i = 0; i < units; ++i, offset += kUnit, position += 60'000) {
      index.on_unit({segment, offset, kUnit, position, position + 60'000});
    }
  }

  SegmentIndex index;
  Position position = 0;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
};

TEST_F(LogIndex, NothingIsInAnEmptyLog) {
  EXPECT_FALSE(index.place_of(0));
  EXPECT_EQ(index.range_of(1), nullptr);
  EXPECT_EQ(index.first(), 0u);
  EXPECT_EQ(index.end(), 0u);
  EXPECT_EQ(index.total_bytes(), 0u);
}

TEST_F(LogIndex, EachSegmentBeginsWithAnEntryAndHasOneAMiB) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    begin(number);
    add(100);
  }
  EXPECT_EQ(index.entries().size(), 3 * 7u) << "100 units are 6.25 MiB";
  for (const IndexEntry& entry : index.entries()) {
    EXPECT_EQ((entry.offset - kBlockBytes) % SegmentIndex::kStepBytes, 0u);
  }
  EXPECT_EQ(index.total_bytes(), 3 * kSegment);
  EXPECT_EQ(index.end(), 300u * 60'000);
}

TEST_F(LogIndex, APlaceIsTheLastEntryAtOrBeforeThePosition) {
  begin(1);
  add(100);
  begin(2);
  add(100);
  for (Position wanted = 0; wanted < position; wanted += 30'000) {
    const auto place = index.place_of(wanted);
    ASSERT_TRUE(place);
    EXPECT_LE(place->position, wanted);
    EXPECT_LT(wanted - place->position, 16u * 60'000) << "a MiB of units";
    EXPECT_EQ(place->segment, wanted < 100u * 60'000 ? 1u : 2u);
  }
}

TEST_F(LogIndex, WhatIsReadOfTheLastSegmentEndsWithItsLastUnit) {
  begin(1);
  EXPECT_EQ(index.readable_bytes(*index.range_of(1)), kBlockBytes);
  add(3);
  EXPECT_EQ(index.readable_bytes(*index.range_of(1)), kBlockBytes + 3 * kUnit);
  begin(2);
  EXPECT_EQ(index.readable_bytes(*index.range_of(1)), kSegment);
  EXPECT_EQ(index.readable_bytes(*index.range_of(2)), kBlockBytes);
}

TEST_F(LogIndex, OfALogThatBeginsAnewOnlyTheNewSegmentIsThere) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    begin(number);
    add(100);
  }
  EXPECT_EQ(index.generation(), 0u);
  position += 1'000'000;
  index.begin_anew(5, position, kSegment / 2);
  EXPECT_EQ(index.generation(), 1u);
  EXPECT_EQ(index.first(), position);
  EXPECT_EQ(index.end(), position);
  EXPECT_EQ(index.total_bytes(), kSegment / 2);
  EXPECT_EQ(index.ranges().size(), 1u);
  EXPECT_EQ(index.range_of(3), nullptr);
  EXPECT_FALSE(index.place_of(position));
  EXPECT_EQ(index.readable_bytes(*index.range_of(5)), kBlockBytes);
  segment = 5;
  offset = kBlockBytes;
  const Position first = position;
  add(2);
  EXPECT_EQ(index.place_of(first + 70'000)->segment, 5u);
  EXPECT_FALSE(index.place_of(first - 1));
  EXPECT_EQ(index.end(), first + 120'000);
}

TEST_F(LogIndex, WhatIsDroppedIsNoLongerFound) {
  for (std::uint64_t number = 1; number <= 4; ++number) {
    begin(number);
    add(100);
  }
  index.drop_before(3);
  EXPECT_EQ(index.first(), 200u * 60'000);
  EXPECT_EQ(index.range_of(2), nullptr);
  EXPECT_FALSE(index.place_of(index.first() - 1));
  EXPECT_EQ(index.place_of(index.first())->segment, 3u);
  EXPECT_EQ(index.total_bytes(), 2 * kSegment);
  index.drop_before(99);
  ASSERT_EQ(index.ranges().size(), 1u) << "the last one stays";
  EXPECT_EQ(index.ranges()[0].number, 4u);
  EXPECT_EQ(index.total_bytes(), kSegment);
}

TEST_F(LogIndex, ACutEndsEverythingBehindIt) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    begin(number);
    add(100);
  }
  position = 50u * 60'000 + 8;
  begin(4);
  EXPECT_EQ(index.range_of(1)->end, position);
  for (const std::uint64_t number : {2u, 3u}) {
    EXPECT_EQ(index.range_of(number)->first, position) << "nothing is left of it";
    EXPECT_EQ(index.range_of(number)->end, position);
  }
  EXPECT_EQ(index.end(), position);
  EXPECT_EQ(index.place_of(~Position{0})->segment, 1u);
  add(1);
  EXPECT_EQ(index.place_of(position - 8)->segment, 4u);
  EXPECT_EQ(index.place_of(50u * 60'000 + 7)->segment, 1u);
}

TEST_F(LogIndex, GoesOnWithWhatRecoveryFound) {
  begin(1);
  add(100);
  begin(2);
  add(10);
  std::vector<IndexEntry> entries(index.entries().begin(), index.entries().end());
  std::vector<SegmentRange> ranges(index.ranges().begin(), index.ranges().end());
  // Of a unit that was cut.
  entries.insert(entries.begin() + 7, {100u * 60'000, 1, 7u << 20});
  index = SegmentIndex(ranges, entries, offset);
  EXPECT_EQ(index.total_bytes(), 2 * kSegment);
  EXPECT_EQ(index.end(), 110u * 60'000);
  EXPECT_EQ(index.place_of(100u * 60'000)->segment, 2u) << "the cut unit is no place to begin";
  add(100);
  EXPECT_EQ(index.end(), 210u * 60'000);
  EXPECT_EQ(index.entries().size(), 14u);
}

/// As a cut makes it behind a restart, which left a segment that was made and never begun.
TEST_F(LogIndex, NumbersThatACutPassesOverAreLeftOut) {
  index = SegmentIndex({{3, 0, 800, 4096}}, {{0, 3, kBlockBytes}}, 8192);
  index.on_segment(6, 400, 4096);
  ASSERT_EQ(index.ranges().size(), 2u);
  for (const std::uint64_t number : {2u, 4u, 5u, 7u}) EXPECT_EQ(index.range_of(number), nullptr);
  EXPECT_EQ(index.range_of(6)->number, 6u);
  EXPECT_EQ(index.range_of(3)->end, 400u);
  EXPECT_EQ(index.range_after(3)->number, 6u);
  EXPECT_EQ(index.range_after(6), nullptr);
  EXPECT_EQ(index.total_bytes(), 8192u);
}

}  // namespace
}  // namespace quorate::log
