#include "reactor/epoll_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/check.h"
#include "reactor/clock.h"
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

int epoll_wait_fine(int epoll_fd, std::span<epoll_event> events, Instant left) noexcept {
  const timespec timeout{left / kSecond_ns, left % kSecond_ns};
  return epoll_pwait2(epoll_fd, events.data(), static_cast<int>(events.size()),
                      left == kNever ? nullptr : &timeout, nullptr);
}

/// Whole milliseconds, rounded up so that a deadline is not met by spinning.
int epoll_wait_coarse(int epoll_fd, std::span<epoll_event> events, Instant left) noexcept {
  constexpr Instant kLongest_ns = kMillisecond_ns * std::numeric_limits<int>::max();
  const Instant rounded = std::min(left, kLongest_ns - kMillisecond_ns) + kMillisecond_ns - 1;
  const int timeout = left == kNever ? -1 : static_cast<int>(rounded / kMillisecond_ns);
  return epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), timeout);
}

}  // namespace

std::unique_ptr<EpollReactor> EpollReactor::create(int& error) {
  std::unique_ptr<EpollReactor> reactor(new EpollReactor);
  if (!reactor->set_up(error)) return nullptr;
  return reactor;
}

bool EpollReactor::set_up(int& error) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  error = errno;
  if (epoll_fd_ < 0) return false;
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  error = errno;
  if (wake_fd_ < 0) return false;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_fd_;
  const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event);
  error = errno;
  // Kernels before 5.11 and older seccomp profiles refuse the call with a timespec.
  fine_timeouts_ = epoll_wait_fine(epoll_fd_, {&event, 1}, 0) >= 0;
  return result == 0;
}

EpollReactor::~EpollReactor() {
  DCHECK(in_flight_ == 0);
  disk_.join();  // a thread may not have returned from wake()
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Instant EpollReactor::now() const noexcept { return monotonic_now(); }

/// 0, or the errno that operations on this socket will answer.
int EpollReactor::watch(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (watches_.size() <= index) watches_.resize(index + 1);
  watches_[index] = Watch{};
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.fd = fd;
  ++system_calls_;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) watches_[index].error = errno;
  return watches_[index].error;
}

Result<Socket> EpollReactor::listen(const Address& address, int backlog) {
  auto listener = open_listener(address, backlog, options_, true);
  if (listener) watch(listener.value().id);
  return listener;
}

Result<Address> EpollReactor::local_address(Socket socket) const { return bound_address(socket); }

void EpollReactor::begin(Operation& operation, Operation::Kind kind, Socket socket,
                         std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle && buffers.size() <= Operation::kVectorsMax);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.socket = socket;
  operation.result = 0;
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  ++in_flight_;
  Watch& watch = watches_[static_cast<std::size_t>(socket.id)];
  if (watch.error != 0) return finish(operation, -watch.error);
  const bool in = kind == Operation::Kind::receive || kind == Operation::Kind::accept;
  Operation*& slot = in ? watch.in : watch.out;
  CHECK(slot == nullptr);
  slot = &operation;
  if (in ? watch.readable || watch.ended : watch.writable) started_.push_back(socket.id);
}

void EpollReactor::finish(Operation& operation, std::int32_t result) {
  --in_flight_;
  if (operation.kind == Operation::Kind::connect) {
    if (result < 0) {
      close(operation.socket);
    } else {
      result = operation.socket.id;
    }
  } else if (operation.kind == Operation::Kind::open) {
    files_.opened(operation, result);
  }
  completed_.push(operation, result);
}

void EpollReactor::accept(Operation& operation, Socket listener) {
  begin(operation, Operation::Kind::accept, listener, {});
}

void EpollReactor::connect(Operation& operation, const Address& address) {
  operation.address = address;
  int fd = open_stream_socket(address, options_, true);
  if (fd >= 0) {
    const auto* raw = reinterpret_cast<const sockaddr*>(&operation.address.storage);
    ++system_calls_;
    if (::connect(fd, raw, operation.address.length) != 0 && errno != EINPROGRESS) {
      const int error = errno;
      ::close(fd);
      fd = -error;
    }
  }
  if (fd < 0) {
    CHECK(operation.state == Operation::State::idle);
    operation.state = Operation::State::started;
    return completed_.push(operation, fd);
  }
  watch(fd);
  watches_[static_cast<std::size_t>(fd)].writable = false;
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
  if (is_file_operation(operation.kind)) return cancel_file(operation);
  Watch& watch = watches_[static_cast<std::size_t>(operation.socket.id)];
  (watch.in == &operation ? watch.in : watch.out) = nullptr;
  finish(operation, operation.result > 0 ? operation.result : -ECANCELED);
}

void EpollReactor::shutdown(Socket socket) noexcept { ::shutdown(socket.id, SHUT_RDWR); }

