#include "reactor/epoll_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "reactor/socket_setup.h"

namespace quorate::reactor {

namespace {

constexpr int kEventsMax = 256;

std::size_t total_bytes(const msghdr& message) noexcept {
  std::size_t total = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) total += message.msg_iov[i].iov_len;
  return total;
}

/// The part of a message behind its first `skip` bytes.
std::size_t remaining_vectors(const msghdr& message, std::size_t skip,
                              std::array<iovec, Operation::kVectorsMax>& out) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
    const iovec& vector = message.msg_iov[i];
    if (skip >= vector.iov_len) {
      skip -= vector.iov_len;
      continue;
    }
    out[count++] = {static_cast<std::byte*>(vector.iov_base) + skip, vector.iov_len - skip};
    skip = 0;
  }
  return count;
}

}  // namespace

std::unique_ptr<EpollReactor> EpollReactor::create(int& error) {
  std::unique_ptr<EpollReactor> reactor(new EpollReactor);
  reactor->epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  reactor->wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = reactor->wake_fd_;
  if (reactor->epoll_fd_ < 0 || reactor->wake_fd_ < 0 ||
      epoll_ctl(reactor->epoll_fd_, EPOLL_CTL_ADD, reactor->wake_fd_, &event) != 0) {
    error = errno;
    return nullptr;
  }
  return reactor;
}

EpollReactor::~EpollReactor() {
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Instant EpollReactor::now() const noexcept {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond_ns + time.tv_nsec;
}

void EpollReactor::watch(int fd) {
  if (watches_.size() <= static_cast<std::size_t>(fd)) watches_.resize(fd + 1);
  watches_[fd] = Watch{};
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.fd = fd;
  ++system_calls_;
  const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  CHECK(result == 0);
}

Result<Socket> EpollReactor::listen(const Address& address, int backlog) {
  auto listener = open_listener(address, backlog, options_, true);
  if (listener) watch(listener.value().id);
  return listener;
}

Result<Address> EpollReactor::local_address(Socket socket) const { return bound_address(socket); }

void EpollReactor::begin(Operation& operation, Operation::Kind kind, Socket socket,
                         std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.socket = socket;
  operation.result = 0;
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  Watch& watch = watches_[socket.id];
  const bool in = kind == Operation::Kind::receive || kind == Operation::Kind::accept;
  Operation*& slot = in ? watch.in : watch.out;
  CHECK(slot == nullptr);
  slot = &operation;
  if (in ? watch.readable || watch.ended : watch.writable) started_.push_back(socket.id);
}

void EpollReactor::accept(Operation& operation, Socket listener) {
  begin(operation, Operation::Kind::accept, listener, {});
}

void EpollReactor::connect(Operation& operation, const Address& address) {
  CHECK(operation.state == Operation::State::idle);
  operation.address = address;
  int fd = open_stream_socket(address, options_, true);
  if (fd >= 0) {
    const auto* raw = reinterpret_cast<const sockaddr*>(&operation.address.storage);
    if (::connect(fd, raw, operation.address.length) != 0 && errno != EINPROGRESS) {
      const int error = errno;
      ::close(fd);
      fd = -error;
    }
  }
  if (fd < 0) {
    operation.state = Operation::State::started;
    return completed_.push(operation, fd);
  }
  watch(fd);
  watches_[fd].writable = false;
  begin(operation, Operation::Kind::connect, Socket{fd}, {});
}

void EpollReactor::receive(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::receive, socket, buffers);
}

void EpollReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::send, socket, buffers);
}

void EpollReactor::cancel(Operation& operation) {
  if (operation.state != Operation::State::started) return;
  Watch& watch = watches_[operation.socket.id];
  (watch.in == &operation ? watch.in : watch.out) = nullptr;
  if (operation.kind == Operation::Kind::connect) close(operation.socket);
  completed_.push(operation, operation.result > 0 ? operation.result : -ECANCELED);
}

void EpollReactor::shutdown(Socket socket) noexcept {
  ::shutdown(socket.id, SHUT_RDWR);
  Watch& watch = watches_[socket.id];
  watch.ended = watch.writable = true;
  started_.push_back(socket.id);
}

void EpollReactor::close(Socket socket) noexcept {
  watches_[socket.id] = Watch{};
  ::close(socket.id);
}

