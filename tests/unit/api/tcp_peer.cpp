#include "tcp_peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace quorate::test {

namespace {

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

TcpPeer::TcpPeer(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const sockaddr_in to = local(static_cast<std::uint16_t>(port));
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
}

TcpPeer::~TcpPeer() {
  ::close(fd_);
}

void TcpPeer::send(const std::string& bytes) {
  EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

TcpSilence::TcpSilence() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const sockaddr_in any = local(0);
  EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  EXPECT_EQ(::listen(fd_, 8), 0);
}

TcpSilence::~TcpSilence() {
  ::close(fd_);
}

std::string TcpSilence::address() const {
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size), 0);
  return "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
}

}  // namespace quorate::test
