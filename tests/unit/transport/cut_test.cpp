// A send that is cut leaves a whole byte stream: the frame it fell into is finished from a copy,
// the frames behind were not sent, and nothing is sent twice or out of order.

#include <algorithm>
#include <random>

#include "link.h"

namespace quorate::transport {
namespace {

/// Frames in order, of which some prefix was consumed.
struct Outbox {
  explicit Outbox(std::size_t count, std::size_t bytes) {
    Position position = 0;
    for (std::size_t i = 0; i < count; ++i) {
      frames.push_back(frame_of_size(position, bytes));
      position = frames.back().header.end;
    }
  }
  void add(Connection& connection, std::size_t count) {
    for (added = 0; added < count && next + added < frames.size(); ++added) {
      const Frame& frame = frames[next + added];
      connection.add_frame(frame.prologue, frame.records, 0, 0);
    }
  }
  std::vector<Frame> frames;
  std::size_t next = 0;
  std::size_t added = 0;
};

void say(Connection& connection, std::size_t number) {
  connection.queue_control(wire::MessageType::heartbeat,
                           as_bytes(std::to_string(10'000'000 + number)));
}

void expect_received(const RecordingSink& sink, const Outbox& outbox) {
  ASSERT_EQ(sink.closed, 0) << sink.why;
  ASSERT_EQ(sink.frames.size(), outbox.frames.size());
  for (std::size_t i = 0; i < outbox.frames.size(); ++i) {
    ASSERT_TRUE(sink.frames[i].records == outbox.frames[i].records) << "frame " << i;
  }
}

TEST(Cut, TheRestOfTheFrameGoesOutFromACopy) {
  Link link(1, 3000);
  link.admit();
  Outbox outbox(4, 2000);
  outbox.add(*link.a, 4);
  link.a->submit();
  link.reactor.set_step(1000);
  // The peer reads nothing, so the send stops in the first or second frame.
  link.reactor.stall(link.socket_b, true);
  for (int i = 0; i < 3; ++i) link.step();
  link.a->cut_send();
  EXPECT_EQ(link.sink_a.sends_ready, 0) << "not inside the call";
  link.run_until([&] { return link.sink_a.sends_ready > 0; });
  EXPECT_TRUE(link.a->was_cut());
  const std::uint32_t consumed = link.a->frames_consumed();
  EXPECT_GE(consumed, 1u);
  EXPECT_LT(consumed, 4u);
  // The memory of all four is free from here on.
  const Outbox whole = outbox;
  for (Frame& frame : outbox.frames) frame.records.assign(frame.records.size(), std::byte{0});
  link.reactor.stall(link.socket_b, false);
  link.settle();
  outbox = whole;
  outbox.next = consumed;
  outbox.add(*link.a, 4);
  link.a->submit();
  link.settle();
  expect_received(link.sink_b, outbox);
}

TEST(Cut, IsToldTwiceWhileTheRestDrains) {
  Link link(1, 600);
  link.admit();
  link.reactor.set_step(500);
  Outbox outbox(2, 20'000);
  outbox.add(*link.a, 2);
  link.a->submit();
  for (int i = 0; i < 4; ++i) link.step();
  std::vector<std::pair<bool, bool>> states;
  link.sink_a.on_event = [&](const char*) {
    states.emplace_back(link.a->draining(), link.a->sending());
    EXPECT_TRUE(link.a->was_cut());
    EXPECT_EQ(link.a->frames_consumed(), 1u);
  };
  link.a->cut_send();
  link.a->cut_send();
  link.settle();
  EXPECT_EQ(states, (std::vector<std::pair<bool, bool>>{{true, true}, {false, false}}));
  outbox.next = 1;
  outbox.add(*link.a, 1);
  link.sink_a.on_event = nullptr;
  link.a->submit();
  EXPECT_FALSE(link.a->was_cut());
  link.settle();
  expect_received(link.sink_b, outbox);
}

TEST(Cut, BeforeAnythingWasSentSendsNothing) {
  Link link;
  link.admit();
  Outbox outbox(3, 500);
  outbox.add(*link.a, 3);
  link.a->submit();
  link.a->cut_send();
  link.settle();
  EXPECT_TRUE(link.a->was_cut());
  EXPECT_EQ(link.a->frames_consumed(), 0u);
  EXPECT_FALSE(link.a->draining());
  EXPECT_EQ(link.sink_a.sends_ready, 1);
  EXPECT_TRUE(link.sink_b.frames.empty());
  outbox.add(*link.a, 3);
  link.a->submit();
  link.settle();
  expect_received(link.sink_b, outbox);
}

TEST(Cut, OfWhatIsOutAlreadyChangesNothing) {
  Link link;
  link.admit();
  Outbox outbox(2, 500);
  outbox.add(*link.a, 2);
  link.a->submit();
  link.reactor.set_step(1u << 20, true);
  link.reactor.wait(0);  // the send is done and not told yet
  link.a->cut_send();
  link.settle();
  EXPECT_FALSE(link.a->was_cut());
  EXPECT_EQ(link.a->frames_consumed(), 2u);
  expect_received(link.sink_b, outbox);
  link.a->cut_send();  // nothing is in flight
  link.settle();
  EXPECT_EQ(link.sink_a.sends_ready, 1);
}

TEST(Cut, ControlMessagesOfTheSendAreKeptWhole) {
  Link link(1, 10'000);
  link.admit();
  link.reactor.set_step(100);
  const std::string body(4000, 'c');
  link.a->queue_control(wire::MessageType::heartbeat, as_bytes(body));
  Outbox outbox(2, 500);
  outbox.add(*link.a, 2);
  link.a->submit();
  for (int i = 0; i < 4; ++i) link.step();
  link.a->cut_send();
  link.settle();
  EXPECT_EQ(link.a->frames_consumed(), 0u);
  ASSERT_EQ(link.sink_b.messages.size(), 1u);
  EXPECT_EQ(link.sink_b.messages[0].body, body);
  outbox.add(*link.a, 2);
  link.a->submit();
  link.settle();
  expect_received(link.sink_b, outbox);
}

TEST(Cut, MessagesQueuedWhileTheRestDrainsKeepTheirPlace) {
  Link link(1, 600);
  link.admit();
  link.reactor.set_step(500);
  Outbox outbox(3, 5000);
  outbox.add(*link.a, 3);
  link.a->submit();
  link.step();
  link.a->queue_control(wire::MessageType::heartbeat, as_bytes("before__"));
  link.a->cut_send();
  link.run_until([&] { return link.sink_a.sends_ready > 0; });
  link.a->queue_control(wire::MessageType::heartbeat, as_bytes("draining"));
  EXPECT_FALSE(link.a->submit());
  link.settle();
  outbox.next = link.a->frames_consumed();
  outbox.add(*link.a, 3);
  link.a->submit();
  link.settle();
  expect_received(link.sink_b, outbox);
  ASSERT_EQ(link.sink_b.messages.size(), 2u);
  EXPECT_EQ(link.sink_b.messages[0].body, "before__");
  EXPECT_EQ(link.sink_b.messages[1].body, "draining");
}

TEST(Cut, AStoppedPeerCostsOneFrame) {
  constexpr std::size_t kFrame = 200'000;
  Link link(1, 1000);
  link.admit();
  Outbox outbox(10, kFrame);
  outbox.add(*link.a, 10);
  link.a->submit();
  link.step();
  link.reactor.stall(link.socket_a, true);
  link.a->cut_send();
  link.run_until([&] { return link.sink_a.sends_ready > 0; });
  EXPECT_TRUE(link.a->draining());
  EXPECT_LE(link.a->memory_bytes(), (64u << 10) + sizeof(Connection) + kFrame + 1000);
  link.reactor.stall(link.socket_a, false);
  link.settle();
  EXPECT_LE(link.a->memory_bytes(), (64u << 10) + sizeof(Connection) + 1000) << "kept the copy";
}

/// Random sends, random cuts: the receiver notices nothing.
class AnyCuts : public testing::TestWithParam<unsigned> {};

TEST_P(AnyCuts, LeaveOneStream) {
  const unsigned seed = GetParam();
  std::mt19937 random(seed);
  Link link(seed, 400 + 100 * (seed % 7));
  link.admit();
  link.reactor.set_step(1 + 50 * (seed % 11));
  link.reactor.set_short_sends(seed % 3 == 0);
  Outbox outbox(40, 8 + 40 * (seed % 50));
  std::size_t said = 0;
  link.sink_a.on_event = [&](const char* event) {
    if (event != std::string("send_ready") || outbox.added == 0) return;
    outbox.next += link.a->frames_consumed();
    outbox.added = 0;
  };
  while (outbox.next < outbox.frames.size() || link.a->sending()) {
    if (!link.a->sending()) {
      if (random() % 3 == 0) say(*link.a, said++);
      outbox.add(*link.a, 1 + random() % 8);
      link.a->submit();
    }
    if (random() % 20 == 0 && link.a->control_bytes() == 0) say(*link.a, said++);
    if (random() % 15 == 0) link.a->cut_send();
    link.step();
    ASSERT_TRUE(link.a->open()) << link.sink_a.why;
  }
  link.a->submit();
  link.settle();
  expect_received(link.sink_b, outbox);
  ASSERT_EQ(link.sink_b.messages.size(), said);
  for (std::size_t i = 0; i < said; ++i) {
    ASSERT_EQ(link.sink_b.messages[i].body, std::to_string(10'000'000 + i));
  }
}

INSTANTIATE_TEST_SUITE_P(Cut, AnyCuts, testing::Range(0u, 100u));

}  // namespace
}  // namespace quorate::transport
