#include "wire/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "wire/crc32c.h"

namespace quorate::wire {
namespace {

constexpr std::uint64_t kRecordsMax = 1u << 20;

Envelope some_envelope() {
  Envelope envelope;
  envelope.type = MessageType::heartbeat;
  envelope.flags = kAppliedAwaited;
  envelope.body_bytes = 64;
  envelope.body_crc = 0xAABBCCDD;
  envelope.session = 0x0102030405060708;
  envelope.sequence = 9;
  envelope.epoch_number = 10;
  envelope.epoch_incarnation = 11;
  envelope.committed = 12;
  return envelope;
}

FrameHeader some_frame() {
  FrameHeader header;
  header.body_bytes = kBatchPrefixBytes + 64;
  header.stream = 3;
  header.record_count = 4;
  header.epoch_number = 5;
  header.epoch_incarnation = 6;
  header.begin = 128;
  header.end = 192;
  header.previous_epoch_number = 7;
  header.previous_epoch_incarnation = 8;
  header.previous_checksum = 0x11223344;
  header.body_crc = 0x55667788;
  return header;
}

using EnvelopeBytes = std::array<std::byte, kEnvelopeBytes>;
using HeaderBytes = std::array<std::byte, kFrameHeaderBytes>;

EnvelopeBytes encoded(const Envelope& envelope) {
  EnvelopeBytes bytes;
  encode_envelope(envelope, bytes);
  return bytes;
}
HeaderBytes encoded(const FrameHeader& header) {
  HeaderBytes bytes;
  encode_frame_header(header, bytes);
  return bytes;
}
DecodeError decoded(const EnvelopeBytes& bytes) {
  Envelope envelope;
  return decode_envelope(bytes, envelope);
}
DecodeError decoded(const HeaderBytes& bytes, std::uint64_t records_max = kRecordsMax) {
  FrameHeader header;
  return decode_frame_header(bytes, records_max, header);
}

template <typename Layout>
DecodeError after(Layout layout, const std::function<void(Layout&)>& change) {
  change(layout);
  return decoded(encoded(layout));
}
DecodeError envelope_with(const std::function<void(Envelope&)>& change) {
  return after<Envelope>(some_envelope(), change);
}
DecodeError frame_with(const std::function<void(FrameHeader&)>& change) {
  return after<FrameHeader>(some_frame(), change);
}

TEST(Envelope, RoundTripKeepsEveryField) {
  const Envelope sent = some_envelope();
  Envelope read;
  const auto bytes = encoded(sent);
  ASSERT_EQ(decode_envelope(bytes, read), DecodeError::none);
  Envelope expected = sent;
  expected.header_crc = crc32c(std::span(bytes).first<60>());
  EXPECT_EQ(std::memcmp(&read, &expected, sizeof read), 0);
}

TEST(Envelope, EveryFlippedBitIsDetected) {
  auto bytes = encoded(some_envelope());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto error = decoded(bytes);
    ASSERT_EQ(error, bit < 32 ? DecodeError::bad_magic : DecodeError::bad_checksum) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

TEST(Envelope, RefusalLeavesTheResultUntouched) {
  auto bytes = encoded(some_envelope());
  bytes[20] ^= std::byte{1};
  Envelope read;
  read.session = 77;
  EXPECT_EQ(decode_envelope(bytes, read), DecodeError::bad_checksum);
  EXPECT_EQ(read.session, 77u);
}

TEST(Envelope, WrongFieldsAreNamed) {
  EXPECT_EQ(envelope_with([](auto& e) { e.magic = kFrameMagic; }), DecodeError::bad_magic);
  EXPECT_EQ(envelope_with([](auto& e) { e.version = 2; }), DecodeError::bad_version);
  EXPECT_EQ(envelope_with([](auto& e) { e.version = 0; }), DecodeError::bad_version);
  EXPECT_EQ(envelope_with([](auto& e) { e.type = MessageType{0}; }), DecodeError::bad_type);
  EXPECT_EQ(envelope_with([](auto& e) { e.type = MessageType{kMessageTypeMax + 1}; }),
            DecodeError::bad_type);
  EXPECT_EQ(envelope_with([](auto& e) { e.type = MessageType{255}; }), DecodeError::bad_type);
  EXPECT_EQ(envelope_with([](auto& e) { e.encoding = 1; }), DecodeError::bad_encoding);
  EXPECT_EQ(envelope_with([](auto& e) { e.body_bytes = 12; }), DecodeError::bad_length);
}

TEST(Envelope, BodyLimitIsThatOfItsType) {
  for (std::uint8_t type = 1; type <= kMessageTypeMax; ++type) {
    const bool batch = MessageType{type} == MessageType::batch;
    const std::uint64_t limit = batch ? kFramePrologueBytes + kFrameRecordsMax : kBodyMax[type];
    ASSERT_EQ(limit % 8, 0u);
    const auto sized = [&](std::uint64_t bytes) {
      return envelope_with([&](auto& e) {
        e.type = MessageType{type};
        e.body_bytes = static_cast<std::uint32_t>(bytes);
      });
    };
    EXPECT_EQ(sized(limit), DecodeError::none) << int{type};
    EXPECT_EQ(sized(limit + 8), DecodeError::bad_length) << int{type};
    EXPECT_EQ(sized(0xFFFFFFF8), DecodeError::bad_length) << int{type};
  }
}

TEST(FrameHeader, RoundTripKeepsEveryField) {
  const FrameHeader sent = some_frame();
  HeaderBytes bytes;
  const std::uint32_t checksum = encode_frame_header(sent, bytes);
  FrameHeader read;
  ASSERT_EQ(decode_frame_header(bytes, kRecordsMax, read), DecodeError::none);
  FrameHeader expected = sent;
  expected.header_crc = checksum;
  EXPECT_EQ(checksum, crc32c(std::span(bytes).first<92>()));
  EXPECT_EQ(std::memcmp(&read, &expected, sizeof read), 0);
}

TEST(FrameHeader, EveryFlippedBitIsDetected) {
  auto bytes = encoded(some_frame());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto error = decoded(bytes);
    ASSERT_EQ(error, bit < 32 ? DecodeError::bad_magic : DecodeError::bad_checksum) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

TEST(FrameHeader, WrongFieldsAreNamed) {
  EXPECT_EQ(frame_with([](auto& h) { h.magic = kEnvelopeMagic; }), DecodeError::bad_magic);
  EXPECT_EQ(frame_with([](auto& h) { h.version = 2; }), DecodeError::bad_version);
  EXPECT_EQ(frame_with([](auto& h) { h.type = 0; }), DecodeError::bad_type);
  EXPECT_EQ(frame_with([](auto& h) { h.prefix_bytes += 8; }), DecodeError::bad_length);
}

TEST(FrameHeader, ContradictingPositionsAreRefused) {
  EXPECT_EQ(frame_with([](auto& h) { h.end = h.begin; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.end = h.begin - 8; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.begin += 4; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.end += 4; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.body_bytes += 8; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.begin = 0, h.end = ~7ull; }), DecodeError::bad_length);
  EXPECT_EQ(frame_with([](auto& h) { h.end += 1ull << 32; }), DecodeError::bad_length);
}

TEST(FrameHeader, RecordCountMustFitIntoTheBytes) {
  EXPECT_EQ(frame_with([](auto& h) { h.record_count = 0; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.record_count = 8; }), DecodeError::none);
  EXPECT_EQ(frame_with([](auto& h) { h.record_count = 9; }), DecodeError::bad_range);
  EXPECT_EQ(frame_with([](auto& h) { h.record_count = ~0u; }), DecodeError::bad_range);
}

TEST(FrameHeader, LargestFrameIsWhatThePeersAgreedOn) {
  const auto bytes = encoded(some_frame());
  EXPECT_EQ(decoded(bytes, 64), DecodeError::none);
  EXPECT_EQ(decoded(bytes, 56), DecodeError::bad_length);
  EXPECT_EQ(decoded(bytes, 0), DecodeError::bad_length);
}

TEST(FrameHeader, NoAgreementAllowsMoreThanTheProtocol) {
  FrameHeader header = some_frame();
  header.end = header.begin + kFrameRecordsMax + 8;
  header.body_bytes = static_cast<std::uint32_t>(kBatchPrefixBytes + kFrameRecordsMax + 8);
  EXPECT_EQ(decoded(encoded(header), ~0ull), DecodeError::bad_length);
  header.end -= 8;
  header.body_bytes -= 8;
  EXPECT_EQ(decoded(encoded(header), ~0ull), DecodeError::none);
}

TEST(DecodeErrors, HaveTextsOfTheirOwn) {
  for (int a = 0; a <= static_cast<int>(DecodeError::bad_range); ++a) {
    EXPECT_STRNE(to_string(static_cast<DecodeError>(a)), "?");
    for (int b = 0; b < a; ++b) {
      EXPECT_STRNE(to_string(static_cast<DecodeError>(a)), to_string(static_cast<DecodeError>(b)));
    }
  }
}

}  // namespace
}  // namespace quorate::wire
