#include "base/ring_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace quorate::base {
namespace {

constexpr std::uint64_t kSlice = 8192;

bool reads_as_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

TEST(RingArena, SliceIsMappedTwiceInARow) {
  auto arena = RingArena::create(kSlice, kSlice, 1).value();
  const auto slice = arena->map(0).value();
  ASSERT_EQ(slice.size(), kSlice);
  slice[0] = std::byte{1};
  slice[kSlice - 1] = std::byte{2};
  const std::byte* second = slice.data() + kSlice;
  EXPECT_EQ(second[0], std::byte{1});
  EXPECT_EQ(second[kSlice - 1], std::byte{2});
  std::memset(slice.data() + kSlice - 4, 9, 8);
  EXPECT_EQ(slice[3], std::byte{9});
  EXPECT_EQ(slice[4], std::byte{0});
}

TEST(RingArena, SlicesDoNotOverlap) {
  auto arena = RingArena::create(3 * kSlice, kSlice, 3).value();
  const auto a = arena->map(0).value();
  const auto b = arena->map(1).value();
  const auto c = arena->map(2).value();
  std::memset(b.data(), 7, kSlice);
  EXPECT_TRUE(reads_as_zero(a));
  EXPECT_TRUE(reads_as_zero(c));
}

TEST(RingArena, BudgetBoundsWhatIsAcquired) {
  auto arena = RingArena::create(2 * kSlice + 100, kSlice, 4).value();
  EXPECT_TRUE(arena->acquire());
  EXPECT_TRUE(arena->acquire());
  EXPECT_FALSE(arena->acquire());
  EXPECT_EQ(arena->resident_bytes(), 2 * kSlice);
  arena->release();
  EXPECT_EQ(arena->resident_bytes(), kSlice);
  EXPECT_TRUE(arena->acquire());
}

TEST(RingArena, OneSliceFitsIntoAnyBudget) {
  auto arena = RingArena::create(1, kSlice, 2).value();
  EXPECT_TRUE(arena->acquire());
  EXPECT_FALSE(arena->acquire());
}

TEST(RingArena, GivingBackMakesZeroAndFreesTheBudget) {
  auto arena = RingArena::create(kSlice, kSlice, 2).value();
  const auto first = arena->map(0).value();
  const auto second = arena->map(1).value();
  ASSERT_TRUE(arena->acquire());
  std::memset(first.data(), 0x5A, kSlice);
  std::memset(second.data(), 0x5B, kSlice);
  arena->give_back(0);
  EXPECT_TRUE(reads_as_zero({first.data(), 2 * kSlice}));
  EXPECT_EQ(second[kSlice - 1], std::byte{0x5B});
  EXPECT_EQ(arena->resident_bytes(), 0u);
  first[0] = std::byte{1};
  EXPECT_EQ(first[kSlice - 1], std::byte{0});
}

TEST(RingArena, AddressSpaceThatCannotBeHadIsAnError) {
  const auto arena = RingArena::create(kSlice, std::uint64_t{1} << 46, 2);
  ASSERT_FALSE(arena.has_value());
  EXPECT_EQ(arena.error().code, Errc::io);
  EXPECT_NE(arena.error().system_errno, 0);
}

}  // namespace
}  // namespace quorate::base
