#include "proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "tests/support/loopback.h"

namespace quorate::cluster {

namespace {

constexpr std::size_t kBuffer_bytes = 64u << 10;
constexpr int kStep_ms = 2;  ///< between two looks while stalled or slow

using test::loopback;

int stream_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

void set_up(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

/// -1 when nobody listens there.
int connect_to(std::uint16_t port) {
  const int fd = stream_socket();
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

void reset_on_close(int fd) {
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace

/// One way of a connection.
struct Proxy::Stream {
  std::vector<std::byte> buffer;  ///< read and not written yet
  std::uint64_t read = 0;
  bool ended = false;   ///< the source has ended its stream
  bool closed = false;  ///< and the sink was told
};

struct Proxy::Pair {
  std::array<int, 2> fds{-1, -1};  ///< fds[way] is the source of that way
  std::array<Stream, 2> ways;
  Fate fate;
  bool dead = false;
};

Proxy::Proxy(std::uint16_t upstream_port, Decide decide)
    : listener_(stream_socket()),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      upstream_port_(upstream_port),
      decide_(std::move(decide)) {
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, raw, length) != 0 || ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, raw, &length) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Proxy::~Proxy() {
  stopping_ = true;
  wake();
  thread_.join();
  for (auto& pair : pairs_) end(*pair);
  ::close(listener_);
  ::close(wake_fd_);
}

void Proxy::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Proxy::stall(bool on) {
  stalled_ = on;
  wake();
}

void Proxy::cut_all() {
  cut_all_ = true;
  wake();
}

void Proxy::run() {
  std::vector<pollfd> fds;
  while (!stopping_) {
    gather(fds);
    const bool slow = bytes_per_s_ != 0;
    if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(kStep_ms));
    ::poll(fds.data(), fds.size(), stalled_ || slow ? kStep_ms : -1);
    std::uint64_t value = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &value, sizeof value);
    if ((fds[1].revents & POLLIN) != 0) accept();
    const bool cuts = cut_all_.exchange(false);
    for (auto& pair : pairs_) {
      if (cuts) cut(*pair);
      if (!pair->dead) serve(*pair, stalled_);
      if (pair->dead) end(*pair);
    }
    std::erase_if(pairs_, [](const auto& pair) { return pair->dead; });
  }
}

void Proxy::gather(std::vector<pollfd>& fds) {
  fds = {{wake_fd_, POLLIN, 0}, {listener_, POLLIN, 0}};
  if (stalled_) return;
  for (const auto& pair : pairs_) {
    for (const Way way : {there, back}) {
      const Stream& own = pair->ways[way];
      const Stream& opposite = pair->ways[1 - way];
      short events = 0;
      if (!own.ended && own.buffer.size() < kBuffer_bytes) events |= POLLIN;
      if (!opposite.buffer.empty()) events |= POLLOUT;
      // Without an event to wait for, an error would be told again and again.
      if (events != 0) fds.push_back({pair->fds[way], events, 0});
    }
  }
}

void Proxy::accept() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = connect_to(upstream_port_);
  if (server < 0) {
    ::close(client);
    return;
  }
  set_up(client);
  set_up(server);
  auto pair = std::make_unique<Pair>();
  pair->fds = {client, server};
  if (decide_) pair->fate = decide_(connections_);
  ++connections_;
  pairs_.push_back(std::move(pair));
}

void Proxy::serve(Pair& pair, bool stalled) {
  if (stalled) return;
  for (const Way way : {there, back}) {
    if (!pair.dead) read(pair, way);
    if (!pair.dead) write(pair, way);
  }
}

void Proxy::read(Pair& pair, Way way) {
  Stream& stream = pair.ways[way];
  const std::uint64_t cut_at = pair.fate.cut_at[way];
  if (stream.ended || stream.buffer.size() >= kBuffer_bytes) return;
  std::uint64_t room = std::min(kBuffer_bytes - stream.buffer.size(), cut_at - stream.read);
  if (const std::uint64_t rate = bytes_per_s_; rate != 0) {
    room = std::min(room, rate * kStep_ms / 1000 + 1);
  }
  const std::size_t before = stream.buffer.size();
  stream.buffer.resize(before + room);
  const ssize_t got = ::recv(pair.fds[way], stream.buffer.data() + before, room, MSG_DONTWAIT);
  stream.buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return void(pair.dead = true);
  if (got == 0) return void(stream.ended = room != 0);
  const std::uint64_t flip_at = pair.fate.flip_at[way];
  if (flip_at >= stream.read && flip_at < stream.read + static_cast<std::uint64_t>(got)) {
    stream.buffer[before + flip_at - stream.read] ^= std::byte{1} << (flip_at % 8);
    ++flips_[way];
  }
  stream.read += static_cast<std::uint64_t>(got);
}

void Proxy::write(Pair& pair, Way way) {
  Stream& stream = pair.ways[way];
  const int sink = pair.fds[1 - way];
  if (!stream.buffer.empty()) {
    const ssize_t sent =
        ::send(sink, stream.buffer.data(), stream.buffer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return void(pair.dead = true);
    if (sent > 0) stream.buffer.erase(stream.buffer.begin(), stream.buffer.begin() + sent);
  }
  if (!stream.buffer.empty()) return;
  if (stream.read == pair.fate.cut_at[way]) {
    ++cuts_;
    return cut(pair);
  }
  if (stream.ended && !std::exchange(stream.closed, true)) ::shutdown(sink, SHUT_WR);
  if (pair.ways[there].closed && pair.ways[back].closed) pair.dead = true;
}

void Proxy::cut(Pair& pair) {
  if (pair.fate.reset) {
    for (const int fd : pair.fds) reset_on_close(fd);
  }
  pair.dead = true;
}

void Proxy::end(Pair& pair) {
  for (int& fd : pair.fds) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }
}

}  // namespace quorate::cluster
