// What the log writes is checked field by field before it is believed.

#include "log/format.h"

#include <gtest/gtest.h>

#include <cstring>

#include "log/aligned_buffer.h"
#include "segments.h"

namespace quorate::log {
namespace {

Block block_of(const AlignedBuffer& buffer) { return Block(buffer.data(), kBlockBytes); }

SegmentHeader good_segment() {
  SegmentHeader header;
  header.storage = {1, 2};
  header.number = 7;
  header.first_position = 800;
  header.segment_bytes = 64u << 20;
  header.unit_bytes_max = 512u << 10;
  header.units_in_flight = 8;
  return header;
}

UnitHeader good_unit() {
  UnitHeader header;
  header.storage = {1, 2};
  header.segment = 7;
  header.offset = 8192;
  header.first_position = 800;
  header.end_position = 1600;
  header.durable_before = 800;
  header.frame_count = 1;
  header.body_bytes = 944;
  return header;
}

Metadata good_metadata() {
  Metadata metadata;
  metadata.storage = {1, 2};
  metadata.sequence = 9;
  metadata.promised_number = 4;
  return metadata;
}

template <typename Change>
Flaw segment_flaw(const Change& change) {
  AlignedBuffer buffer(kBlockBytes);
  SegmentHeader header = good_segment();
  change(header);
  encode_segment_header(header, block_of(buffer));
  SegmentHeader read;
  return decode_segment_header(block_of(buffer), read);
}

template <typename Change>
Flaw unit_flaw(const Change& change) {
  AlignedBuffer buffer(kBlockBytes);
  UnitHeader header = good_unit();
  change(header);
  seal_unit(header, buffer.span());
  UnitHeader read;
  return decode_unit_header(buffer.span().first<kHeaderBytes>(), read);
}

template <typename Change>
Flaw metadata_flaw(const Change& change) {
  AlignedBuffer buffer(kBlockBytes);
  Metadata metadata = good_metadata();
  change(metadata);
  encode_metadata(metadata, block_of(buffer));
  Metadata read;
  return decode_metadata(block_of(buffer), read);
}

TEST(LogFormat, ReadsWhatItWrote) {
  EXPECT_EQ(segment_flaw([](SegmentHeader&) {}), Flaw::none);
  EXPECT_EQ(unit_flaw([](UnitHeader&) {}), Flaw::none);
  EXPECT_EQ(metadata_flaw([](Metadata&) {}), Flaw::none);
  AlignedBuffer buffer(kBlockBytes);
  const UnitHeader written = good_unit();
  const std::uint32_t crc = seal_unit(written, buffer.span());
  UnitHeader read;
  ASSERT_EQ(decode_unit_header(buffer.span().first<kHeaderBytes>(), read), Flaw::none);
  EXPECT_EQ(read.header_crc, crc);
  EXPECT_EQ(read.unit_bytes, kBlockBytes);
  EXPECT_EQ(read.end_position, written.end_position);
  EXPECT_TRUE(check_unit_body(read, buffer.span()));
}

TEST(LogFormat, RefusesSegmentHeadersThatCannotBe) {
  using H = SegmentHeader;
  EXPECT_EQ(segment_flaw([](H& h) { h.magic = kUnitMagic; }), Flaw::bad_magic);
  EXPECT_EQ(segment_flaw([](H& h) { h.version = 2; }), Flaw::bad_version);
  EXPECT_EQ(segment_flaw([](H& h) { h.flags = kCut; }), Flaw::none);
  EXPECT_EQ(segment_flaw([](H& h) { h.flags = kAnew; }), Flaw::none);
  EXPECT_EQ(segment_flaw([](H& h) { h.flags = kCut | kAnew; }), Flaw::bad_reserved);
  EXPECT_EQ(segment_flaw([](H& h) { h.flags = 4; }), Flaw::bad_reserved);
  EXPECT_EQ(segment_flaw([](H& h) { h.reserved2[3] = 1; }), Flaw::bad_reserved);
  EXPECT_EQ(segment_flaw([](H& h) { h.segment_bytes += 512; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.segment_bytes = 2 * kSegmentBytesMax; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.segment_bytes = h.unit_bytes_max; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.unit_bytes_max = 0; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.units_in_flight = 0; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.units_in_flight = 65; }), Flaw::bad_length);
  EXPECT_EQ(segment_flaw([](H& h) { h.number = 0; }), Flaw::bad_range);
  EXPECT_EQ(segment_flaw([](H& h) { h.first_position = 4; }), Flaw::bad_range);
}

TEST(LogFormat, RefusesUnitHeadersThatCannotBe) {
  using H = UnitHeader;
  EXPECT_EQ(unit_flaw([](H& h) { h.magic = kSegmentMagic; }), Flaw::bad_magic);
  EXPECT_EQ(unit_flaw([](H& h) { h.version = 0; }), Flaw::bad_version);
  EXPECT_EQ(unit_flaw([](H& h) { h.flags = 1; }), Flaw::bad_reserved);
  EXPECT_EQ(unit_flaw([](H& h) { h.reserved[0] = 1; }), Flaw::bad_reserved);
  EXPECT_EQ(unit_flaw([](H& h) { h.offset = 0; }), Flaw::bad_range);
  EXPECT_EQ(unit_flaw([](H& h) { h.offset = 8193; }), Flaw::bad_range);
  EXPECT_EQ(unit_flaw([](H& h) { h.frame_count = 0; }), Flaw::bad_range);
  EXPECT_EQ(unit_flaw([](H& h) { h.end_position = h.first_position; }), Flaw::bad_range);
  EXPECT_EQ(unit_flaw([](H& h) { h.durable_before = 808; }), Flaw::bad_range);
}

TEST(LogFormat, RefusesMetadataThatCannotBe) {
  EXPECT_EQ(metadata_flaw([](Metadata& m) { m.version = 3; }), Flaw::bad_version);
  EXPECT_EQ(metadata_flaw([](Metadata& m) { m.flags = 2; }), Flaw::bad_reserved);
  EXPECT_EQ(metadata_flaw([](Metadata& m) { m.flags = kClosed; }), Flaw::none);
  EXPECT_EQ(metadata_flaw([](Metadata& m) { m.sequence = 0; }), Flaw::bad_range);
  EXPECT_EQ(metadata_flaw([](Metadata& m) { m.oldest_segment = 0; }), Flaw::bad_range);
}

TEST(LogFormat, ZerosAreNothingAndNotADamagedHeader) {
  AlignedBuffer buffer(kBlockBytes);
  SegmentHeader header;
  EXPECT_EQ(decode_segment_header(block_of(buffer), header), Flaw::zero);
  buffer.data()[4000] = std::byte{1};
  EXPECT_NE(decode_segment_header(block_of(buffer), header), Flaw::none);
  EXPECT_NE(decode_segment_header(block_of(buffer), header), Flaw::zero);
}

TEST(LogFormat, NoticesEveryFlippedBitOfMetadata) {
  AlignedBuffer buffer(kBlockBytes);
  encode_metadata(good_metadata(), block_of(buffer));
  for (std::size_t bit = 0; bit < kBlockBytes * 8; ++bit) {
    buffer.data()[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    Metadata read;
    ASSERT_NE(decode_metadata(block_of(buffer), read), Flaw::none) << bit;
    buffer.data()[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

TEST(LogFormat, NoticesEveryFlippedBitOfASegment) {
  SegmentBuilder segment(24u << 10);
  segment.add({64, 128, 8});
  segment.add({5000});
  segment.add({800});
  FrameCollector all;
  ASSERT_EQ(segment.scan(all).end, segment.end);
  for (std::size_t bit = 0; bit < segment.bytes().size() * 8; ++bit) {
    std::byte& byte = segment.bytes()[bit / 8];
    byte ^= static_cast<std::byte>(1u << bit % 8);
    SegmentHeader header;
    const bool header_good =
        decode_segment_header(ConstBlock(segment.content.data(), kBlockBytes), header) ==
        Flaw::none;
    if (header_good) {
      ASSERT_NE(segment.judge().tail, Tail::clean) << bit;
    }
    byte ^= static_cast<std::byte>(1u << bit % 8);
  }
}

}  // namespace
}  // namespace quorate::log
