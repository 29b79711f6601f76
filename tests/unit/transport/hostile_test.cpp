// Bytes that no honest peer sends: the connection closes with a reason and tells it, delivers
// nothing of them, and holds little memory.

#include <functional>
#include <random>

#include "link.h"
#include "wire/crc32c.h"

namespace quorate::transport {
namespace {

using core::GoodbyeReason;

constexpr std::size_t kStrangerBytes = 64u << 10;

struct BadBytes {
  const char* name;
  std::function<std::string()> bytes;
  GoodbyeReason reason;
  const char* text;
};

std::string with_envelope(const std::function<void(wire::Envelope&)>& spoil,
                          const std::string& body = "") {
  wire::Envelope envelope;
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  envelope.body_crc = wire::crc32c(as_bytes(body));
  spoil(envelope);
  return unit(envelope, as_bytes(body));
}

/// A frame whose header is spoiled and then signed again.
std::string with_frame(const std::function<void(Frame&)>& spoil) {
  Frame frame = make_frame(0, {8, 8, 8});
  spoil(frame);
  wire::encode_frame_header(frame.header,
                            std::span(frame.prologue).first<wire::kFrameHeaderBytes>());
  return batch_unit(0, frame);
}

/// A frame whose body is spoiled and whose checksum is right.
std::string with_records(const std::function<void(std::vector<std::byte>&)>& spoil) {
  return with_frame([&](Frame& frame) {
    spoil(frame.records);
    const auto prefix = std::span(frame.prologue).last<wire::kBatchPrefixBytes>();
    frame.header.body_crc = wire::crc32c(frame.records, wire::crc32c(prefix));
  });
}

std::vector<BadBytes> bad_bytes() {
  const auto bad_frame = GoodbyeReason::bad_frame;
  return {
      {"zeroes", [] { return std::string(64, '\0'); }, bad_frame, "magic"},
      {"http", [] { return "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(64, 'x'); }, bad_frame,
       "magic"},
      {"flipped_bit",
       [] {
         std::string sent = with_envelope([](wire::Envelope&) {});
         sent[20] ^= 1;
         return sent;
       },
       bad_frame, "checksum"},
      {"version", [] { return with_envelope([](auto& e) { e.version = 9; }); }, bad_frame,
       "version"},
      {"type_zero", [] { return with_envelope([](auto& e) { e.type = wire::MessageType{0}; }); },
       bad_frame, "type"},
      {"type_unknown",
       [] { return with_envelope([](auto& e) { e.type = wire::MessageType{77}; }); }, bad_frame,
       "type"},
      {"encoding", [] { return with_envelope([](auto& e) { e.encoding = 3; }); }, bad_frame,
       "encoding"},
      {"length_over_the_limit",
       [] { return with_envelope([](auto& e) { e.body_bytes = 1u << 30; }); }, bad_frame,
       "length"},
      {"length_odd", [] { return with_envelope([](auto& e) { e.body_bytes = 12; }); }, bad_frame,
       "length"},
      {"larger_than_a_stranger_may_send",
       [] { return with_envelope([](auto& e) { e.body_bytes = 60'000; }); },
       GoodbyeReason::too_large, "larger"},
      {"sequence_ahead", [] { return with_envelope([](auto& e) { e.sequence = 1; }); },
       GoodbyeReason::protocol_violation, "sequence"},
      {"body_checksum",
       [] { return with_envelope([](auto& e) { e.body_crc ^= 1; }, "12345678"); }, bad_frame,
       "body checksum"},
  };
}

std::vector<BadBytes> bad_frames() {
  const auto bad_frame = GoodbyeReason::bad_frame;
  return {
      {"magic", [] { return with_frame([](auto& f) { f.header.magic = 1; }); }, bad_frame,
       "magic"},
      {"version", [] { return with_frame([](auto& f) { f.header.version = 2; }); }, bad_frame,
       "version"},
      {"type", [] { return with_frame([](auto& f) { f.header.type = 2; }); }, bad_frame, "type"},
      {"prefix", [] { return with_frame([](auto& f) { f.header.prefix_bytes = 40; }); }, bad_frame,
       "length"},
      {"empty", [] { return with_frame([](auto& f) { f.header.end = f.header.begin; }); },
       bad_frame, "positions"},
      {"backwards",
       [] { return with_frame([](auto& f) { f.header.begin = f.header.end + 8; }); }, bad_frame,
       "positions"},
      {"unaligned", [] { return with_frame([](auto& f) { f.header.begin += 4; }); }, bad_frame,
       "positions"},
      {"body_differs", [] { return with_frame([](auto& f) { f.header.body_bytes += 8; }); },
       bad_frame, "positions"},
      {"no_records", [] { return with_frame([](auto& f) { f.header.record_count = 0; }); },
       bad_frame, "positions"},
      {"larger_than_agreed",
       [] {
         return with_frame([](auto& f) {
           f.header.end = f.header.begin + (16u << 20);
           f.header.body_bytes = wire::kBatchPrefixBytes + (16u << 20);
         });
       },
       bad_frame, "length"},
      {"longer_than_its_envelope",
       [] {
         return with_frame([](auto& f) {
           f.header.end += 8;
           f.header.body_bytes += 8;
         });
       },
       bad_frame, "disagree"},
      {"header_bit",
       [] {
         std::string sent = batch_unit(0, make_frame(0, {8}));
         sent[wire::kEnvelopeBytes + 17] ^= 4;
         return sent;
       },
       bad_frame, "checksum"},
      {"record_bit",
       [] {
         std::string sent = batch_unit(0, make_frame(0, {8}));
         sent.back() ^= 4;
         return sent;
       },
       bad_frame, "frame checksum"},
      {"count_differs", [] { return with_frame([](auto& f) { f.header.record_count = 2; }); },
       bad_frame, "malformed"},
      {"unpublished_record", [] { return with_records([](auto& r) { r[4] = std::byte{0}; }); },
       bad_frame, "malformed"},
      {"unknown_kind", [] { return with_records([](auto& r) { r[4] = std::byte{9}; }); },
       bad_frame, "malformed"},
      {"reserved_flags", [] { return with_records([](auto& r) { r[6] = std::byte{1}; }); },
       bad_frame, "malformed"},
      {"record_beyond_the_end", [] { return with_records([](auto& r) { r[33] = std::byte{1}; }); },
       bad_frame, "malformed"},
      {"record_of_four_gigabytes",
       [] {
         return with_records([](auto& r) {
           for (int i = 0; i < 4; ++i) r[static_cast<std::size_t>(i)] = std::byte{0xFF};
         });
       },
       bad_frame, "malformed"},
  };
}

void expect_refused(HalfLink& half, const BadBytes& bad) {
  EXPECT_TRUE(half.sink.frames.empty());
  EXPECT_FALSE(half.connection->open());
  const core::Goodbye goodbye = half.goodbye();
  EXPECT_EQ(goodbye.reason, bad.reason);
  EXPECT_NE(goodbye.text.find(bad.text), std::string::npos) << goodbye.text;
  EXPECT_LE(half.connection->memory_bytes(), kStrangerBytes);
  half.reactor.shutdown_send(half.peer);
  half.settle();
  EXPECT_EQ(half.sink.closed, 1);
  EXPECT_EQ(half.sink.why, goodbye.text);
}

TEST(Hostile, BytesAreRefusedWithAReason) {
  for (const BadBytes& bad : bad_bytes()) {
    SCOPED_TRACE(bad.name);
    HalfLink half;
    half.reactor.inject(half.socket, bad.bytes());
    half.connection->start();
    half.settle();
    EXPECT_TRUE(half.sink.messages.empty());
    expect_refused(half, bad);
  }
}

TEST(Hostile, FramesAreRefusedWithAReason) {
  for (const BadBytes& bad : bad_frames()) {
    SCOPED_TRACE(bad.name);
    HalfLink half;
    half.connection->admit(32u << 10, 8u << 20);
    half.reactor.inject(half.socket, bad.bytes());
    half.connection->start();
    half.settle();
    expect_refused(half, bad);
  }
}

TEST(Hostile, AFrameOfAStrangerIsRefusedBeforeItsBody) {
  HalfLink half;
  half.reactor.inject(half.socket, batch_unit(0, make_frame(0, {8})));
  half.connection->start();
  half.settle();
  expect_refused(half, {"", {}, GoodbyeReason::bad_frame, "length"});
}

TEST(Hostile, ARepeatedMessageIsRefused) {
  HalfLink half;
  const std::string once = with_envelope([](wire::Envelope&) {});
  half.reactor.inject(half.socket, once + once);
  half.connection->start();
  half.settle();
  EXPECT_EQ(half.sink.messages.size(), 1u);
  EXPECT_EQ(half.goodbye().reason, GoodbyeReason::protocol_violation);
}

TEST(Hostile, ATruncatedStreamDeliversWhatWasWhole) {
  const std::string whole =
      with_envelope([](wire::Envelope&) {}, "12345678") + batch_unit(1, make_frame(0, {8, 8}));
  const std::size_t message_bytes = wire::kEnvelopeBytes + 8;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    HalfLink half;
    half.connection->admit(32u << 10, 8u << 20);
    half.reactor.inject(half.socket, whole.substr(0, size));
    half.reactor.shutdown_send(half.peer);
    half.connection->start();
    half.settle();
    ASSERT_EQ(half.sink.messages.size(), size >= message_bytes ? 1u : 0u);
    ASSERT_TRUE(half.sink.frames.empty());
    ASSERT_EQ(half.sink.closed, 1);
    ASSERT_EQ(half.sink.why, "the peer closed the connection");
  }
}

/// One wrong byte anywhere: everything before its unit arrives unchanged, nothing of it does.
TEST(Hostile, NoFlippedByteIsDelivered) {
  const std::string body = "12345678abcdefgh";
  const Frame frame = make_frame(0, {8, 100, 3});
  const std::string message = with_envelope([](wire::Envelope&) {}, body);
  const std::string whole = message + batch_unit(1, frame);
  std::mt19937 random(1);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string sent = whole;
    sent[at] = static_cast<char>(sent[at] ^ (1 << random() % 8));
    HalfLink half(static_cast<unsigned>(at));
    half.reactor.set_step(1 + random() % 200);
    half.connection->admit(32u << 10, 8u << 20);
    half.reactor.inject(half.socket, sent);
    half.reactor.shutdown_send(half.peer);
    half.connection->start();
    half.settle();
    ASSERT_TRUE(half.sink.frames.empty()) << "byte " << at;
    ASSERT_EQ(half.sink.messages.size(), at < message.size() ? 0u : 1u) << "byte " << at;
    ASSERT_EQ(half.sink.closed, 1) << "byte " << at;
  }
}

TEST(Hostile, NoiseNeverCrashes) {
  std::mt19937 random(7);
  for (unsigned round = 0; round < 300; ++round) {
    std::string noise = with_envelope([](wire::Envelope&) {});
    for (std::size_t i = random() % 3000; i > 0; --i) noise += static_cast<char>(random());
    HalfLink half(round);
    half.reactor.set_step(1 + random() % 500);
    half.reactor.inject(half.socket, noise);
    half.reactor.shutdown_send(half.peer);
    half.connection->start();
    half.settle();
    ASSERT_EQ(half.sink.closed, 1);
    ASSERT_LE(half.connection->memory_bytes(), kStrangerBytes);
  }
}

}  // namespace
}  // namespace quorate::transport
