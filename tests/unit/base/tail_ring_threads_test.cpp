// Writers race one loop that walks, checks and gives back every record.

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/mapped_ring.h"

namespace quorate::base {
namespace {

constexpr std::uint64_t kRing = 16384;
constexpr std::uint32_t kLargest = 600;

/// A record says who wrote it and which of his it is; the rest of its bytes follow from both.
struct Stamp {
  std::uint32_t writer;
  std::uint32_t number;
};
std::byte filler(const Stamp& stamp) {
  return static_cast<std::byte>(stamp.number * 31 + stamp.writer);
}

/// Every seventh claim is dropped on purpose.
bool is_dropped(std::uint32_t number) {
  return number % 7 == 6;
}

TailRing::Space claim_somehow(TailRing& ring, std::size_t payload_bytes) {
  for (;;) {
    const auto space = ring.claim(payload_bytes);
    if (space.refusal == TailRing::Refusal::none) return space;
    if (space.refusal == TailRing::Refusal::parked) ring.unpark();
    std::this_thread::yield();
  }
}

void write_records(TailRing& ring, std::uint32_t writer, std::uint32_t count) {
  Random random(writer + 1);
  for (std::uint32_t number = 0; number < count; ++number) {
    const Stamp stamp{writer, number};
    const std::size_t size = sizeof stamp + random.below(kLargest - sizeof stamp + 1);
    const auto space = claim_somehow(ring, size);
    if (is_dropped(number)) {
      ring.abandon(space.begin, size);
      continue;
    }
    std::memcpy(space.payload, &stamp, sizeof stamp);
    std::memset(space.payload + sizeof stamp, std::to_integer<int>(filler(stamp)),
                size - sizeof stamp);
    ring.publish(space.begin, size);
  }
}

class Reader {
 public:
  Reader(TailRing& ring, std::uint32_t writers) : ring_(ring), next_(writers, 0) {}

  /// Checks every record of [begin, end) and counts it.
  void check(Position begin, Position end) {
    for (Position at = begin; at < end;) {
      const std::uint64_t word = word_at(ring_, at);
      const std::uint64_t kind = word >> kKindShift;
      if (kind == kKindPadding) {
        ++padding_;
      } else {
        ASSERT_EQ(kind, kKindData);
        check_record(ring_.at(at) + kRecordHeaderBytes, word & 0xFFFFFFFFu);
      }
      at += record_bytes(word & 0xFFFFFFFFu);
      ++records_;
    }
  }

  [[nodiscard]] std::uint32_t records() const { return records_; }
  [[nodiscard]] std::uint32_t padding() const { return padding_; }

 private:
  void check_record(const std::byte* payload, std::uint64_t size) {
    Stamp stamp;
    std::memcpy(&stamp, payload, sizeof stamp);
    ASSERT_LT(stamp.writer, next_.size());
    std::uint32_t& next = next_[stamp.writer];
    if (is_dropped(next)) ++next;
    ASSERT_EQ(stamp.number, next);
    ++next;
    for (std::uint64_t i = sizeof stamp; i < size; ++i) ASSERT_EQ(payload[i], filler(stamp));
  }

  TailRing& ring_;
  std::vector<std::uint32_t> next_;
  std::uint32_t records_ = 0;
  std::uint32_t padding_ = 0;
};

void race(std::uint32_t writers, std::uint32_t count) {
  MappedRing mapped(kRing, kLargest);
  TailRing& ring = mapped.ring;
  ring.unpark();
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&ring, writer, count] { write_records(ring, writer, count); });
  }
  Reader reader(ring, writers);
  Position reclaimed = 0;
  while (reader.records() < writers * count && !testing::Test::HasFailure()) {
    const auto walk = ring.walk(reclaimed, kRing / 3);
    if (walk.records == 0) std::this_thread::yield();
    reader.check(reclaimed, walk.end);
    ring.give_back(reclaimed, walk.end);
    reclaimed = walk.end;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ring.claimed(), reclaimed);
  EXPECT_EQ(reader.padding(), writers * (count / 7));
}

TEST(TailRingThreads, OneWriterBesideTheLoop) {
  race(1, 20'000);
}

TEST(TailRingThreads, FourWritersBesideTheLoop) {
  race(4, 10'000);
}

/// A loop that parks whenever it finds nothing to do races writers that unpark.
TEST(TailRingThreads, RecordsSurviveParkingAndUnparking) {
  constexpr std::uint32_t kWriters = 3;
  constexpr std::uint32_t kCount = 2'000;
  MappedRing mapped(kRing, kLargest);
  TailRing& ring = mapped.ring;
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&ring, writer] { write_records(ring, writer, kCount); });
  }
  Reader reader(ring, kWriters);
  Position reclaimed = 0;
  while (reader.records() < kWriters * kCount && !testing::Test::HasFailure()) {
    const auto walk = ring.walk(reclaimed, kRing);
    reader.check(reclaimed, walk.end);
    ring.give_back(reclaimed, walk.end);
    reclaimed = walk.end;
    if (walk.records == 0 && ring.park(reclaimed)) {
      ASSERT_TRUE(mapped.arena->acquire());
      mapped.arena->give_back(0);
      ring.reset_limit(reclaimed);
      std::this_thread::yield();
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ring.claimed(), reclaimed);
}

}  // namespace
}  // namespace quorate::base
