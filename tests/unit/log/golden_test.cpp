// The bytes on disk are a promise to the next version: these were written down once.

#include <gtest/gtest.h>

#include <string>

#include "log/format.h"
#include "segments.h"

namespace quorate::log {
namespace {

std::string hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0 && i % 32 == 0) text += '\n';
    text += kDigits[static_cast<unsigned>(bytes[i]) >> 4];
    text += kDigits[static_cast<unsigned>(bytes[i]) & 15];
  }
  return text;
}

std::string header_of(std::span<const std::byte> block) {
  return hex(block.first(kHeaderBytes));
}

TEST(LogGolden, SegmentHeader) {
  SegmentHeader header;
  header.storage = {0x0102030405060708, 0x1112131415161718};
  header.number = 0x21;
  header.first_position = 0x2228;
  header.segment_bytes = 64u << 20;
  header.stream = 0x23;
  header.unit_bytes_max = 512u << 10;
  header.units_in_flight = 8;
  header.previous_unit_crc = 0x24252627;
  header.previous_epoch_number = 0x28;
  header.previous_epoch_incarnation = 0x29;
  header.previous_frame_checksum = 0x2A2B2C2D;
  AlignedBuffer block(kBlockBytes);
  encode_segment_header(header, Block(block.data(), kBlockBytes));
  EXPECT_EQ(header_of(block.span()),
            "5152533101000000080706050403020118171615141312112100000000000000\n"
            "2822000000000000000000040000000023000000000008000800000027262524\n"
            "280000000000000029000000000000002d2c2b2a000000000000000000000000\n"
            "000000000000000000000000000000000000000000000000000000005a221324");
  EXPECT_TRUE(is_zero(block.span().subspan(kHeaderBytes)));
  header.flags = kCut;
  encode_segment_header(header, Block(block.data(), kBlockBytes));
  EXPECT_EQ(hex(block.span().first(8)), "5152533101000100");
}

TEST(LogGolden, Metadata) {
  Metadata metadata;
  metadata.flags = kClosed;
  metadata.storage = {0x0102030405060708, 0x1112131415161718};
  metadata.sequence = 0x31;
  metadata.promised_number = 0x32;
  metadata.promised_incarnation = 0x33;
  metadata.known_committed = 0x34;
  metadata.known_durable = 0x35;
  metadata.oldest_segment = 0x36;
  metadata.stream = 0x37;
  metadata.previous_crc = 0x38393A3B;
  AlignedBuffer block(kBlockBytes);
  encode_metadata(metadata, Block(block.data(), kBlockBytes));
  EXPECT_EQ(header_of(block.span()),
            "51524d3101000100080706050403020118171615141312113100000000000000\n"
            "3200000000000000330000000000000034000000000000003500000000000000\n"
            "3600000000000000370000003b3a393800000000000000000000000000000000\n"
            "00000000000000000000000000000000000000000000000000000000b33f7772");
  EXPECT_TRUE(is_zero(block.span().subspan(kHeaderBytes)));
}

TEST(LogGolden, UnitAroundAFrame) {
  SegmentBuilder segment;
  segment.add({16, 8});
  const auto unit = segment.bytes().subspan(kBlockBytes);
  EXPECT_EQ(header_of(unit),
            "5152553101000000111111111111111122222222222222220100000000000000\n"
            "0010000000000000000000000000000018000000000000000000000000000000\n"
            "03000000020000003801000000100000000000002708b7440000000000000000\n"
            "000000000000000000000000000000000000000000000000000000002feac493");
  const LogFrame& first = segment.frames[0];
  EXPECT_EQ(hex(unit.subspan(kHeaderBytes, first.bytes.size())), hex(first.bytes));
  EXPECT_EQ(hex(unit.subspan(kHeaderBytes + first.bytes.size(), segment.frames[1].bytes.size())),
            hex(segment.frames[1].bytes));
}

TEST(LogGolden, CopiesOfMetadata) {
  EXPECT_EQ(metadata_offset(1, 0), 4096u);
  EXPECT_EQ(metadata_offset(2, 0), 0u);
  EXPECT_EQ(metadata_offset(1, 1), 65536u + 4096u);
  EXPECT_EQ(metadata_offset(2, 1), 65536u);
}

}  // namespace
}  // namespace quorate::log
