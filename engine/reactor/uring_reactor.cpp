#include "reactor/uring_reactor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "reactor/clock.h"
#include "reactor/socket_setup.h"
#include "reactor/uring_files.h"

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

namespace {
/// Stands for the kernel's part in handing the memory of a destroyed ring to the next one.
char ring_memory;
}  // namespace
#endif

namespace quorate::reactor {

namespace {

constexpr unsigned kSubmissions = 512;
constexpr unsigned kSubmissionsMin = 32;
constexpr unsigned kCompletionsPerSubmission = 8;
/// Linux 5.13: RSRC_TAGS came with the multishot poll that wake() needs.
constexpr unsigned kFeaturesNeeded = IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL |
                                     IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE |
                                     IORING_FEAT_RSRC_TAGS;
/// How often a full submission queue is offered to a kernel that takes nothing.
constexpr int kSubmitTriesMax = 10'000;

// Values of user_data that are no operation's address.
constexpr std::uint64_t kIgnored = 1;
constexpr std::uint64_t kWake = 2;

// Newest first; an older kernel refuses a flag it does not know with EINVAL.
constexpr unsigned kFlagSets[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    0,
};

/// 0, or -errno. Small rings are tried when locked memory is short.
int make_ring(io_uring& ring, unsigned flags) noexcept {
  int result = -ENOMEM;
  for (unsigned entries = kSubmissions; result == -ENOMEM && entries >= kSubmissionsMin;
       entries /= 2) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = entries * kCompletionsPerSubmission;
    result = io_uring_queue_init_params(entries, &ring, &params);
    if (result == 0 && (params.features & kFeaturesNeeded) != kFeaturesNeeded) {
      io_uring_queue_exit(&ring);
      return -ENOSYS;
    }
  }
  return result;
}

}  // namespace

std::unique_ptr<UringReactor> UringReactor::create(int& error) {
  std::unique_ptr<UringReactor> reactor(new UringReactor);
#ifdef QUORATE_TSAN
  __tsan_acquire(&ring_memory);
#endif
  if (!reactor->set_up(error)) return nullptr;
  return reactor;
}

bool UringReactor::set_up(int& error) {
  int result = -EINVAL;
  send_flags_ = MSG_NOSIGNAL;
  for (const unsigned flags : kFlagSets) {
    result = make_ring(ring_, flags);
    // Only kernels that know DEFER_TASKRUN report what a cancelled send had done before. On older
    // ones a send ends with its first part, so that a cancelled one has done nothing.
    if (result == 0 && (flags & IORING_SETUP_DEFER_TASKRUN) != 0) send_flags_ |= MSG_WAITALL;
    if (result != -EINVAL) break;
  }
  if (result != 0) {
    error = -result;
    return false;
  }
  ring_made_ = true;
  io_uring_ring_dontfork(&ring_);
  truncates_ = can_truncate(ring_);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  error = errno;
  return wake_fd_ >= 0;
}

UringReactor::~UringReactor() {
  DCHECK(in_flight_ == 0);
  if (ring_made_) io_uring_queue_exit(&ring_);
#ifdef QUORATE_TSAN
  __tsan_release(&ring_memory);
#endif
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (event_fd_ >= 0) ::close(event_fd_);
}

Instant UringReactor::now() const noexcept { return monotonic_now(); }

Result<Socket> UringReactor::listen(const Address& address, int backlog) {
  return open_listener(address, backlog, options_, false);
}

Result<Address> UringReactor::local_address(Socket socket) const { return bound_address(socket); }

/// Null only when the queue is full and the ring is not bound yet.
io_uring_sqe* UringReactor::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe != nullptr || !bound_) return sqe;
  for (int tries = 0; tries < kSubmitTriesMax; ++tries) {
    ++system_calls_;
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
    if (sqe != nullptr) return sqe;
    // The kernel takes nothing while it lacks memory or while completions overflow.
    io_uring_get_events(&ring_);
    collect();
  }
  CHECK(sqe != nullptr);
  return sqe;
}

