// Stamps, contents, digests, and the replica's check of them.

#include "tools/load/content.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "tools/load/content_check.h"

namespace quorate::tools {
namespace {

/// One stream as a primary would make it: records with their positions, and its digest.
class TestStream {
 public:
  void add(std::uint16_t writer, std::uint64_t index, std::size_t bytes = 64) {
    std::vector<std::byte> payload(bytes);
    fill_contents(payload, index);
    write_stamp(payload, {index, 0, writer, StampKind::record});
    add(payload);
  }
  void add_block(std::uint64_t row, std::uint64_t length) {
    std::vector<std::byte> payload(sizeof(BlockHeader) + length);
    write_block(payload, {{row, 0, 0, StampKind::block}, row * 4096, length});
    add(payload);
  }
  void add(const std::vector<std::byte>& payload) {
    payloads.push_back(payload);
    const Position begin = records.empty() ? 0 : records.back().end;
    records.push_back({0, begin, begin + 8 + (payload.size() + 7) / 8 * 8, {}});
    digest.add(payload, records.back().end);
  }
  /// Ends the stream. True when the check found it equal.
  bool compare(ContentCheck& check) {
    const StreamDigest expected = digest;
    std::vector<std::byte> payload(sizeof(DigestRecord));
    const DigestRecord record{{0, 0, 0, StampKind::digest}, expected};
    std::memcpy(payload.data(), &record, sizeof record);
    add(payload);
    for (std::size_t i = 0; i < records.size(); ++i) {
      records[i].payload = payloads[i];
      const bool last = i + 1 == records.size();
      EXPECT_EQ(check.on_record(records[i]), last);
    }
    EXPECT_EQ(check.line() == digest_line(0, records.back().end, expected, true), check.equal());
    return check.equal();
  }

  std::vector<Record> records;
  std::vector<std::vector<std::byte>> payloads;
  StreamDigest digest;
};

TEST(Content, StampsAreCutToFit) {
  const Stamp stamp{7, 1, 2, StampKind::record};
  for (const std::size_t bytes : {0u, 1u, 8u, 15u}) {
    std::vector<std::byte> payload(bytes);
    write_stamp(payload, stamp);
    Stamp found;
    EXPECT_FALSE(read_stamp(payload, found));
  }
  std::vector<std::byte> payload(16);
  write_stamp(payload, stamp);
  Stamp found;
  ASSERT_TRUE(read_stamp(payload, found));
  EXPECT_EQ(found.index, 7u);
  EXPECT_EQ(found.writer, 2u);
}

TEST(Content, BlocksFollowFromRowAndOffset) {
  const auto block = [](std::uint64_t row, std::uint64_t offset) {
    std::vector<std::byte> payload(sizeof(BlockHeader) + 515);
    write_block(payload, {{row, 0, 0, StampKind::block}, offset, 515});
    return std::vector<std::byte>(payload.begin() + sizeof(BlockHeader), payload.end());
  };
  EXPECT_EQ(block(3, 4096), block(3, 4096));
  EXPECT_NE(block(3, 4096), block(4, 4096));
  EXPECT_NE(block(3, 4096), block(3, 8192));
}

TEST(ContentCheck, FindsEqualWhatIsEqual) {
  TestStream stream;
  ContentCheck check(true);
  for (std::uint64_t i = 0; i < 100; ++i) {
    stream.add(0, i, 16 + i);
    stream.add(1, i, 200);
  }
  EXPECT_TRUE(stream.compare(check));
  EXPECT_EQ(check.disorder(), "");
}

TEST(ContentCheck, TakesRecordsTooShortForAStamp) {
  TestStream stream;
  ContentCheck check(true);
  for (std::uint64_t i = 0; i < 20; ++i) stream.add(0, i, i);
  EXPECT_TRUE(stream.compare(check));
}

TEST(ContentCheck, CountsWhatIsDeliveredAgainOnce) {
  TestStream stream;
  for (std::uint64_t i = 0; i < 10; ++i) stream.add(0, i);
  ContentCheck check(true);
  for (std::size_t i = 0; i < 5; ++i) {
    stream.records[i].payload = stream.payloads[i];
    check.on_record(stream.records[i]);
  }
  EXPECT_TRUE(stream.compare(check));
}

TEST(ContentCheck, FindsOneFlippedBit) {
  TestStream stream;
  ContentCheck check(true);
  for (std::uint64_t i = 0; i < 10; ++i) stream.add(0, i);
  stream.payloads[4][40] ^= std::byte{1};
  EXPECT_FALSE(stream.compare(check));
}

TEST(ContentCheck, FindsARecordThatIsMissing) {
  TestStream stream;
  ContentCheck check(true);
  for (std::uint64_t i = 0; i < 10; ++i) stream.add(0, i);
  stream.records.erase(stream.records.begin() + 4);
  stream.payloads.erase(stream.payloads.begin() + 4);
  EXPECT_FALSE(stream.compare(check));
}

TEST(ContentCheck, FindsTwoRecordsExchanged) {
  TestStream stream;
  ContentCheck check(true);
  // Too short for stamps, so that only the digest can tell.
  for (std::uint64_t i = 0; i < 10; ++i) stream.add(0, i, 8);
  std::swap(stream.payloads[2], stream.payloads[3]);
  EXPECT_FALSE(stream.compare(check));
  EXPECT_EQ(check.disorder(), "");
}

TEST(ContentCheck, FindsAWriterOutOfOrderThoughDigestsAgree) {
  TestStream stream;
  ContentCheck check(true);
  stream.add(0, 0);
  stream.add(0, 2);
  stream.add(0, 1);
  EXPECT_FALSE(stream.compare(check));
  EXPECT_EQ(check.disorder(), "stream 0: writer 0: record 1 came after record 2");
}

TEST(ContentCheck, LetsBlocksSkipRowsOfOtherStreams) {
  TestStream stream;
  ContentCheck check(true);
  for (std::uint64_t row = 1; row < 50; row += 3) stream.add_block(row, 512 * row);
  EXPECT_TRUE(stream.compare(check));
}

TEST(ContentCheck, GivesNoMeaningToForeignRecords) {
  TestStream stream;
  stream.add(0, 5);
  stream.records[0].payload = stream.payloads[0];
  ContentCheck check(false);
  EXPECT_FALSE(check.on_record(stream.records[0]));
  EXPECT_EQ(check.disorder(), "");
  EXPECT_EQ(check.streams()[0].digest, stream.digest);
}

TEST(StreamDigest, IsTheSameInWhateverOrderPartsAreAdded) {
  TestStream stream;
  for (std::uint64_t i = 0; i < 10; ++i) stream.add(0, i);
  StreamDigest even;
  StreamDigest odd;
  for (std::size_t i = 0; i < 10; ++i) {
    (i % 2 == 0 ? even : odd).add(stream.payloads[i], stream.records[i].end);
  }
  odd.merge(even);
  EXPECT_EQ(odd, stream.digest);
}

}  // namespace
}  // namespace quorate::tools