void EpollReactor::release(Socket socket) noexcept {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, socket.id, nullptr);
  watches_[socket.id] = Watch{};
}

void EpollReactor::adopt(Socket socket) noexcept { watch(socket.id); }

void EpollReactor::attempt(int fd) {
  attempt_in(watches_[fd]);
  attempt_out(watches_[fd]);
}

void EpollReactor::attempt_in(Watch& watch) {
  Operation* operation = watch.in;
  if (operation == nullptr || !(watch.readable || watch.ended)) return;
  ++system_calls_;
  std::int32_t result;
  if (operation->kind == Operation::Kind::accept) {
    result = accept4(operation->socket.id, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } else {
    result = static_cast<std::int32_t>(recvmsg(operation->socket.id, &operation->message, 0));
  }
  if (result < 0 && errno == EINTR) return started_.push_back(operation->socket.id);
  if (result < 0 && errno == EAGAIN) {
    watch.readable = false;
    return;
  }
  if (result < 0) result = -errno;
  watch.in = nullptr;
  if (operation->kind == Operation::Kind::accept && result >= 0) {
    set_stream_options(result, options_);
    this->watch(result);  // may move the watches: `watch` is not used behind this line
  } else if (result >= 0 && static_cast<std::size_t>(result) < total_bytes(operation->message)) {
    watch.readable = false;  // drained: the next byte makes an edge
  }
  completed_.push(*operation, result);
}

void EpollReactor::attempt_out(Watch& watch) {
  Operation* operation = watch.out;
  if (operation == nullptr || !watch.writable) return;
  if (operation->kind == Operation::Kind::send) return attempt_send(watch);
  int error = 0;
  socklen_t length = sizeof error;
  ++system_calls_;
  getsockopt(operation->socket.id, SOL_SOCKET, SO_ERROR, &error, &length);
  watch.out = nullptr;
  if (error != 0) close(operation->socket);
  completed_.push(*operation, error != 0 ? -error : operation->socket.id);
}

void EpollReactor::attempt_send(Watch& watch) {
  Operation& operation = *watch.out;
  const std::size_t total = total_bytes(operation.message);
  std::array<iovec, Operation::kVectorsMax> vectors;
  for (;;) {
    msghdr message = operation.message;
    if (operation.result > 0) {
      message.msg_iovlen = remaining_vectors(operation.message, operation.result, vectors);
      message.msg_iov = vectors.data();
    }
    ++system_calls_;
    const ssize_t sent = sendmsg(operation.socket.id, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      watch.writable = false;
      return;
    }
    if (sent >= 0) operation.result += static_cast<std::int32_t>(sent);
    if (sent < 0 || static_cast<std::size_t>(operation.result) == total) {
      const std::int32_t result = sent < 0 && operation.result == 0 ? -errno : operation.result;
      watch.out = nullptr;
      return completed_.push(operation, result);
    }
  }
}

void EpollReactor::drain_wake() {
  std::uint64_t value;
  wake_pending_.store(false, std::memory_order_seq_cst);
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &value, sizeof value);
}

int EpollReactor::poll(Instant deadline) {
  std::array<epoll_event, kEventsMax> events;
  const Instant left = deadline == kNever ? kNever : std::max<Instant>(deadline - now(), 0);
  const timespec timeout{left / kSecond_ns, left % kSecond_ns};
  ++system_calls_;
  const int count = epoll_pwait2(epoll_fd_, events.data(), kEventsMax,
                                 left == kNever ? nullptr : &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_fd_) {
      drain_wake();
      continue;
    }
    Watch& watch = watches_[fd];
    constexpr std::uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if (events[i].events & kEnded) watch.ended = watch.writable = true;
    if (events[i].events & EPOLLIN) watch.readable = true;
    if (events[i].events & EPOLLOUT) watch.writable = true;
    attempt(fd);
  }
  return count;
}

void EpollReactor::wait(Instant deadline) {
  const std::size_t count = started_.size();
  for (std::size_t i = 0; i < count; ++i) attempt(started_[i]);
  started_.erase(started_.begin(), started_.begin() + static_cast<std::ptrdiff_t>(count));
  poll(ready() || !started_.empty() ? 0 : deadline);
}

void EpollReactor::wake() noexcept {
  if (wake_pending_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

}  // namespace quorate::reactor
