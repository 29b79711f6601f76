#include "reactor/uring_reactor.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "reactor/socket_setup.h"

#if defined(__SANITIZE_THREAD__)
#define QUORATE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUORATE_TSAN 1
#endif
#endif
#ifdef QUORATE_TSAN
// The sanitizer does not see that the kernel orders a submission before its completion.
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace quorate::reactor {

namespace {

constexpr unsigned kSubmissions = 512;
constexpr unsigned kCompletions = 4096;
constexpr unsigned kSubmissionsMin = 32;
constexpr unsigned kFeaturesNeeded = IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL |
                                     IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE;

// Values of user_data that are no operation's address.
constexpr std::uint64_t kIgnored = 1;
constexpr std::uint64_t kWake = 2;

// Newest first; an older kernel refuses a flag it does not know with EINVAL.
constexpr unsigned kFlagSets[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    0,
};

}  // namespace

std::unique_ptr<UringReactor> UringReactor::create(int& error) {
  std::unique_ptr<UringReactor> reactor(new UringReactor);
  if (!reactor->set_up(error)) return nullptr;
  return reactor;
}

bool UringReactor::set_up(int& error) {
  int result = -EINVAL;
  for (const unsigned flags : kFlagSets) {
    for (unsigned entries = kSubmissions; entries >= kSubmissionsMin; entries /= 2) {
      io_uring_params params{};
      params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
      params.cq_entries = std::max(entries * 8, kCompletions * entries / kSubmissions);
      result = io_uring_queue_init_params(entries, &ring_, &params);
      if (result == 0 && (params.features & kFeaturesNeeded) != kFeaturesNeeded) {
        io_uring_queue_exit(&ring_);
        result = -ENOSYS;
      }
      if (result != -ENOMEM) break;
    }
    if (result == 0) enabled_ = (flags & IORING_SETUP_R_DISABLED) == 0;
    if (result != -EINVAL) break;
  }
  if (result != 0) {
    error = -result;
    return false;
  }
  ring_made_ = true;
  io_uring_ring_dontfork(&ring_);
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  if (wake_fd_ < 0) {
    error = errno;
    return false;
  }
  return true;
}

UringReactor::~UringReactor() {
  if (ring_made_) io_uring_queue_exit(&ring_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (event_fd_ >= 0) ::close(event_fd_);
}

Instant UringReactor::now() const noexcept {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond_ns + time.tv_nsec;
}

Result<Socket> UringReactor::listen(const Address& address, int backlog) {
  return open_listener(address, backlog, options_, false);
}

Result<Address> UringReactor::local_address(Socket socket) const { return bound_address(socket); }

io_uring_sqe* UringReactor::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    enable();
    ++system_calls_;
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
    CHECK(sqe != nullptr);
  }
  return sqe;
}

void UringReactor::begin(Operation& operation, Operation::Kind kind, Socket socket) {
  CHECK(operation.state == Operation::State::idle);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.socket = socket;
#ifdef QUORATE_TSAN
  __tsan_release(&operation);
#endif
}

void UringReactor::accept(Operation& operation, Socket listener) {
  begin(operation, Operation::Kind::accept, listener);
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_accept(sqe, listener.id, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, &operation);
}

void UringReactor::connect(Operation& operation, const Address& address) {
  operation.address = address;
  const int fd = open_stream_socket(address, options_, false);
  begin(operation, Operation::Kind::connect, Socket{fd});
  if (fd < 0) return completed_.push(operation, fd);
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_connect(sqe, fd, reinterpret_cast<sockaddr*>(&operation.address.storage),
                        operation.address.length);
  io_uring_sqe_set_data(sqe, &operation);
}

void UringReactor::receive(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::receive, socket);
  io_uring_sqe* sqe = next_sqe();
  if (buffers.size() == 1) {
    io_uring_prep_recv(sqe, socket.id, buffers[0].iov_base, buffers[0].iov_len, 0);
  } else {
    operation.message = {};
    operation.message.msg_iov = const_cast<iovec*>(buffers.data());
    operation.message.msg_iovlen = buffers.size();
    io_uring_prep_recvmsg(sqe, socket.id, &operation.message, 0);
  }
  io_uring_sqe_set_data(sqe, &operation);
}

void UringReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::send, socket);
  io_uring_sqe* sqe = next_sqe();
  constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL;
  if (buffers.size() == 1) {
    io_uring_prep_send(sqe, socket.id, buffers[0].iov_base, buffers[0].iov_len, kFlags);
  } else {
    operation.message = {};
    operation.message.msg_iov = const_cast<iovec*>(buffers.data());
    operation.message.msg_iovlen = buffers.size();
    io_uring_prep_sendmsg(sqe, socket.id, &operation.message, kFlags);
  }
  io_uring_sqe_set_data(sqe, &operation);
}

void UringReactor::cancel(Operation& operation) {
  if (operation.state != Operation::State::started) return;
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_cancel(sqe, &operation, 0);
  io_uring_sqe_set_data64(sqe, kIgnored);
}

void UringReactor::shutdown(Socket socket) noexcept { ::shutdown(socket.id, SHUT_RDWR); }

void UringReactor::close(Socket socket) noexcept { ::close(socket.id); }

void UringReactor::arm_wake() {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_read(sqe, wake_fd_, &wake_value_, sizeof wake_value_, 0);
  io_uring_sqe_set_data64(sqe, kWake);
  wake_armed_ = true;
}

void UringReactor::enable() {
  if (enabled_) return;
  const int result = io_uring_enable_rings(&ring_);
  CHECK(result == 0);
  enabled_ = true;
}

void UringReactor::wait(Instant deadline) {
  enable();
  if (!wake_armed_) arm_wake();
  ++system_calls_;
  if (const Instant left = deadline == kNever ? kNever : deadline - now(); left > 0 && !ready()) {
    __kernel_timespec timeout{left / kSecond_ns, left % kSecond_ns};
    io_uring_cqe* cqe = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, left == kNever ? nullptr : &timeout,
                                     nullptr);
  } else {
    io_uring_submit_and_get_events(&ring_);
  }
  collect();
}

void UringReactor::collect() {
  unsigned head;
  unsigned count = 0;
  io_uring_cqe* cqe;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    on_completion(*cqe);
    ++count;
  }
  io_uring_cq_advance(&ring_, count);
}

void UringReactor::on_completion(const io_uring_cqe& cqe) {
  if (cqe.user_data == kIgnored) return;
  if (cqe.user_data == kWake) {
    wake_armed_ = false;
    wake_pending_.store(false, std::memory_order_seq_cst);
    return;
  }
  finish(*reinterpret_cast<Operation*>(cqe.user_data), cqe.res);
}

void UringReactor::finish(Operation& operation, std::int32_t result) {
#ifdef QUORATE_TSAN
  __tsan_acquire(&operation);
#endif
  if (operation.kind == Operation::Kind::connect) {
    if (result < 0) {
      ::close(operation.socket.id);
    } else {
      result = operation.socket.id;
    }
  } else if (operation.kind == Operation::Kind::accept && result >= 0) {
    set_stream_options(result, options_);
  }
  completed_.push(operation, result);
}

void UringReactor::wake() noexcept {
  if (wake_pending_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  // An eventfd of this value range never blocks and never fails.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

int UringReactor::event_fd() noexcept {
  if (event_fd_ < 0) {
    enable();
    event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(event_fd_ >= 0 && io_uring_register_eventfd(&ring_, event_fd_) == 0);
  }
  return event_fd_;
}

}  // namespace quorate::reactor