void UringReactor::begin(Operation& operation, Operation::Kind kind, Socket socket,
                         std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle && buffers.size() <= Operation::kVectorsMax);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.socket = socket;
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  start(operation);
}

void UringReactor::start(Operation& operation) {
  ++in_flight_;
#ifdef QUORATE_TSAN
  __tsan_release(&operation);
#endif
  queue(operation, false);
}

/// Older kernels have no request for ftruncate. It is rare and short, so the loop makes the system
/// call itself; like everything else it is told in the next reap().
void UringReactor::start_file(Operation& operation) {
  if (operation.kind != Operation::Kind::truncate || truncates_) return start(operation);
  ++system_calls_;
  completed_.push(operation, perform(operation));
}

void UringReactor::queue(Operation& operation, bool cancels) {
  io_uring_sqe* sqe = next_sqe();
  if (sqe == nullptr) {
    waiting_.push_back({&operation, cancels});
  } else if (cancels) {
    io_uring_prep_cancel(sqe, &operation, 0);
    io_uring_sqe_set_data64(sqe, kIgnored);
  } else {
    prepare(sqe, operation);
    io_uring_sqe_set_data(sqe, &operation);
  }
}

void UringReactor::prepare(io_uring_sqe* sqe, Operation& operation) const {
  if (is_file_operation(operation.kind)) return prepare_file(sqe, operation);
  const int fd = operation.socket.id;
  msghdr& message = operation.message;
  const iovec* first = message.msg_iov;
  switch (operation.kind) {
    case Operation::Kind::accept:
      return io_uring_prep_accept(sqe, fd, nullptr, nullptr, SOCK_CLOEXEC);
    case Operation::Kind::connect:
      return io_uring_prep_connect(sqe, fd,
                                   reinterpret_cast<sockaddr*>(&operation.address.storage),
                                   operation.address.length);
    case Operation::Kind::receive:
      if (message.msg_iovlen != 1) return io_uring_prep_recvmsg(sqe, fd, &message, 0);
      return io_uring_prep_recv(sqe, fd, first->iov_base, first->iov_len, 0);
    case Operation::Kind::send:
      if (message.msg_iovlen != 1) {
        return io_uring_prep_sendmsg(sqe, fd, &message, static_cast<unsigned>(send_flags_));
      }
      return io_uring_prep_send(sqe, fd, first->iov_base, first->iov_len, send_flags_);
    default: UNREACHABLE();
  }
}

void UringReactor::accept(Operation& operation, Socket listener) {
  begin(operation, Operation::Kind::accept, listener, {});
}

void UringReactor::connect(Operation& operation, const Address& address) {
  operation.address = address;
  const int fd = open_stream_socket(address, options_, false);
  if (fd >= 0) return begin(operation, Operation::Kind::connect, Socket{fd}, {});
  CHECK(operation.state == Operation::State::idle);
  operation.state = Operation::State::started;
  completed_.push(operation, fd);
}

void UringReactor::receive(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::receive, socket, buffers);
}

void UringReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::send, socket, buffers);
}

/// The request names the operation by its address. It cannot hit a later operation at the same
/// address: it is submitted before anything that follows it in the queue.
void UringReactor::cancel(Operation& operation) {
  if (operation.state != Operation::State::started) return;
  if (is_file_operation(operation.kind)) mark_cancelled(operation);
  queue(operation, true);
}

void UringReactor::shutdown(Socket socket) noexcept { ::shutdown(socket.id, SHUT_RDWR); }

void UringReactor::shutdown_send(Socket socket) noexcept { ::shutdown(socket.id, SHUT_WR); }

void UringReactor::close(Socket socket) noexcept { ::close(socket.id); }

void UringReactor::bind() {
  if (bound_) return;
  // The shared library of liburing 2.3 does not export io_uring_enable_rings().
  const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                       IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  CHECK(result == 0);
  bound_ = true;
  queue_waiting();
}

