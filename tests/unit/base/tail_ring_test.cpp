#include "base/tail_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/base/mapped_ring.h"

namespace quorate::base {
namespace {

using Refusal = TailRing::Refusal;

constexpr std::uint64_t kRing = 4096;
constexpr std::uint64_t kEverything = ~std::uint64_t{0};

class TailRingTest : public testing::Test {
 protected:
  TailRingTest() { ring.unpark(); }

  /// Appends equal records until the ring refuses; returns how many fitted.
  int fill(std::size_t payload_bytes) {
    int count = 0;
    while (append(ring, std::string(payload_bytes, 'x')).refusal == Refusal::none) ++count;
    return count;
  }

  MappedRing mapped{kRing, largest_record(kRing)};
  TailRing& ring = mapped.ring;
};

TEST(RecordBytes, CountsTheHeaderAndPadsThePayloadToEight) {
  EXPECT_EQ(record_bytes(0), 8u);
  EXPECT_EQ(record_bytes(1), 16u);
  EXPECT_EQ(record_bytes(8), 16u);
  EXPECT_EQ(record_bytes(9), 24u);
  EXPECT_EQ(record_bytes(0xFFFFFFFFu), (1ull << 32) + 8);
}

TEST_F(TailRingTest, ClaimsFollowEachOtherWithoutAGap) {
  const auto first = ring.claim(5);
  const auto second = ring.claim(0);
  EXPECT_EQ(first.begin, 0u);
  EXPECT_EQ(first.end, 16u);
  EXPECT_EQ(second.begin, 16u);
  EXPECT_EQ(second.end, 24u);
  EXPECT_EQ(ring.claimed(), 24u);
  EXPECT_EQ(first.payload, ring.at(0) + kRecordHeaderBytes);
}

TEST_F(TailRingTest, WalkSeesPublishedRecordsInOrder) {
  append(ring, "one");
  append(ring, "twelve bytes");
  append(ring, "");
  const auto walk = ring.walk(0, kEverything);
  EXPECT_EQ(walk.records, 3u);
  EXPECT_EQ(walk.end, 16u + 24u + 8u);
  EXPECT_EQ(payload_at(ring, 0), "one");
  EXPECT_EQ(payload_at(ring, 16), "twelve bytes");
}

TEST_F(TailRingTest, WalkStopsAtAClaimThatIsNotPublished) {
  const auto held = ring.claim(4);
  append(ring, "behind");
  EXPECT_EQ(ring.walk(0, kEverything).records, 0u);
  EXPECT_FALSE(ring.published(held.begin));
  ring.publish(held.begin, 4);
  EXPECT_TRUE(ring.published(held.begin));
  EXPECT_EQ(ring.walk(0, kEverything).records, 2u);
}

TEST_F(TailRingTest, WalkOfAnEmptyRingFindsNothing) {
  const auto walk = ring.walk(0, kEverything);
  EXPECT_EQ(walk.records, 0u);
  EXPECT_EQ(walk.end, 0u);
}

TEST_F(TailRingTest, WalkKeepsToItsBytesButTakesOneRecordAtLeast) {
  append(ring, std::string(92, 'a'));  // 104 bytes
  append(ring, std::string(8, 'b'));   // 16
  append(ring, std::string(8, 'c'));   // 16
  EXPECT_EQ(ring.walk(0, 1).records, 1u);
  EXPECT_EQ(ring.walk(0, 119).records, 1u);
  EXPECT_EQ(ring.walk(0, 120).records, 2u);
  EXPECT_EQ(ring.walk(0, 136).records, 3u);
  EXPECT_EQ(ring.walk(104, 16).records, 1u);
}

TEST_F(TailRingTest, DroppedClaimBecomesPadding) {
  const auto dropped = ring.claim(20);
  append(ring, "kept");
  ring.abandon(dropped.begin, 20);
  const auto walk = ring.walk(0, kEverything);
  EXPECT_EQ(walk.records, 2u);
  EXPECT_EQ(word_at(ring, dropped.begin) >> kKindShift, kKindPadding);
  EXPECT_EQ(word_at(ring, dropped.begin) & 0xFFFFFFFFu, 20u);
  EXPECT_EQ(payload_at(ring, dropped.end), "kept");
}

TEST_F(TailRingTest, FullRingRefusesUntilSpaceIsGivenBack) {
  EXPECT_EQ(fill(56), 64);
  EXPECT_EQ(ring.claimed(), kRing);
  EXPECT_EQ(ring.claim(0).refusal, Refusal::full);
  ring.give_back(0, 64);
  EXPECT_EQ(ring.limit(), kRing + 64);
  EXPECT_EQ(ring.claim(57).refusal, Refusal::full);
  EXPECT_EQ(ring.claim(56).refusal, Refusal::none);
  EXPECT_EQ(ring.claim(0).refusal, Refusal::full);
}

TEST_F(TailRingTest, FullRingIsWalkedOnceAndNotAround) {
  ASSERT_EQ(fill(56), 64);
  const auto walk = ring.walk(0, kEverything);
  EXPECT_EQ(walk.records, 64u);
  EXPECT_EQ(walk.end, kRing);
}

TEST_F(TailRingTest, RefusedClaimChangesNothing) {
  ASSERT_EQ(fill(56), 64);
  const auto refused = ring.claim(8);
  EXPECT_EQ(refused.payload, nullptr);
  EXPECT_EQ(ring.claimed(), kRing);
}

TEST_F(TailRingTest, RecordAcrossTheEndIsContiguous) {
  ASSERT_EQ(fill(112), 34);  // 120 bytes each: 16 are left
  ring.give_back(0, 120);
  const std::string text(100, 'w');
  const auto space = append(ring, text);
  ASSERT_EQ(space.refusal, Refusal::none);
  EXPECT_LT(space.begin, kRing);
  EXPECT_GT(space.end, kRing);
  EXPECT_EQ(payload_at(ring, space.begin), text);
  // What lies behind the end is what the ring begins with.
  EXPECT_EQ(std::memcmp(ring.at(0), ring.at(0) + kRing, kRing), 0);
  EXPECT_EQ(ring.walk(space.begin, kEverything).end, space.end);
}

TEST_F(TailRingTest, ReclaimedSpaceNeverLooksPublished) {
  Position reclaimed = 0;
  for (int round = 0; round < 500; ++round) {
    const auto space = append(ring, std::string(1 + round * 37 % 900, '\xff'));
    ASSERT_EQ(space.refusal, Refusal::none);
    ASSERT_EQ(ring.walk(reclaimed, kEverything).end, space.end);
    ring.give_back(reclaimed, space.end);
    reclaimed = space.end;
    ASSERT_TRUE(std::all_of(mapped.memory.begin(), mapped.memory.end(),
                            [](std::byte b) { return b == std::byte{0}; }));
    ASSERT_EQ(ring.walk(reclaimed, kEverything).records, 0u);
  }
}

TEST_F(TailRingTest, LimitFollowsWhatWasGivenBack) {
  EXPECT_EQ(ring.limit(), kRing);
  append(ring, "12345678");
  append(ring, "12345678");
  ring.give_back(0, 16);
  ring.give_back(16, 32);
  EXPECT_EQ(ring.limit(), kRing + 32);
  ring.give_back(32, 32);
  EXPECT_EQ(ring.limit(), kRing + 32);
  EXPECT_EQ(ring.limit_word().load(), kRing + 32);
}

TEST_F(TailRingTest, LargerRecordThanAllowedIsRefused) {
  EXPECT_EQ(ring.claim(largest_record(kRing)).refusal, Refusal::none);
  EXPECT_EQ(ring.claim(largest_record(kRing) + 1).refusal, Refusal::too_large);
  EXPECT_EQ(ring.claim(~std::uint64_t{0}).refusal, Refusal::too_large);
  EXPECT_EQ(ring.claim(std::uint64_t{1} << 32).refusal, Refusal::too_large);
}

TEST_F(TailRingTest, ClosedRingRefusesForEver) {
  const auto held = ring.claim(8);
  ring.close();
  EXPECT_EQ(ring.claim(8).refusal, Refusal::closed);
  EXPECT_FALSE(ring.unpark());
  EXPECT_EQ(ring.claim(8).refusal, Refusal::closed);
  EXPECT_EQ(ring.claimed(), held.end);
  // What was claimed before is still published and walked.
  ring.publish(held.begin, 8);
  EXPECT_EQ(ring.walk(0, kEverything).records, 1u);
}

TEST_F(TailRingTest, ClosedWhileParkedSaysClosed) {
  ASSERT_TRUE(ring.park(0));
  ring.close();
  ring.reset_limit(0);
  EXPECT_EQ(ring.claim(8).refusal, Refusal::closed);
  EXPECT_EQ(ring.claimed(), 0u);
}

TEST(TailRing, StartsParked) {
  MappedRing mapped(kRing, 64);
  EXPECT_EQ(mapped.ring.claim(8).refusal, Refusal::parked);
  EXPECT_TRUE(mapped.ring.unpark());
  EXPECT_EQ(mapped.ring.claim(8).refusal, Refusal::none);
}

TEST_F(TailRingTest, OnlyOneCallerUnparks) {
  EXPECT_FALSE(ring.unpark());
  ASSERT_TRUE(ring.park(0));
  ring.reset_limit(0);
  EXPECT_TRUE(ring.unpark());
  EXPECT_FALSE(ring.unpark());
}

TEST_F(TailRingTest, ParkFailsWhenMoreWasClaimed) {
  ring.claim(8);
  EXPECT_FALSE(ring.park(0));
  EXPECT_EQ(ring.claim(8).refusal, Refusal::none);
  EXPECT_TRUE(ring.park(32));
  EXPECT_EQ(ring.claim(8).refusal, Refusal::parked);
  EXPECT_EQ(ring.claimed(), 32u);
}

TEST_F(TailRingTest, NobodyUnparksWhileTheMemoryIsBeingEmptied) {
  append(ring, "idle soon");
  const Position end = ring.claimed();
  ASSERT_TRUE(ring.park(end));
  EXPECT_FALSE(ring.unpark());
  EXPECT_EQ(ring.claim(8).refusal, Refusal::parked);
  mapped.arena->give_back(0);
  ring.reset_limit(end);
  EXPECT_TRUE(ring.unpark());
  EXPECT_EQ(ring.claim(8).begin, end);
}

TEST_F(TailRingTest, WholeRingIsFreeAfterParking) {
  ASSERT_EQ(fill(1000), 4);
  const Position end = ring.claimed();
  ASSERT_TRUE(ring.park(end));
  mapped.arena->give_back(0);
  ring.reset_limit(end);
  ASSERT_TRUE(ring.unpark());
  EXPECT_EQ(ring.walk(end, kEverything).records, 0u);
  EXPECT_EQ(fill(1000), 4);
  EXPECT_EQ(ring.walk(end, kEverything).records, 4u);
}

TEST(TailRingDeathTest, RecordsLargerThanAQuarterOfTheRingAreAProgrammingError) {
  TailRing ring;
  EXPECT_DEATH(ring.attach(nullptr, kRing, largest_record(kRing) + 1), "CHECK failed");
  EXPECT_DEATH(ring.attach(nullptr, kRing - 8, 8), "CHECK failed");
}

}  // namespace
}  // namespace quorate::base
