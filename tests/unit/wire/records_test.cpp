#include "wire/records.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/tail_ring.h"
#include "tests/unit/wire/messages.h"

namespace quorate::wire {
namespace {

void append_record(std::vector<std::byte>& bytes, std::uint32_t length,
                   RecordKind kind = RecordKind::data, std::uint16_t flags = 0) {
  const std::size_t at = bytes.size();
  const RecordWord word{length, kind, flags};
  bytes.resize(at + padded_record_bytes(length));
  std::memcpy(bytes.data() + at, &word, sizeof word);
}

std::int64_t counted(const std::vector<std::byte>& bytes) {
  return count_records(Exact(bytes).bytes());
}

TEST(Records, RowOfRecordsIsCounted) {
  std::vector<std::byte> bytes;
  EXPECT_EQ(counted(bytes), 0);
  append_record(bytes, 0);
  append_record(bytes, 1);
  append_record(bytes, 8, RecordKind::padding);
  append_record(bytes, 100, RecordKind::epoch_start);
  EXPECT_EQ(counted(bytes), 4);
}

TEST(Records, EveryTruncationIsRefusedUnlessItEndsARecord) {
  std::vector<std::byte> bytes;
  append_record(bytes, 20);  // 32 bytes
  append_record(bytes, 3);   // 16
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    ASSERT_EQ(counted(cut), size == 0 ? 0 : size == 32 ? 1 : -1) << size;
  }
}

TEST(Records, HostileLengthsAreRefused) {
  for (const std::uint32_t length :
       {9u, 17u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFF0u, 0xFFFFFFF8u, 0xFFFFFFFFu}) {
    std::vector<std::byte> bytes;
    append_record(bytes, 8);
    const RecordWord word{length, RecordKind::data, 0};
    std::memcpy(bytes.data(), &word, sizeof word);
    ASSERT_EQ(counted(bytes), -1) << length;
  }
}

TEST(Records, UnknownKindsAndFlagsAreRefused) {
  std::vector<std::byte> unpublished;
  append_record(unpublished, 8, RecordKind::unpublished);
  EXPECT_EQ(counted(unpublished), -1);
  std::vector<std::byte> unknown;
  append_record(unknown, 8, RecordKind{4});
  EXPECT_EQ(counted(unknown), -1);
  std::vector<std::byte> flagged;
  append_record(flagged, 8, RecordKind::data, 1);
  EXPECT_EQ(counted(flagged), -1);
}

TEST(Records, BadRecordBehindGoodOnesIsFound) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 100; ++i) append_record(bytes, 8);
  append_record(bytes, 8, RecordKind::unpublished);
  EXPECT_EQ(counted(bytes), -1);
}

TEST(Records, RingAndWireAgreeOnSizesAndKinds) {
  for (std::uint32_t length = 0; length < 100; ++length) {
    EXPECT_EQ(padded_record_bytes(length), base::record_bytes(length));
  }
  EXPECT_EQ(padded_record_bytes(0xFFFFFFFFu), base::record_bytes(0xFFFFFFFFu));
  EXPECT_EQ(static_cast<std::uint64_t>(RecordKind::data), base::kKindData);
  EXPECT_EQ(static_cast<std::uint64_t>(RecordKind::padding), base::kKindPadding);
}

}  // namespace
}  // namespace quorate::wire
