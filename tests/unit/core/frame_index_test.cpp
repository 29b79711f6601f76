#include "core/frame_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <deque>
#include <vector>

namespace quorate::core {
namespace {

FrameEntry frame(Position begin, Position end) {
  return {begin, end, Epoch{1, 1}, static_cast<std::uint32_t>(end * 7 + 1), 0};
}

/// Frames of these lengths, one behind the other, from 0 on.
void fill(FrameIndex& index, const std::vector<Position>& lengths) {
  Position begin = index.empty() ? 0 : index.back().end;
  for (const Position length : lengths) {
    index.push(frame(begin, begin + length));
    begin += length;
  }
}

TEST(FrameIndex, EmptyIndexKnowsNothing) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.capacity(), 4u);
  EXPECT_EQ(index.begins_at(0, nullptr), nullptr);
  EXPECT_EQ(index.ends_at(0), nullptr);
  EXPECT_EQ(index.end_at_or_before(100, 3), 3u);
}

TEST(FrameIndex, FindsFramesByBeginAndByEnd) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  fill(index, {8, 24, 16});
  EXPECT_EQ(index.begins_at(8, nullptr)->end, 32u);
  EXPECT_EQ(index.begins_at(48, nullptr), nullptr);
  EXPECT_EQ(index.begins_at(9, nullptr), nullptr);
  EXPECT_EQ(index.ends_at(32)->begin, 8u);
  EXPECT_EQ(index.ends_at(0), nullptr);
  EXPECT_EQ(index.ends_at(31), nullptr);
  EXPECT_EQ(index.ends_at(49), nullptr);
}

TEST(FrameIndex, FrameForgottenLastIsStillKnownByItsEnd) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  fill(index, {8, 8, 8});
  index.pop_until(16);
  ASSERT_NE(index.ends_at(16), nullptr);
  EXPECT_EQ(index.ends_at(16)->checksum, frame(8, 16).checksum);
  EXPECT_EQ(index.ends_at(8), nullptr);
  EXPECT_EQ(index.begins_at(8, nullptr), nullptr);
  index.pop_until(24);
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.ends_at(24)->begin, 16u);
}

TEST(FrameIndex, ForgetsOnlyWholeFrames) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  fill(index, {8, 8});
  index.pop_until(15);
  EXPECT_EQ(index.front().begin, 8u);
}

TEST(FrameIndex, RoundsDownToAFrameEnd) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  fill(index, {8, 24, 16});
  EXPECT_EQ(index.end_at_or_before(7, 0), 0u);
  EXPECT_EQ(index.end_at_or_before(8, 0), 8u);
  EXPECT_EQ(index.end_at_or_before(31, 0), 8u);
  EXPECT_EQ(index.end_at_or_before(32, 0), 32u);
  EXPECT_EQ(index.end_at_or_before(1000, 0), 48u);
}

TEST(FrameIndex, HintFollowsASenderFrameByFrame) {
  std::array<FrameEntry, 8> memory;
  FrameIndex index(memory);
  fill(index, {8, 8, 8, 8});
  std::uint64_t hint = 0;
  for (Position at = 0; at < 32; at += 8) {
    ASSERT_EQ(index.begins_at(at, &hint)->begin, at);
    EXPECT_EQ(hint, at / 8);
  }
}

TEST(FrameIndex, HintThatWentStaleStillFinds) {
  std::array<FrameEntry, 4> memory;
  FrameIndex index(memory);
  fill(index, {8, 8, 8, 8});
  index.pop_until(24);
  fill(index, {8, 8});
  std::uint64_t forgotten = 0;
  std::uint64_t never = 999;
  EXPECT_EQ(index.begins_at(40, &forgotten)->end, 48u);
  EXPECT_EQ(index.begins_at(32, &never)->end, 40u);
  EXPECT_EQ(never, 4u);
}

using FrameIndexDeathTest = ::testing::Test;

TEST(FrameIndexDeathTest, GapEmptyFrameAndOverflowAreBugs) {
  std::array<FrameEntry, 2> memory;
  FrameIndex index(memory);
  fill(index, {8});
  EXPECT_DEATH(index.push(frame(16, 24)), "CHECK failed");
  EXPECT_DEATH(index.push(frame(8, 8)), "CHECK failed");
  index.pop_until(8);
  EXPECT_DEATH(index.push(frame(16, 24)), "CHECK failed");
  fill(index, {});
  index.push(frame(8, 16));
  index.push(frame(16, 24));
  EXPECT_DEATH(index.push(frame(24, 32)), "CHECK failed");
}

TEST(FrameIndexDeathTest, CapacityMustBeAPowerOfTwo) {
  std::array<FrameEntry, 3> memory;
  EXPECT_DEATH(FrameIndex{memory}, "CHECK failed");
}

/// The same, by looking at every frame.
struct NaiveIndex {
  std::deque<FrameEntry> frames;
  FrameEntry popped;

  [[nodiscard]] const FrameEntry* begins_at(Position position) const {
    for (const FrameEntry& entry : frames) {
      if (entry.begin == position) return &entry;
    }
    return nullptr;
  }
  [[nodiscard]] const FrameEntry* ends_at(Position position) const {
    if (position != 0 && popped.end == position) return &popped;
    for (const FrameEntry& entry : frames) {
      if (entry.end == position) return &entry;
    }
    return nullptr;
  }
  [[nodiscard]] Position end_at_or_before(Position position, Position floor) const {
    for (const FrameEntry& entry : frames) {
      if (entry.end <= position) floor = entry.end;
    }
    return floor;
  }
  void pop_until(Position position) {
    while (!frames.empty() && frames.front().end <= position) {
      popped = frames.front();
      frames.pop_front();
    }
  }
};

bool same(const FrameEntry* a, const FrameEntry* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->begin == b->begin && a->end == b->end && a->checksum == b->checksum;
}

RC_GTEST_PROP(FrameIndex, AnswersLikeALookAtEveryFrame, ()) {
  std::array<FrameEntry, 16> memory;
  FrameIndex index(memory);
  NaiveIndex naive;
  Position end = 0;
  std::uint64_t hint = 0;
  const auto steps = *rc::gen::inRange(1, 200);
  for (int step = 0; step < steps; ++step) {
    if (!index.full() && *rc::gen::inRange(0, 3) != 0) {
      const Position next = end + *rc::gen::inRange<Position>(1, 5);
      index.push(frame(end, next));
      naive.frames.push_back(frame(end, next));
      end = next;
    } else {
      const Position until = *rc::gen::inRange<Position>(0, end + 3);
      index.pop_until(until);
      naive.pop_until(until);
    }
    RC_ASSERT(index.size() == naive.frames.size());
    const Position asked = *rc::gen::inRange<Position>(0, end + 3);
    RC_ASSERT(same(index.begins_at(asked, nullptr), naive.begins_at(asked)));
    RC_ASSERT(same(index.begins_at(asked, &hint), naive.begins_at(asked)));
    RC_ASSERT(same(index.ends_at(asked), naive.ends_at(asked)));
    RC_ASSERT(index.end_at_or_before(asked, 0) == naive.end_at_or_before(asked, 0));
  }
}

}  // namespace
}  // namespace quorate::core
