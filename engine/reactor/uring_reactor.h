#pragma once

// The reactor on io_uring: one system call a turn submits everything and waits. The ring is made
// disabled and enabled by the first wait(), which binds it to that thread (SINGLE_ISSUER); nothing
// reaches the kernel before.

#include <liburing.h>

#include <atomic>
#include <memory>
#include <vector>

#include "reactor/completion_queue.h"
#include "reactor/file_calls.h"
#include "reactor/reactor.h"

namespace quorate::reactor {

class UringReactor final : public Reactor, private FileCalls::Starter {
 public:
  /// Null when the kernel refuses; `error` is the errno.
  static std::unique_ptr<UringReactor> create(int& error);
  ~UringReactor() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "io_uring"; }
  [[nodiscard]] Instant now() const noexcept override;
  void set_socket_options(SocketOptions options) override { options_ = std::move(options); }
  Result<Socket> listen(const Address& address, int backlog) override;
  Result<Address> local_address(Socket socket) const override;
  void accept(Operation& operation, Socket listener) override;
  void connect(Operation& operation, const Address& address) override;
  void receive(Operation& operation, Socket socket, std::span<const iovec> buffers) override;
  void send(Operation& operation, Socket socket, std::span<const iovec> buffers) override;
  void cancel(Operation& operation) override;
  void shutdown(Socket socket) noexcept override;
  void shutdown_send(Socket socket) noexcept override;
  void close(Socket socket) noexcept override;
  void release(Socket) noexcept override {}
  void adopt(Socket) noexcept override {}
  void wait(Instant deadline) override;
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override;
  [[nodiscard]] Files& files() noexcept override { return files_; }
  Result<std::unique_ptr<Reactor>> sibling() override;
  [[nodiscard]] int event_fd() noexcept override;
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return system_calls_; }

 private:
  /// What did not fit into the submission queue before the ring was bound, or is made again.
  struct Request {
    Operation* operation;
    bool cancels;
  };

  UringReactor() = default;
  bool set_up(int& error);
  void bind();
  io_uring_sqe* next_sqe();
  void begin(Operation& operation, Operation::Kind kind, Socket socket,
             std::span<const iovec> buffers);
  void start(Operation& operation);
  void start_file(Operation& operation) override;
  void queue(Operation& operation, bool cancels);
  void queue_waiting();
  void prepare(io_uring_sqe* sqe, Operation& operation) const;
  void arm_wake();
  void enter(Instant left);
  void collect();
  void on_completion(const io_uring_cqe& cqe);
  void finish(Operation& operation, std::int32_t result);
  void settle_event_fd();

  io_uring ring_{};
  bool ring_made_ = false;
  bool bound_ = false;
  bool wake_armed_ = false;
  bool truncates_ = false;  ///< the kernel has a request for it
  int send_flags_ = 0;
  int wake_fd_ = -1;
  std::atomic<int> event_fd_{-1};  ///< also written by wake()
  SocketOptions options_;
  CompletionQueue completed_;
  FileCalls files_{*this};
  std::vector<Request> waiting_;
  std::size_t in_flight_ = 0;
  std::atomic<bool> wake_pending_{false};
  std::uint64_t system_calls_ = 0;
};

}  // namespace quorate::reactor