void EpollReactor::shutdown_send(Socket socket) noexcept { ::shutdown(socket.id, SHUT_WR); }

void EpollReactor::close(Socket socket) noexcept {
  release(socket);
  ::close(socket.id);
}

/// Taken out of the set by hand: closing alone leaves it there while a forked child has a copy.
void EpollReactor::release(Socket socket) noexcept {
  ++system_calls_;
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, socket.id, nullptr);
  watches_[static_cast<std::size_t>(socket.id)] = Watch{};
}

void EpollReactor::adopt(Socket socket) noexcept { watch(socket.id); }

void EpollReactor::start_file(Operation& operation) {
  ++in_flight_;
  ++system_calls_;
  const int error = disk_.start(operation);
  if (error != 0) finish(operation, -error);
}

void EpollReactor::cancel_file(Operation& operation) {
  if (disk_.cancel(operation)) finish(operation, -ECANCELED);
}

void EpollReactor::collect_files() {
  Operation* operation = disk_.take_finished();
  while (operation != nullptr) {
    Operation* next = operation->next;
    finish(*operation, operation->result);
    operation = next;
  }
}

void EpollReactor::attempt(int fd) {
  attempt_in(watches_[static_cast<std::size_t>(fd)]);
  attempt_out(watches_[static_cast<std::size_t>(fd)]);
}

void EpollReactor::attempt_in(Watch& watch) {
  Operation* operation = watch.in;
  if (operation == nullptr || !(watch.readable || watch.ended)) return;
  const bool accepts = operation->kind == Operation::Kind::accept;
  const int fd = operation->socket.id;
  ssize_t result;
  do {
    ++system_calls_;
    result = accepts ? accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)
                     : recvmsg(fd, &operation->message, 0);
  } while (result < 0 && errno == EINTR);
  if (result < 0 && errno == EAGAIN) {
    watch.readable = false;
    return;
  }
  watch.in = nullptr;
  if (result < 0) return finish(*operation, -errno);
  if (accepts) {
    set_stream_options(static_cast<int>(result), options_);
    // May move the watches: `watch` is not used behind this line.
    this->watch(static_cast<int>(result));
  } else if (static_cast<std::size_t>(result) < total_bytes(operation->message)) {
    watch.readable = false;  // drained: the next byte, or the end, makes an edge
  }
  finish(*operation, static_cast<std::int32_t>(result));
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
  finish(*operation, -error);
}

void EpollReactor::attempt_send(Watch& watch) {
  Operation& operation = *watch.out;
  const std::size_t total = total_bytes(operation.message);
  DCHECK(total <= Operation::kBytesMax);
  std::array<iovec, Operation::kVectorsMax> vectors;
  for (;;) {
    msghdr message = operation.message;
    if (operation.result > 0) {
      message.msg_iovlen = remaining_vectors(
          operation.message, static_cast<std::size_t>(operation.result), vectors);
      message.msg_iov = vectors.data();
    }
    ++system_calls_;
    const ssize_t sent = sendmsg(operation.socket.id, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      watch.writable = false;
      return;
    }
    const int error = sent < 0 ? errno : 0;
    if (sent > 0) operation.result += static_cast<std::int32_t>(sent);
    if (sent < 0 || static_cast<std::size_t>(operation.result) == total) {
      watch.out = nullptr;
      return finish(operation, operation.result > 0 ? operation.result : -error);
    }
  }
}

/// Read first, marked second: in the other order a wake() in between would leave the mark set and
/// the eventfd empty, and nobody could wake the loop again. An exchange, so that what a waker wrote
/// before wake() is seen even if it did not write here.
void EpollReactor::drain_wake() {
  std::uint64_t value;
  ++system_calls_;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &value, sizeof value);
  wake_pending_.exchange(false, std::memory_order_seq_cst);
}

void EpollReactor::on_event(int fd, std::uint32_t events) {
  if (fd == wake_fd_) return drain_wake();
  Watch& watch = watches_[static_cast<std::size_t>(fd)];
  constexpr std::uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((events & kEnded) != 0) watch.ended = watch.writable = true;
  if ((events & EPOLLIN) != 0) watch.readable = true;
  if ((events & EPOLLOUT) != 0) watch.writable = true;
  attempt(fd);
}

void EpollReactor::poll(Instant left) {
  std::array<epoll_event, kEventsMax> events;
  ++system_calls_;
  const int count = fine_timeouts_ ? epoll_wait_fine(epoll_fd_, events, left)
                                   : epoll_wait_coarse(epoll_fd_, events, left);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    on_event(event.data.fd, event.events);
  }
}

void EpollReactor::wait(Instant deadline) {
  for (const int fd : started_) attempt(fd);
  started_.clear();
  poll(ready() ? 0 : time_left(deadline));
  collect_files();
}

void EpollReactor::wake() noexcept {
  if (wake_pending_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

}  // namespace quorate::reactor
