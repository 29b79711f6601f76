#include "wire/batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/random.h"
#include "wire/quorate_generated.h"

namespace quorate::wire {
namespace {

using Prefix = std::array<std::byte, kBatchPrefixBytes>;

/// Prefix and records in a row, at an 8-aligned address.
class Whole {
 public:
  Whole(const Prefix& prefix, std::size_t records_bytes)
      : words_((prefix.size() + records_bytes) / 8 + 1), size_(prefix.size() + records_bytes) {
    std::memcpy(words_.data(), prefix.data(), prefix.size());
    std::memset(bytes() + prefix.size(), 0xA5, records_bytes);
  }
  [[nodiscard]] std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(words_.data()); }
  [[nodiscard]] bool verifies() {
    flatbuffers::Verifier verifier(bytes(), size_, 8, 4);
    return verifier.VerifyBuffer<fb::Batch>(nullptr);
  }
  [[nodiscard]] const fb::Batch* batch() { return flatbuffers::GetRoot<fb::Batch>(bytes()); }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

Prefix prefix_of(std::uint32_t count, std::uint64_t sealed_at, std::uint64_t records_bytes) {
  Prefix prefix;
  write_batch_prefix(prefix, count, sealed_at, records_bytes);
  return prefix;
}

TEST(BatchPrefix, WithItsRecordsIsOneFlatBuffer) {
  for (const std::size_t records : {0u, 8u, 16u, 64u, 4096u, 262'144u}) {
    Whole whole(prefix_of(7, 123'456'789'000, records), records);
    ASSERT_TRUE(whole.verifies()) << records;
    EXPECT_EQ(whole.batch()->record_count(), 7u);
    EXPECT_EQ(whole.batch()->sealed_at_ns(), 123'456'789'000u);
    ASSERT_EQ(whole.batch()->records()->size(), records);
    EXPECT_EQ(whole.batch()->records()->Data(), whole.bytes() + kBatchPrefixBytes);
  }
}

TEST(BatchPrefix, WithFewerBytesThanItSaysDoesNotVerify) {
  EXPECT_FALSE(Whole(prefix_of(1, 1, 64), 56).verifies());
  EXPECT_FALSE(Whole(prefix_of(1, 1, 8), 0).verifies());
}

TEST(BatchPrefix, ZeroScalarsAreWrittenToo) {
  Whole whole(prefix_of(0, 0, 8), 8);
  ASSERT_TRUE(whole.verifies());
  EXPECT_EQ(whole.batch()->record_count(), 0u);
  EXPECT_EQ(whole.batch()->sealed_at_ns(), 0u);
}

TEST(BatchPrefix, ViewReadsWhatWasWritten) {
  const auto view = view_batch_prefix(prefix_of(0xFFFFFFFF, ~0ull, 0xFFFFFFF8), 0xFFFFFFF8);
  EXPECT_TRUE(view.ok);
  EXPECT_EQ(view.record_count, 0xFFFFFFFFu);
  EXPECT_EQ(view.sealed_at_ns, ~0ull);
}

TEST(BatchPrefix, ViewRefusesAnotherLength) {
  const Prefix prefix = prefix_of(1, 1, 64);
  EXPECT_TRUE(view_batch_prefix(prefix, 64).ok);
  EXPECT_FALSE(view_batch_prefix(prefix, 56).ok);
  EXPECT_FALSE(view_batch_prefix(prefix, 64 + (1ull << 32)).ok);
}

TEST(BatchPrefix, ViewReadsUnalignedMemory) {
  std::array<std::byte, kBatchPrefixBytes + 1> shifted;
  const Prefix prefix = prefix_of(5, 6, 64);
  std::memcpy(shifted.data() + 1, prefix.data(), prefix.size());
  EXPECT_TRUE(view_batch_prefix(std::span(shifted).subspan<1>(), 64).ok);
}

/// What the view accepts is what the verifier accepts of the whole, with the same meaning.
void expect_equivalent(const Prefix& prefix, std::size_t records) {
  const auto view = view_batch_prefix(prefix, records);
  if (!view.ok) return;
  Whole whole(prefix, records);
  ASSERT_TRUE(whole.verifies());
  ASSERT_EQ(whole.batch()->record_count(), view.record_count);
  ASSERT_EQ(whole.batch()->sealed_at_ns(), view.sealed_at_ns);
  ASSERT_EQ(whole.batch()->records()->size(), records);
  ASSERT_EQ(whole.batch()->records()->Data(), whole.bytes() + kBatchPrefixBytes);
}

TEST(BatchPrefix, ViewOfEveryOneByteChangeMeansWhatTheWholeMeans) {
  for (const std::size_t records : {8u, 64u, 0x140u}) {
    for (std::size_t at = 0; at < kBatchPrefixBytes; ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        Prefix prefix = prefix_of(3, 0x0102030405060708, records);
        prefix[at] = static_cast<std::byte>(value);
        expect_equivalent(prefix, records);
      }
    }
  }
}

TEST(BatchPrefix, ViewOfRandomChangesMeansWhatTheWholeMeans) {
  base::Random random(99);
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    Prefix prefix = prefix_of(3, random.next(), 64);
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      // Small values are the ones that make offsets of this size.
      prefix[random.below(kBatchPrefixBytes)] = static_cast<std::byte>(random.below(64));
    }
    expect_equivalent(prefix, 64);
    if (view_batch_prefix(prefix, 64).ok) ++accepted;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(BatchPrefix, FieldThatOverlapsTheLengthIsRefused) {
  Prefix prefix = prefix_of(3, 4, 64);
  // The vtable's first field entry: record_count. The table begins at 20, the length stands at 44.
  std::uint16_t offset;
  std::memcpy(&offset, prefix.data() + 14, sizeof offset);
  ASSERT_EQ(offset, 4);
  offset = 24;
  std::memcpy(prefix.data() + 14, &offset, sizeof offset);
  ASSERT_TRUE(Whole(prefix, 64).verifies());
  EXPECT_FALSE(view_batch_prefix(prefix, 64).ok);
}

}  // namespace
}  // namespace quorate::wire
