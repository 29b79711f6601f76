// The roofline's roles: what plain sockets carry with the engine's socket options, without encoding
// and checksum. The sender's data lies in memory; nobody produces it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bench/end_to_end/latency.h"
#include "bench/end_to_end/lead.h"
#include "bench/end_to_end/line.h"
#include "bench/end_to_end/round.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

constexpr std::size_t kWriteBytes = 256u << 10;
constexpr std::size_t kAcknowledgementBytes = 8;
constexpr std::size_t kMessageBytes = 64;

[[noreturn]] void fail_errno(const std::string& what) {
  fail(what + ": " + std::strerror(errno));
}

/// The engine's: no delay, cubic, both buffers as large as the ring.
int make_socket(std::uint64_t buffer_bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_errno("socket");
  const int on = 1;
  const int bytes = static_cast<int>(buffer_bytes);
  constexpr std::string_view kCubic = "cubic";
  constexpr std::string_view kReno = "reno";
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Some kernels grant cubic to root only; the engine takes reno then, and so does this.
  if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic.data(), kCubic.size()) != 0) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kReno.data(), kReno.size());
  }
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  return fd;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::span<std::byte> make_ring(std::uint64_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail_errno("mmap");
  std::memset(memory, 'q', bytes);
  return {static_cast<std::byte*>(memory), bytes};
}

struct Peer {
  int fd = -1;
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  std::array<std::byte, kAcknowledgementBytes> partial{};
  std::size_t partial_bytes = 0;

  /// Takes what has arrived; the last whole acknowledgement counts. False when nothing was there.
  bool take_acknowledgements();
};

bool Peer::take_acknowledgements() {
  std::array<std::byte, 4096> bytes;
  std::copy_n(partial.begin(), partial_bytes, bytes.begin());
  const ssize_t count =
      ::recv(fd, bytes.data() + partial_bytes, bytes.size() - partial_bytes, MSG_DONTWAIT);
  if (count == 0) fail("a receiver ended");
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) fail_errno("recv");
    return false;
  }
  const std::size_t held = partial_bytes + static_cast<std::size_t>(count);
  const std::size_t whole = held / kAcknowledgementBytes * kAcknowledgementBytes;
  if (whole > 0) std::memcpy(&acknowledged, &bytes[whole - kAcknowledgementBytes], 8);
  partial_bytes = held - whole;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(whole), partial_bytes, partial.begin());
  return true;
}

class Sender {
 public:
  explicit Sender(const RoundSpec& spec) : spec_(spec), ring_(make_ring(spec.ring_bytes)) {}

  void run();

 private:
  void listen_and_introduce();
  void accept_peers();
  void stream_until(double deadline_s);
  bool send_what_fits();
  void wait_for_acknowledgements();
  void ping_until(double deadline_s, Latencies& latencies);
  void await_all(std::uint64_t position);
  [[nodiscard]] std::uint64_t acknowledged_by_all() const;

  RoundSpec spec_;
  std::span<std::byte> ring_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<pid_t> pids_;
  std::vector<Peer> peers_;
};

void Sender::listen_and_introduce() {
  listener_ = make_socket(spec_.ring_bytes);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, any, length) != 0) fail_errno("bind");
  if (::listen(listener_, 16) != 0) fail_errno("listen");
  if (::getsockname(listener_, any, &length) != 0) fail_errno("getsockname");
  pids_ = introduce(std::to_string(ntohs(address.sin_port)));
}

void Sender::accept_peers() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) fail_errno("epoll_create1");
  for (std::uint32_t i = 0; i < spec_.peers; ++i) {
    Peer peer;
    peer.fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);  // options are inherited
    if (peer.fd < 0) fail_errno("accept");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = i;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event) != 0) fail_errno("epoll_ctl");
    peers_.push_back(peer);
  }
}

std::uint64_t Sender::acknowledged_by_all() const {
  std::uint64_t least = peers_.front().acknowledged;
  for (const Peer& peer : peers_) least = std::min(least, peer.acknowledged);
  return least;
}

