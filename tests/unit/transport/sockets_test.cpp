// Connections over the kernel's sockets, with each backend.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "link.h"

namespace quorate::transport {
namespace {

/// Only a connection that hangs takes this long.
constexpr Instant kStuck_ns = 60 * kSecond_ns;

class Sockets : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    std::string why;
    auto made = reactor::make_reactor(GetParam(), why);
    if (!made) GTEST_SKIP() << made.error().text;
    reactor_ = std::move(made).value();
    reactor_->set_socket_options({"cubic", 128u << 10});
    listener_ = reactor_->listen(reactor::parse_address("127.0.0.1:0").value(), 4).value();
  }
  void TearDown() override {
    if (reactor_) reactor_->close(listener_);
  }

  void run_until(const std::function<bool()>& condition) {
    const Instant stuck_at = reactor_->now() + kStuck_ns;
    while (!condition()) {
      ASSERT_LT(reactor_->now(), stuck_at);
      reactor_->wait(stuck_at);
      reactor_->reap();
    }
  }

  struct Waiting {
    reactor::Operation operation;
    reactor::Socket socket;
    Waiting() {
      operation.owner = this;
      operation.complete = [](reactor::Operation& done, std::int32_t result) {
        static_cast<Waiting*>(done.owner)->socket = reactor::Socket{result};
      };
    }
  };
  std::pair<reactor::Socket, reactor::Socket> connect_pair() {
    Waiting accepted;
    Waiting connected;
    reactor_->accept(accepted.operation, listener_);
    reactor_->connect(connected.operation, reactor_->local_address(listener_).value());
    run_until([&] { return accepted.socket.valid() && connected.socket.valid(); });
    return {connected.socket, accepted.socket};
  }

  std::unique_ptr<reactor::Reactor> reactor_;
  reactor::Socket listener_;
};

TEST_P(Sockets, FramesStreamAndCutsLeaveThemWhole) {
  const auto [socket_a, socket_b] = connect_pair();
  RecordingSink sink_a;
  RecordingSink sink_b;
  Connection a(*reactor_, socket_a, sink_a, Connection::Options{});
  Connection b(*reactor_, socket_b, sink_b, Connection::Options{});
  a.admit(64u << 10, 1u << 20);
  b.admit(64u << 10, 1u << 20);
  a.start();
  b.start();
  std::vector<Frame> frames;
  Position position = 0;
  for (int i = 0; i < 60; ++i) {
    frames.push_back(frame_of_size(position, i % 3 == 0 ? 100 : 250'000));
    position = frames.back().header.end;
  }
  std::size_t next = 0;
  std::size_t added = 0;
  int sends = 0;
  int cuts = 0;
  while (next < frames.size()) {
    for (added = 0; added < 10 && next + added < frames.size(); ++added) {
      const Frame& frame = frames[next + added];
      a.add_frame(frame.prologue, frame.records, 0, 0);
    }
    a.submit();
    if (++sends % 2 == 0) {
      reactor_->wait(0);
      a.cut_send();
    }
    run_until([&] { return !a.sending(); });
    cuts += a.was_cut() ? 1 : 0;
    next += a.frames_consumed();
  }
  run_until([&] { return sink_b.frames.size() == frames.size() || sink_b.closed > 0; });
  EXPECT_GT(cuts, 0);
  ASSERT_EQ(sink_b.frames.size(), frames.size()) << sink_b.why;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    ASSERT_TRUE(sink_b.frames[i].records == frames[i].records) << "frame " << i;
  }
  a.refuse(core::GoodbyeReason::closing, "done");
  run_until([&] { return sink_b.got_goodbye(); });
  b.shut_down("done");
  run_until([&] { return sink_a.closed > 0 && sink_b.closed > 0; });
}

/// A peer that writes a lot and reads only afterwards still reads why it was refused.
TEST_P(Sockets, AGoodbyeSurvivesUnreadInput) {
  const auto [peer, socket] = connect_pair();
  RecordingSink sink;
  Connection connection(*reactor_, socket, sink, Connection::Options{});
  std::string heard;
  std::thread thread([&, fd = peer.id] {
    const std::string garbage(600'000, 'g');
    std::size_t sent = 0;
    char bytes[256];
    for (;;) {
      // The epoll backend's sockets do not block.
      pollfd entry{fd, static_cast<short>(sent < garbage.size() ? POLLOUT : POLLIN), 0};
      ::poll(&entry, 1, -1);
      if (sent < garbage.size()) {
        const ssize_t count = ::send(fd, garbage.data() + sent, garbage.size() - sent,
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
        sent = count >= 0 ? sent + static_cast<std::size_t>(count)
                          : errno == EAGAIN ? sent : garbage.size();
        continue;
      }
      const ssize_t count = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) continue;
      if (count <= 0) break;
      heard.append(bytes, static_cast<std::size_t>(count));
    }
    ::shutdown(fd, SHUT_RDWR);
  });
  connection.start();
  run_until([&] { return sink.closed > 0; });
  thread.join();
  reactor_->close(peer);
  EXPECT_NE(sink.why.find("magic"), std::string::npos) << sink.why;
  EXPECT_NE(heard.find("magic"), std::string::npos) << "heard " << heard.size() << " bytes";
}

INSTANTIATE_TEST_SUITE_P(Connection, Sockets,
                         testing::Values(Backend::io_uring, Backend::epoll),
                         [](const auto& test) {
                           return test.param == Backend::io_uring ? "io_uring" : "epoll";
                         });

}  // namespace
}  // namespace quorate::transport
