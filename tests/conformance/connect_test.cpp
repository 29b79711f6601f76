// Listening, accepting, connecting, and the options that sockets get.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <deque>

#include "loop.h"

namespace quorate::reactor {
namespace {

CONFORMANCE_SUITE(Connect);
KERNEL_CONFORMANCE_SUITE(SocketSetup);

int port_of(const Address& address) {
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
  return ntohs(v4->sin_port);
}

int option_of(Socket socket, int level, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(socket.id, level, option, &value, &length), 0);
  return value;
}

std::string congestion_control_of(Socket socket) {
  char name[16] = {};
  socklen_t length = sizeof name;
  EXPECT_EQ(getsockopt(socket.id, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
  return name;
}

TEST_P(Connect, PortZeroGivesAPort) {
  const Socket first = listen(loop());
  const Socket second = listen(loop());
  const int first_port = port_of(loop()->local_address(first).value());
  EXPECT_GT(first_port, 0);
  EXPECT_NE(first_port, port_of(loop()->local_address(second).value()));
  loop()->close(first);
  loop()->close(second);
}

TEST_P(Connect, ListeningOnATakenPortNamesTheAddress) {
  const Socket first = listen(loop());
  const Address address = loop()->local_address(first).value();
  const auto second = loop()->listen(address, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().system_errno, EADDRINUSE);
  EXPECT_NE(second.error().text.find(to_string(address)), std::string::npos);
  loop()->close(first);
}

TEST_P(Connect, NothingCompletesBeforeReap) {
  const Socket listener = listen(loop());
  Probe accepted;
  Probe connected;
  loop()->accept(accepted.operation, listener);
  loop()->connect(connected.operation, loop()->local_address(listener).value());
  while (!loop()->ready()) loop()->wait(kNever);
  EXPECT_EQ(accepted.completions() + connected.completions(), 0);
  EXPECT_TRUE(accepted.operation.in_flight());
  loop().run_until([&] { return accepted.done() && connected.done(); });
  loop().settle();
  EXPECT_EQ(accepted.completions(), 1);
  EXPECT_EQ(connected.completions(), 1);
  close({connected.socket(), accepted.socket()});
  loop()->close(listener);
}

TEST_P(Connect, AcceptsWhatConnectedBefore) {
  const Socket listener = listen(loop());
  const Address address = loop()->local_address(listener).value();
  std::deque<Probe> connected(3);
  for (Probe& probe : connected) loop()->connect(probe.operation, address);
  for (Probe& probe : connected) loop().run(probe);
  std::deque<Probe> accepted(3);
  for (Probe& probe : accepted) {
    loop()->accept(probe.operation, listener);
    loop().run(probe);
    EXPECT_GE(probe.result(), 0);
    loop()->close(probe.socket());
  }
  for (Probe& probe : connected) loop()->close(probe.socket());
  loop()->close(listener);
}

TEST_P(Connect, RefusedIsAnErrno) {
  const Socket listener = listen(loop());
  const Address address = loop()->local_address(listener).value();
  loop()->close(listener);
  Probe connected;
  loop()->connect(connected.operation, address);
  loop().run(connected);
  EXPECT_EQ(connected.result(), -ECONNREFUSED);
  // The same operation serves again.
  const Socket second = loop()->listen(address, 1).value();
  Probe accepted;
  loop()->accept(accepted.operation, second);
  Probe retried;
  loop()->connect(retried.operation, address);
  loop().run_until([&] { return accepted.done() && retried.done(); });
  close({retried.socket(), accepted.socket()});
  loop()->close(second);
}

TEST_P(Connect, AFamilyThatCannotBeHadIsAnErrno) {
  Address address;
  address.storage.ss_family = AF_IPX;
  address.length = sizeof(sockaddr_in);
  Probe connected;
  loop()->connect(connected.operation, address);
  EXPECT_EQ(connected.completions(), 0);
  loop().run(connected);
  EXPECT_LT(connected.result(), 0);
}

TEST_P(Connect, InternetProtocolSix) {
  if (!loop()->listen(address_of("[::1]:0"), 1)) GTEST_SKIP() << "this host has no [::1]";
  const Pair pair = connect_pair(loop(), "[::1]:0");
  EXPECT_EQ(to_string(loop()->local_address(pair.server).value()).substr(0, 6), "[::1]:");
  send_all(loop(), pair.client, "six");
  EXPECT_EQ(receive_all(loop(), pair.server, 3, 3), "six");
  close(pair);
}

/// What a socket gets that asks for it: some kernels grant cubic to root only, others get reno.
std::string granted_congestion_control(const std::string& wanted) {
  const Socket probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const bool granted = setsockopt(probe.id, IPPROTO_TCP, TCP_CONGESTION, wanted.data(),
                                  static_cast<socklen_t>(wanted.size())) == 0;
  ::close(probe.id);
  return granted ? wanted : "reno";
}

TEST_P(SocketSetup, OptionsAreSetOnBothEnds) {
  constexpr int kBuffer = 96 << 10;
  Loop tuned = make_loop({"cubic", kBuffer});
  const Pair pair = connect_pair(tuned);
  const std::string granted = granted_congestion_control("cubic");
  for (const Socket socket : {pair.client, pair.server}) {
    EXPECT_EQ(option_of(socket, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(congestion_control_of(socket), granted);
    // The kernel doubles what it is given.
    EXPECT_EQ(option_of(socket, SOL_SOCKET, SO_SNDBUF), 2 * kBuffer);
    EXPECT_EQ(option_of(socket, SOL_SOCKET, SO_RCVBUF), 2 * kBuffer);
    EXPECT_NE(fcntl(socket.id, F_GETFD) & FD_CLOEXEC, 0) << "inherited by child programs";
  }
  tuned->close(pair.client);
  tuned->close(pair.server);
}

TEST_P(SocketSetup, AnUnknownCongestionControlFallsBackToReno) {
  Loop tuned = make_loop({"no-such-thing", 0});
  const Pair pair = connect_pair(tuned);
  EXPECT_EQ(congestion_control_of(pair.client), "reno");
  EXPECT_EQ(congestion_control_of(pair.server), "reno");
  tuned->close(pair.client);
  tuned->close(pair.server);
}

TEST_P(Connect, ManySocketsAtOnce) {
  constexpr std::size_t kSockets = 200;
  const Socket listener = listen(loop(), "127.0.0.1:0", 256);
  const Address address = loop()->local_address(listener).value();
  std::vector<Socket> servers;
  Probe accepting;
  accepting.then = [&](std::int32_t result) {
    ASSERT_GE(result, 0);
    servers.push_back(Socket{result});
    if (servers.size() < kSockets) loop()->accept(accepting.operation, listener);
  };
  loop()->accept(accepting.operation, listener);
  std::deque<Probe> clients(kSockets);
  for (Probe& client : clients) loop()->connect(client.operation, address);
  loop().run_until([&] { return servers.size() == kSockets; });
  for (Probe& client : clients) loop().run(client);

  // Each server says who it is; all at once, each client hears one of them.
  std::deque<Probe> sends(kSockets);
  std::deque<Probe> receives(kSockets);
  std::vector<std::uint32_t> said(kSockets);
  std::vector<std::uint32_t> heard(kSockets, ~0u);
  for (std::size_t i = 0; i < kSockets; ++i) {
    said[i] = static_cast<std::uint32_t>(i);
    receives[i].receive(*loop(), clients[i].socket(), {{&heard[i], sizeof heard[i]}});
    sends[i].send(*loop(), servers[i], {{&said[i], sizeof said[i]}});
  }
  for (std::size_t i = 0; i < kSockets; ++i) {
    loop().run(sends[i]);
    loop().run(receives[i]);
    EXPECT_EQ(receives[i].result(), 4);
  }
  std::sort(heard.begin(), heard.end());
  EXPECT_EQ(heard, said);
  for (std::size_t i = 0; i < kSockets; ++i) close({clients[i].socket(), servers[i]});
  loop()->close(listener);
}

}  // namespace
}  // namespace quorate::reactor