/// One blocking write to each peer that is within a ring of the slowest. Blocking was the fastest
/// of the simple ways on two cores (against MSG_DONTWAIT with poll): the sleep is the kernel's.
bool Sender::send_what_fits() {
  const std::uint64_t limit = acknowledged_by_all() + ring_.size();
  bool sent = false;
  for (Peer& peer : peers_) {
    if (peer.sent + kWriteBytes > limit) continue;
    const std::size_t offset = peer.sent % ring_.size();
    const std::size_t length = std::min(kWriteBytes, ring_.size() - offset);
    const ssize_t count = ::send(peer.fd, ring_.data() + offset, length, MSG_NOSIGNAL);
    if (count < 0) fail_errno("send");
    peer.sent += static_cast<std::uint64_t>(count);
    sent = true;
  }
  return sent;
}

void Sender::wait_for_acknowledgements() {
  std::array<epoll_event, 16> events;
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), 10'000);
  if (count == 0) fail("no acknowledgement for 10 s");
  for (int i = 0; i < count; ++i) peers_[events[i].data.u32].take_acknowledgements();
}

void Sender::stream_until(double deadline_s) {
  for (unsigned turn = 0; (turn & 7) != 0 || now_s() < deadline_s; ++turn) {
    for (Peer& peer : peers_) peer.take_acknowledgements();
    if (!send_what_fits()) wait_for_acknowledgements();
  }
}

void Sender::await_all(std::uint64_t position) {
  while (acknowledged_by_all() < position) wait_for_acknowledgements();
}

void Sender::ping_until(double deadline_s, Latencies& latencies) {
  for (double begin_s = now_s(); begin_s < deadline_s;) {
    for (Peer& peer : peers_) {
      if (::send(peer.fd, ring_.data(), kMessageBytes, MSG_NOSIGNAL) != kMessageBytes) {
        fail_errno("send");
      }
      peer.sent += kMessageBytes;
    }
    await_all(peers_.front().sent);
    const double end_s = now_s();
    latencies.record(end_s - begin_s);
    begin_s = end_s;
  }
}

void Sender::run() {
  listen_and_introduce();
  accept_peers();
  say("streaming");
  hear("go");
  const bool stream = spec_.work == RoundSpec::Work::stream;
  Latencies latencies(spec_.seconds);
  RoundResult result;
  result.backend = "sockets";
  Window window(pids_);
  const auto work_for = [&](double seconds) {
    const double deadline_s = now_s() + seconds;
    stream ? stream_until(deadline_s) : ping_until(deadline_s, latencies);
  };
  work_for(kWarmUp_s);
  latencies.clear();
  begin_window(window, result);
  const std::uint64_t begin = acknowledged_by_all();
  work_for(spec_.seconds);
  result.bytes = static_cast<double>(acknowledged_by_all() - begin);
  end_window(window, result);
  result.p50_us = latencies.p50_us();
  say_result(result, peers_.front().sent);
}

}  // namespace

int run_sender(const RoundSpec& spec) {
  Sender(spec).run();
  return 0;  // the end of the process ends the streams, and they the receivers
}

int run_receiver(const RoundSpec& spec, const std::string& address) {
  const int fd = make_socket(spec.ring_bytes);
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str()));
  const sockaddr_in peer = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
    fail_errno("connect");
  }
  const std::span<std::byte> ring = make_ring(spec.ring_bytes);
  std::uint64_t received = 0;
  for (;;) {
    const std::size_t offset = received % ring.size();
    const ssize_t count = ::recv(fd, ring.data() + offset, ring.size() - offset, 0);
    if (count <= 0) break;
    received += static_cast<std::uint64_t>(count);
    if (::send(fd, &received, sizeof received, MSG_NOSIGNAL) < 0) break;
  }
  say("report bytes=" + std::to_string(received));
  return 0;
}

}  // namespace quorate::bench
