#pragma once

// The reactor on epoll: readiness turned into completions. Edge-triggered, each socket registered
// once; an operation is tried when readiness is known or unknown, never when the kernel is known to
// have nothing for it.

#include <atomic>
#include <memory>
#include <vector>

#include "reactor/completion_queue.h"
#include "reactor/disk_threads.h"
#include "reactor/file_calls.h"
#include "reactor/reactor.h"

namespace quorate::reactor {

class EpollReactor final : public Reactor, private FileCalls::Starter {
 public:
  static std::unique_ptr<EpollReactor> create(int& error);
  ~EpollReactor() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }
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
  void release(Socket socket) noexcept override;
  void adopt(Socket socket) noexcept override;
  void wait(Instant deadline) override;
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override;
  [[nodiscard]] Files& files() noexcept override { return files_; }
  Result<std::unique_ptr<Reactor>> sibling() override;
  [[nodiscard]] int event_fd() noexcept override { return epoll_fd_; }
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return system_calls_; }

 private:
  /// What is known of one socket. Indexed by descriptor.
  struct Watch {
    Operation* in = nullptr;   ///< receive or accept
    Operation* out = nullptr;  ///< send or connect
    bool readable = true;      ///< false: drained, an edge will tell
    bool writable = true;
    bool ended = false;        ///< the peer closed or failed: reading never blocks again
    int error = 0;             ///< the socket could not be watched: what its operations answer
  };

  EpollReactor() = default;
  bool set_up(int& error);
  int watch(int fd);
  void begin(Operation& operation, Operation::Kind kind, Socket socket,
             std::span<const iovec> buffers);
  void start_file(Operation& operation) override;
  void cancel_file(Operation& operation);
  void collect_files();
  void attempt(int fd);
  void attempt_in(Watch& watch);
  void attempt_out(Watch& watch);
  void attempt_send(Watch& watch);
  void finish(Operation& operation, std::int32_t result);
  void on_event(int fd, std::uint32_t events);
  void drain_wake();
  void poll(Instant left);

  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  bool fine_timeouts_ = true;  ///< the kernel has epoll_pwait2
  SocketOptions options_;
  std::vector<Watch> watches_;
  std::vector<int> started_;  ///< descriptors with operations not tried yet
  CompletionQueue completed_;
  FileCalls files_{*this};
  DiskThreads disk_{*this};
  std::size_t in_flight_ = 0;
  std::atomic<bool> wake_pending_{false};
  std::uint64_t system_calls_ = 0;
};

}  // namespace quorate::reactor
