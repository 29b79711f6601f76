// Once warm, what flows while streaming allocates nothing.

#include "counting_new.h"
#include "link.h"

namespace quorate::transport {
namespace {

/// A sink that decodes as a driver does, into vectors it keeps.
struct Driver final : Connection::Sink {
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override {
    bool applied_awaited = false;
    good += envelope.type == wire::MessageType::acknowledgements
                ? decode_acknowledgements(body, acknowledgements)
                : decode_heartbeat(body, commits, applied_awaited);
  }
  std::byte* on_frame_header(const wire::Envelope&, const wire::FrameHeader&) override {
    return landing.data();
  }
  void on_frame(const wire::Envelope&, const wire::FrameHeader&) override { ++good; }
  void on_send_ready() override {}
  void on_closed(const std::string&) override {}

  int good = 0;
  std::vector<std::byte> landing = std::vector<std::byte>(100'000);
  std::vector<core::Acknowledgement> acknowledgements;
  std::vector<core::Commit> commits;
};

TEST(Allocation, StreamingAllocatesNothingOnceWarm) {
  FakeReactor reactor;
  const auto [socket_a, socket_b] = reactor.make_pair(200'000);
  Driver driver_a;
  Driver driver_b;
  Connection a(reactor, socket_a, driver_a, {});
  Connection b(reactor, socket_b, driver_b, {});
  a.admit(64u << 10, 1u << 20);
  b.admit(64u << 10, 1u << 20);
  a.start();
  b.start();
  Encoder encoder;
  const Frame frame = frame_of_size(0, 50'000);
  const std::vector<core::Acknowledgement> acknowledgements(100);
  const std::vector<core::Commit> commits(100);
  const auto round = [&] {
    a.queue_control(wire::MessageType::heartbeat, encoder.heartbeat(1, commits, true));
    for (int i = 0; i < 3; ++i) a.add_frame(frame.prologue, frame.records, 0, 0);
    a.submit();
    b.queue_control(wire::MessageType::acknowledgements,
                    encoder.acknowledgements(acknowledgements));
    b.submit();
    const int goal = driver_a.good + driver_b.good + 5;
    while (a.sending() || b.sending() || driver_a.good + driver_b.good < goal) {
      reactor.wait(0);
      reactor.reap();
    }
  };
  for (int i = 0; i < 10; ++i) round();
  const std::size_t before = allocations();
  ASSERT_GT(before, 0u) << "the counter does not count";
  const int good = driver_a.good + driver_b.good;
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(allocations() - before, 0u);
  EXPECT_EQ(driver_a.good + driver_b.good - good, 500);
  a.shut_down("done");
  b.shut_down("done");
  reactor.settle();
}

}  // namespace
}  // namespace quorate::transport
