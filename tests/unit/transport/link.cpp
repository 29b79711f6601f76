#include "link.h"

#include <cstring>

#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::transport {

namespace {

constexpr std::uint64_t kRecordsMax = 8u << 20;
constexpr std::uint32_t kStagingBytes = 64u << 10;

}  // namespace

Frame make_frame(Position begin, const std::vector<std::uint32_t>& payloads) {
  Frame frame;
  for (const std::uint32_t payload : payloads) {
    const std::size_t at = frame.records.size();
    frame.records.resize(at + wire::padded_record_bytes(payload));
    const wire::RecordWord word{payload, wire::RecordKind::data, 0};
    std::memcpy(frame.records.data() + at, &word, sizeof word);
    for (std::size_t i = 0; i < payload; ++i) {
      frame.records[at + 8 + i] = static_cast<std::byte>((begin + at + i) * 131 >> 3);
    }
  }
  wire::FrameHeader& header = frame.header;
  header.body_bytes = static_cast<std::uint32_t>(wire::kBatchPrefixBytes + frame.records.size());
  header.record_count = static_cast<std::uint32_t>(payloads.size());
  header.begin = begin;
  header.end = begin + frame.records.size();
  frame.prologue.resize(wire::kFramePrologueBytes);
  const std::span prologue(frame.prologue);
  const auto prefix = prologue.last<wire::kBatchPrefixBytes>();
  wire::write_batch_prefix(prefix, header.record_count, begin, frame.records.size());
  header.body_crc = wire::crc32c(frame.records, wire::crc32c(prefix));
  header.header_crc =
      wire::encode_frame_header(header, prologue.first<wire::kFrameHeaderBytes>());
  return frame;
}

Frame frame_of_size(Position begin, std::size_t bytes) {
  return make_frame(begin, std::vector<std::uint32_t>(bytes / 64 + 1, 56));
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string unit(wire::Envelope envelope, std::span<const std::byte> body) {
  std::array<std::byte, wire::kEnvelopeBytes> encoded;
  wire::encode_envelope(envelope, encoded);
  return as_text(encoded) + as_text(body);
}

std::string batch_unit(std::uint64_t sequence, const Frame& frame) {
  wire::Envelope envelope;
  envelope.type = wire::MessageType::batch;
  envelope.sequence = sequence;
  envelope.body_bytes =
      static_cast<std::uint32_t>(frame.prologue.size() + frame.records.size());
  return unit(envelope, frame.prologue) + as_text(frame.records);
}

void RecordingSink::tell(const char* event) {
  if (on_event) on_event(event);
}

void RecordingSink::on_message(const wire::Envelope& envelope, std::span<const std::byte> body) {
  EXPECT_EQ(closed, 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(body.data()) % 8, 0u);
  messages.push_back({envelope, as_text(body)});
  tell("message");
}

std::byte* RecordingSink::on_frame_header(const wire::Envelope&, const wire::FrameHeader& header) {
  EXPECT_EQ(closed, 0);
  landing_.assign(header.end - header.begin, std::byte{0xEE});
  const std::size_t messages_before = messages.size();
  tell("header");
  EXPECT_EQ(messages.size(), messages_before);
  return no_landing ? nullptr : landing_.data();
}

void RecordingSink::on_frame(const wire::Envelope&, const wire::FrameHeader& header) {
  EXPECT_EQ(closed, 0);
  frames.push_back({{}, landing_, header});
  tell("frame");
}

void RecordingSink::on_send_ready() {
  ++sends_ready;
  tell("send_ready");
}

void RecordingSink::on_closed(const std::string& reason) {
  ++closed;
  why = reason;
  tell("closed");
}

bool RecordingSink::got_goodbye() const {
  return !messages.empty() && messages.back().envelope.type == wire::MessageType::goodbye;
}

core::Goodbye RecordingSink::goodbye() const {
  core::Goodbye goodbye;
  // A string's bytes need not be aligned as the verifier wants them.
  std::vector<std::uint64_t> aligned(messages.back().body.size() / 8);
  std::memcpy(aligned.data(), messages.back().body.data(), messages.back().body.size());
  EXPECT_TRUE(decode_goodbye(std::as_bytes(std::span(aligned)), goodbye));
  return goodbye;
}

Link::Link(unsigned seed, std::size_t buffer_bytes) : reactor(seed) {
  std::tie(socket_a, socket_b) = reactor.make_pair(buffer_bytes);
  a = std::make_unique<Connection>(reactor, socket_a, sink_a, Connection::Options{});
  b = std::make_unique<Connection>(reactor, socket_b, sink_b, Connection::Options{});
  a->start();
  b->start();
}

Link::~Link() {
  sink_a.on_event = sink_b.on_event = nullptr;
  a->shut_down("the test is over");
  b->shut_down("the test is over");
  settle();
}

void Link::admit() {
  // A larger buffer is taken inside a message, as drivers do it.
  for (const auto& [from, to, sink] : {std::tuple(a.get(), b.get(), &sink_b),
                                       std::tuple(b.get(), a.get(), &sink_a)}) {
    sink->on_event = [receiver = to](const char*) { receiver->admit(kStagingBytes, kRecordsMax); };
    from->queue_control(wire::MessageType::heartbeat, {});
    from->submit();
    run_until([&, s = sink] { return !s->messages.empty(); });
    sink->on_event = nullptr;
    sink->messages.clear();
  }
  settle();
  sink_a.sends_ready = sink_b.sends_ready = 0;
}

void Link::step() {
  reactor.wait(0);
  reactor.reap();
}

void Link::run_until(const std::function<bool()>& condition) {
  for (int steps = 0; !condition(); ++steps) {
    ASSERT_LT(steps, 2'000'000) << "nothing comes of it";
    step();
  }
}

HalfLink::HalfLink(unsigned seed) : reactor(seed) {
  std::tie(socket, peer) = reactor.make_pair();
  connection = std::make_unique<Connection>(reactor, socket, sink, Connection::Options{});
}

HalfLink::~HalfLink() {
  sink.on_event = nullptr;
  connection->shut_down("the test is over");
  settle();
}

core::Goodbye HalfLink::goodbye() {
  const std::string sent = reactor.take_inbox(peer);
  core::Goodbye goodbye;
  if (sent.size() <= wire::kEnvelopeBytes) {
    ADD_FAILURE() << "no goodbye was sent";
    return goodbye;
  }
  std::vector<std::uint64_t> aligned(sent.size() / 8);
  std::memcpy(aligned.data(), sent.data(), sent.size());
  const auto bytes = std::as_bytes(std::span(aligned));
  wire::Envelope envelope;
  EXPECT_EQ(wire::decode_envelope(bytes.first<wire::kEnvelopeBytes>(), envelope),
            wire::DecodeError::none);
  EXPECT_EQ(envelope.type, wire::MessageType::goodbye);
  EXPECT_EQ(sent.size(), wire::kEnvelopeBytes + envelope.body_bytes);
  EXPECT_TRUE(decode_goodbye(bytes.subspan(wire::kEnvelopeBytes), goodbye));
  return goodbye;
}

}  // namespace quorate::transport
