// What one connection sends is what the other one is told, however the bytes are cut.

#include <random>

#include "link.h"

namespace quorate::transport {
namespace {

const std::string kBody = "a body, 16 bytes";

TEST(Connection, ControlMessagesArriveWithTheirEnvelopes) {
  Link link;
  link.a->set_session(77, {5, 6});
  link.a->queue_control(wire::MessageType::heartbeat, as_bytes(kBody));
  link.a->queue_control(wire::MessageType::acknowledgements, {});
  EXPECT_FALSE(link.a->sending());
  EXPECT_TRUE(link.a->submit());
  EXPECT_TRUE(link.a->sending());
  link.run_until([&] { return link.sink_b.messages.size() == 2; });
  const auto& first = link.sink_b.messages[0];
  EXPECT_EQ(first.body, kBody);
  EXPECT_EQ(first.envelope.type, wire::MessageType::heartbeat);
  EXPECT_EQ(first.envelope.session, 77u);
  EXPECT_EQ(first.envelope.sequence, 0u);
  EXPECT_EQ(first.envelope.epoch_number, 5u);
  EXPECT_EQ(first.envelope.epoch_incarnation, 6u);
  EXPECT_EQ(link.sink_b.messages[1].envelope.sequence, 1u);
  EXPECT_EQ(link.sink_a.sends_ready, 1);
  EXPECT_EQ(link.b->bytes_received(), 2 * wire::kEnvelopeBytes + kBody.size());
}

TEST(Connection, NothingToSendIsNoSend) {
  Link link;
  EXPECT_FALSE(link.a->submit());
  link.a->queue_control(wire::MessageType::heartbeat, {});
  EXPECT_TRUE(link.a->submit());
  link.a->queue_control(wire::MessageType::heartbeat, {});
  EXPECT_FALSE(link.a->submit()) << "one send at a time";
  EXPECT_EQ(link.a->control_bytes(), wire::kEnvelopeBytes);
}

TEST(Connection, AFrameLandsWhereTheSinkSays) {
  Link link;
  link.admit();
  const Frame frame = make_frame(4096, {1, 8, 100, 0, 4000});
  ASSERT_TRUE(link.a->add_frame(frame.prologue, frame.records, 4000, wire::kAppliedAwaited));
  EXPECT_EQ(link.a->frames_added(), 1u);
  link.a->submit();
  link.run_until([&] { return !link.sink_b.frames.empty(); });
  EXPECT_EQ(link.sink_b.frames[0].records, frame.records);
  EXPECT_EQ(link.sink_b.frames[0].header.begin, 4096u);
  EXPECT_EQ(link.sink_b.frames[0].header.header_crc, frame.header.header_crc);
  EXPECT_EQ(link.a->frames_added(), 0u);
}

TEST(Connection, ControlMessagesGoInFrontOfFrames) {
  Link link;
  link.admit();
  std::vector<std::string> events;
  link.sink_b.on_event = [&](const char* event) { events.push_back(event); };
  const Frame frame = frame_of_size(0, 64);
  link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->queue_control(wire::MessageType::heartbeat, {});
  link.a->submit();
  link.settle();
  EXPECT_EQ(events, (std::vector<std::string>{"message", "header", "frame"}));
}

TEST(Connection, ASendHoldsSoManyFrames) {
  Link link;
  link.admit();
  const Frame frame = frame_of_size(0, 64);
  for (std::uint32_t i = 0; i < Connection::kFramesPerSend; ++i) {
    ASSERT_TRUE(link.a->add_frame(frame.prologue, frame.records, 0, 0));
  }
  EXPECT_FALSE(link.a->add_frame(frame.prologue, frame.records, 0, 0));
  link.a->submit();
  link.settle();
  EXPECT_EQ(link.sink_b.frames.size(), Connection::kFramesPerSend);
  EXPECT_TRUE(link.a->add_frame(frame.prologue, frame.records, 0, 0));
  link.a->submit();
  link.settle();
  EXPECT_EQ(link.sink_b.frames.size(), Connection::kFramesPerSend + 1);
}

/// Both directions, messages and frames of all sizes, pieces of all sizes.
class AnyPieces : public testing::TestWithParam<unsigned> {};

TEST_P(AnyPieces, GiveTheSameStream) {
  const unsigned seed = GetParam();
  std::mt19937 random(seed);
  Link link(seed, seed % 3 == 0 ? 500 : 200'000);
  link.admit();
  link.reactor.set_step(seed % 4 == 0 ? 7 : seed % 4 == 1 ? 300 : 100'000);
  link.reactor.set_short_sends(seed % 2 == 0);
  const std::size_t sizes[] = {8, 60, 3000, seed % 4 == 0 ? 9000u : 300'000u};
  std::vector<Frame> frames;
  Position position = 0;
  for (int i = 0; i < 24; ++i) {
    frames.push_back(frame_of_size(position, sizes[random() % 4]));
    position = frames.back().header.end;
  }
  std::size_t next = 0;
  std::vector<std::string> said;
  while (next < frames.size() || link.a->sending()) {
    if (!link.a->sending()) {
      for (std::size_t count = random() % 5; count > 0 && next < frames.size(); --count, ++next) {
        link.a->add_frame(frames[next].prologue, frames[next].records, position, 0);
      }
      said.push_back(std::string(8 * (random() % 100), static_cast<char>('a' + random() % 26)));
      link.a->queue_control(wire::MessageType::heartbeat, as_bytes(said.back()));
      link.a->submit();
    }
    if (!link.b->sending() && random() % 50 == 0) {
      link.b->queue_control(wire::MessageType::acknowledgements, as_bytes(kBody));
      link.b->submit();
    }
    link.step();
  }
  link.settle();
  ASSERT_EQ(link.sink_b.closed, 0) << link.sink_b.why;
  ASSERT_EQ(link.sink_b.frames.size(), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    ASSERT_TRUE(link.sink_b.frames[i].records == frames[i].records) << "frame " << i;
  }
  ASSERT_EQ(link.sink_b.messages.size(), said.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    ASSERT_EQ(link.sink_b.messages[i].body, said[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Connection, AnyPieces, testing::Range(0u, 24u));

TEST(Connection, AdmissionRaisesTheLimits) {
  HalfLink half;
  half.sink.on_event = [&](const char*) { half.connection->admit(64u << 10, 1u << 20); };
  const wire::Envelope envelope;
  const Frame frame = frame_of_size(0, 20'000);
  half.reactor.inject(half.socket, unit(envelope, {}) + batch_unit(1, frame));
  half.connection->start();
  half.settle();
  ASSERT_EQ(half.sink.frames.size(), 1u);
  EXPECT_EQ(half.sink.frames[0].records, frame.records);
  EXPECT_TRUE(half.connection->open());
}

TEST(Connection, MemoryOfAStrangerIsBounded) {
  HalfLink half;
  half.connection->start();
  half.settle();
  EXPECT_LE(half.connection->memory_bytes(), 64u << 10);
}

}  // namespace
}  // namespace quorate::transport