/// Taken out first: while the kernel takes nothing, queueing collects what may have to wait anew.
void UringReactor::queue_waiting() {
  const std::vector<Request> waiting = std::exchange(waiting_, {});
  for (const Request& request : waiting) queue(*request.operation, request.cancels);
}

/// One poll tells of every wake-up: the eventfd is written and never read. It ends only when
/// completions overflow.
void UringReactor::arm_wake() {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_poll_multishot(sqe, wake_fd_, POLLIN);
  io_uring_sqe_set_data64(sqe, kWake);
  wake_armed_ = true;
}

void UringReactor::wait(Instant deadline) {
  bind();
  if (!wake_armed_) arm_wake();
  // Since the last wait() a full queue may have been collected with requests to make again. Nothing
  // would end a sleep for them: the kernel does not have them.
  enter(ready() || !waiting_.empty() ? 0 : time_left(deadline));
  collect();
  if (event_fd_ >= 0) settle_event_fd();
  if (waiting_.empty()) return;
  // Handed over at once: whoever sleeps on event_fd() would not come for it.
  queue_waiting();
  enter(0);
}

/// Errors need no answer: what was not submitted stays queued for the next call, and after a signal
/// or an overflow the caller comes again.
void UringReactor::enter(Instant left) {
  ++system_calls_;
  if (left == 0) {
    io_uring_submit_and_get_events(&ring_);
    return;
  }
  __kernel_timespec timeout{left / kSecond_ns, left % kSecond_ns};
  io_uring_cqe* cqe = nullptr;
  io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, left == kNever ? nullptr : &timeout, nullptr);
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
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) wake_armed_ = false;
    // An exchange, so that what a waker wrote before wake() is seen even if it did not write here.
    wake_pending_.exchange(false, std::memory_order_seq_cst);
    return;
  }
  auto& operation = *reinterpret_cast<Operation*>(cqe.user_data);
  std::int32_t result = cqe.res;
  if (is_file_operation(operation.kind) && must_repeat(operation, result)) {
    waiting_.push_back({&operation, false});
  } else {
    finish(operation, result);
  }
}

void UringReactor::finish(Operation& operation, std::int32_t result) {
#ifdef QUORATE_TSAN
  __tsan_acquire(&operation);
#endif
  --in_flight_;
  if (operation.kind == Operation::Kind::connect) {
    if (result < 0) {
      ::close(operation.socket.id);
    } else {
      result = operation.socket.id;
    }
  } else if (operation.kind == Operation::Kind::accept && result >= 0) {
    set_stream_options(result, options_);
  } else if (operation.kind == Operation::Kind::open) {
    files_.opened(operation, result);
  }
  completed_.push(operation, result);
}

void UringReactor::wake() noexcept {
  if (wake_pending_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  // The sum of all wake-ups never fills a counter, so this neither blocks nor fails.
  [[maybe_unused]] ssize_t written = ::write(wake_fd_, &one, sizeof one);
  // The kernel does not signal one eventfd (reliably) from inside a write to another.
  const int event_fd = event_fd_.load(std::memory_order_acquire);
  if (event_fd >= 0) written = ::write(event_fd, &one, sizeof one);
}

int UringReactor::event_fd() noexcept {
  if (event_fd_ < 0) {
    // Readable at first: what is queued now is handed to the kernel by the next wait() only.
    const int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0 && io_uring_register_eventfd(&ring_, fd) == 0);
    event_fd_.store(fd, std::memory_order_release);
  }
  return event_fd_;
}

/// The completions just collected have made the descriptor readable. Once it is read, what came in
/// between is fetched; what comes later makes it readable again.
void UringReactor::settle_event_fd() {
  std::uint64_t value;
  ++system_calls_;
  if (::read(event_fd_, &value, sizeof value) < 0) return;
  ++system_calls_;
  io_uring_get_events(&ring_);
  collect();
}

}  // namespace quorate::reactor
