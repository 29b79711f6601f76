// A connection that another loop takes over after its first message.

#include "link.h"

namespace quorate::transport {
namespace {

TEST(Handover, TheOtherLoopReadsTheSameStreamFromItsBeginning) {
  HalfLink first;
  first.reactor.set_step(1u << 20, true);
  Connection::Released released;
  first.sink.on_event = [&](const char*) { released = first.connection->release(); };
  wire::Envelope envelope;
  envelope.type = wire::MessageType::hello;
  std::string sent = unit(envelope, {});
  envelope.sequence = 1;
  sent += unit(envelope, {});
  // Half of a third message has been read as well.
  envelope.sequence = 2;
  const std::string third = unit(envelope, {});
  first.reactor.inject(first.socket, sent + third.substr(0, 30));
  first.connection->start();
  first.settle();
  ASSERT_EQ(first.sink.messages.size(), 1u);
  EXPECT_EQ(released.socket, first.socket);
  EXPECT_EQ(as_text(released.read_ahead), sent + third.substr(0, 30));
  EXPECT_FALSE(first.connection->open());
  EXPECT_EQ(first.sink.closed, 0);

  RecordingSink sink;
  Connection second(first.reactor, released.socket, sink, Connection::Options{});
  second.preload(released.read_ahead);
  second.start();
  EXPECT_EQ(sink.messages.size(), 2u) << "what was read ahead needs no further bytes";
  first.reactor.inject(first.socket, third.substr(30));
  first.settle();
  ASSERT_EQ(sink.messages.size(), 3u);
  EXPECT_EQ(sink.messages[0].envelope.type, wire::MessageType::hello);
  // The first owner goes away without touching the socket.
  first.connection->shut_down("released");
  EXPECT_EQ(first.sink.closed, 0);
  second.queue_control(wire::MessageType::welcome, {});
  second.submit();
  first.settle();
  EXPECT_FALSE(first.reactor.take_inbox(first.peer).empty());
  second.shut_down("done");
  first.settle();
  EXPECT_EQ(sink.closed, 1);
}

TEST(Handover, AHelloThatIsRefusedByTheOtherLoopCloses) {
  for (const bool politely : {true, false}) {
    HalfLink half;
    half.sink.on_event = [&](const char* event) {
      if (event != std::string("message")) return;
      if (politely) {
        half.connection->refuse(core::GoodbyeReason::busy, "full");
      } else {
        half.connection->shut_down("full");
      }
    };
    const std::string hello = unit({}, {});
    half.connection->preload(as_bytes(hello));
    half.connection->start();
    half.reactor.shutdown_send(half.peer);
    half.settle();
    EXPECT_EQ(half.sink.closed, 1);
    EXPECT_EQ(half.sink.why, "full");
  }
}

}  // namespace
}  // namespace quorate::transport
