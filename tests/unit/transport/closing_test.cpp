// Every way a connection ends: once, with a reason, and with the goodbye delivered where there is
// somebody to read it.

#include "link.h"

namespace quorate::transport {
namespace {

using core::GoodbyeReason;

TEST(Closing, AGoodbyeReachesThePeerAndBothClose) {
  Link link;
  link.sink_b.on_event = [&](const char* event) {
    if (event == std::string("message")) link.b->shut_down("the peer said goodbye");
  };
  link.a->refuse(GoodbyeReason::wrong_cluster, "cluster differs");
  EXPECT_FALSE(link.a->open());
  EXPECT_EQ(link.sink_a.closed, 0);
  link.settle();
  ASSERT_TRUE(link.sink_b.got_goodbye());
  EXPECT_EQ(link.sink_b.goodbye().reason, GoodbyeReason::wrong_cluster);
  EXPECT_EQ(link.sink_b.goodbye().text, "cluster differs");
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_a.why, "cluster differs");
  EXPECT_EQ(link.sink_b.closed, 1);
  EXPECT_EQ(link.sink_b.why, "the peer said goodbye");
  EXPECT_TRUE(link.reactor.closed(link.socket_a));
}

TEST(Closing, AGoodbyeGoesBehindWhatIsInFlight) {
  Link link(1, 1000);
  link.admit();
  const Frame frame = frame_of_size(0, 50'000);
  link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->submit();
  link.step();
  link.a->refuse(GoodbyeReason::closing, "bye");
  link.settle();
  ASSERT_EQ(link.sink_b.frames.size(), 1u);
  ASSERT_TRUE(link.sink_b.got_goodbye());
  EXPECT_EQ(link.sink_a.sends_ready, 0) << "told to send while closing";
}

TEST(Closing, FramesNotSubmittedAreNotSentAfterAGoodbye) {
  Link link;
  link.admit();
  const Frame frame = frame_of_size(0, 500);
  link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->refuse(GoodbyeReason::closing, "bye");
  EXPECT_FALSE(link.a->add_frame(frame.prologue, frame.records, 0, 0));
  link.settle();
  EXPECT_TRUE(link.sink_b.frames.empty());
  EXPECT_TRUE(link.sink_b.got_goodbye());
}

TEST(Closing, ACutSendEndsInAGoodbyeToo) {
  Link link(1, 1000);
  link.admit();
  const Frame frames[] = {frame_of_size(0, 5000), frame_of_size(5056, 5000)};
  for (const Frame& frame : frames) link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->submit();
  link.step();
  link.a->cut_send();
  link.a->refuse(GoodbyeReason::timeout, "bye");
  link.settle();
  EXPECT_EQ(link.sink_b.frames.size(), 1u);
  ASSERT_TRUE(link.sink_b.got_goodbye());
}

TEST(Closing, WhatThePeerStillSendsIsDroppedUntilItCloses) {
  HalfLink half;
  half.connection->start();
  half.connection->refuse(GoodbyeReason::busy, "full");
  for (int i = 0; i < 10; ++i) {
    half.reactor.inject(half.socket, std::string(10'000, 'g'));
    half.settle();
  }
  EXPECT_EQ(half.sink.closed, 0) << "closed with unread bytes, which resets the connection";
  EXPECT_TRUE(half.reactor.ended(half.peer)) << "the peer is not told that this was all";
  half.reactor.shutdown_send(half.peer);
  half.settle();
  EXPECT_EQ(half.sink.closed, 1);
  EXPECT_EQ(half.goodbye().reason, GoodbyeReason::busy);
  EXPECT_TRUE(half.sink.messages.empty());
}

TEST(Closing, APeerThatGoesOnSendingIsCutOff) {
  HalfLink half;
  half.connection->start();
  half.connection->refuse(GoodbyeReason::bad_frame, "garbage");
  for (int i = 0; i < 200 && half.sink.closed == 0; ++i) {
    half.reactor.inject(half.socket, std::string(10'000, 'g'));
    half.settle();
  }
  EXPECT_EQ(half.sink.closed, 1);
  EXPECT_EQ(half.sink.why, "garbage");
  EXPECT_LE(half.connection->memory_bytes(), 64u << 10);
}

TEST(Closing, APeerThatHasEndedItsStreamGetsTheGoodbye) {
  HalfLink half;
  half.reactor.stall(half.socket, true);
  half.reactor.inject(half.socket, std::string(64, 'g'));
  half.reactor.shutdown_send(half.peer);
  half.connection->start();
  half.settle();
  EXPECT_EQ(half.sink.closed, 0) << "the goodbye is not out";
  half.reactor.stall(half.socket, false);
  half.settle();
  EXPECT_EQ(half.sink.closed, 1);
  EXPECT_EQ(half.goodbye().reason, GoodbyeReason::bad_frame);
}

TEST(Closing, APeerThatReadsNothingIsLeftByTheOwner) {
  Link link;
  link.admit();
  link.reactor.stall(link.socket_a, true);
  link.a->refuse(GoodbyeReason::timeout, "no answer");
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 0);
  link.a->shut_down("the peer does not read");
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_a.why, "no answer") << "the first reason counts";
}

TEST(Closing, BothSidesAtOnce) {
  Link link;
  link.a->refuse(GoodbyeReason::closing, "a leaves");
  link.b->refuse(GoodbyeReason::closing, "b leaves");
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_b.closed, 1);
}

TEST(Closing, TheEndOfThePeersStreamIsAReason) {
  Link link;
  link.a->shut_down("enough");
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_b.closed, 1);
  EXPECT_EQ(link.sink_b.why, "the peer closed the connection");
}

TEST(Closing, AResetIsAReason) {
  Link link;
  link.reactor.reset(link.socket_b);
  link.settle();
  EXPECT_EQ(link.sink_b.closed, 1);
  EXPECT_EQ(link.sink_b.why, "Connection reset by peer");
}

TEST(Closing, AFailedSendIsAReason) {
  Link link(1, 1000);
  link.admit();
  const Frame frame = frame_of_size(0, 50'000);
  link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->submit();
  link.reactor.reset(link.socket_a);
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_a.why, "Connection reset by peer");
  EXPECT_EQ(link.sink_a.sends_ready, 0);
}

TEST(Closing, AFailedGoodbyeClosesToo) {
  Link link;
  link.reactor.stall(link.socket_a, true);
  link.a->refuse(GoodbyeReason::internal, "first");
  link.reactor.reset(link.socket_a);
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_a.why, "first");
}

TEST(Closing, TwiceIsOnce) {
  Link link;
  link.a->shut_down("first");
  link.a->shut_down("second");
  link.a->refuse(GoodbyeReason::internal, "third");
  link.settle();
  link.a->shut_down("fourth");
  link.settle();
  EXPECT_EQ(link.sink_a.closed, 1);
  EXPECT_EQ(link.sink_a.why, "first");
  EXPECT_FALSE(link.a->submit());
}

TEST(Closing, BeforeItStarted) {
  HalfLink half;
  half.connection->shut_down("not wanted");
  EXPECT_EQ(half.sink.closed, 1);
  HalfLink refused;
  refused.connection->refuse(GoodbyeReason::busy, "too many");
  refused.settle();
  EXPECT_EQ(refused.goodbye().reason, GoodbyeReason::busy);
  refused.reactor.shutdown_send(refused.peer);
  refused.settle();
  EXPECT_EQ(refused.sink.closed, 1);
}

/// What a sink does inside a callback, and inside which one.
struct Deed {
  const char* event;
  bool politely;
};
class InsideACallback : public testing::TestWithParam<Deed> {};

TEST_P(InsideACallback, ClosingIsSafe) {
  const Deed deed = GetParam();
  Link link;
  link.admit();
  link.sink_b.no_landing = deed.event == std::string("header");
  bool acted = false;
  link.sink_b.on_event = [&](const char* event) {
    EXPECT_TRUE(!acted || event == std::string("closed")) << event << " after it was closed";
    if (event != std::string(deed.event)) return;
    acted = true;
    if (deed.politely) {
      link.b->refuse(GoodbyeReason::internal, "inside");
    } else {
      link.b->shut_down("inside");
    }
  };
  const Frame frame = frame_of_size(0, 500);
  link.b->queue_control(wire::MessageType::heartbeat, {});
  link.b->submit();
  link.a->queue_control(wire::MessageType::heartbeat, {});
  for (int i = 0; i < 3; ++i) link.a->add_frame(frame.prologue, frame.records, 0, 0);
  link.a->submit();
  link.settle();
  EXPECT_TRUE(acted);
  if (deed.politely) {
    ASSERT_TRUE(link.sink_a.got_goodbye());
    link.a->shut_down("goodbye");
    link.settle();
  }
  EXPECT_EQ(link.sink_b.closed, 1);
  EXPECT_EQ(link.sink_b.why, "inside");
}

INSTANTIATE_TEST_SUITE_P(Closing, InsideACallback,
                         testing::Values(Deed{"message", true}, Deed{"message", false},
                                         Deed{"header", true}, Deed{"header", false},
                                         Deed{"frame", true}, Deed{"frame", false},
                                         Deed{"send_ready", true}, Deed{"send_ready", false}),
                         [](const auto& test) {
                           return std::string(test.param.event) +
                                  (test.param.politely ? "_refuse" : "_shut_down");
                         });

}  // namespace
}  // namespace quorate::transport
