#pragma once

// The reactor's third backend: one loop of a simulated process. Sockets are the network's, files
// the host's disk; time is the host's clock.

#include <memory>
#include <string_view>
#include <vector>

#include "reactor/completion_queue.h"
#include "reactor/reactor.h"
#include "tests/simulation/system/disk.h"
#include "tests/simulation/system/host.h"

namespace quorate::simulation {

class SimulatedReactor final : public reactor::Reactor, private FileCompletion {
 public:
  /// `blocking`: while it lives, a call of its process blocks; no other loop of it is turned.
  SimulatedReactor(Network& network, Process& process, std::uint32_t number,
                   bool blocking = false);
  ~SimulatedReactor() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "simulated"; }
  [[nodiscard]] Instant now() const noexcept override { return process_.local_now(); }
  void set_socket_options(reactor::SocketOptions options) override;
  Result<reactor::Socket> listen(const reactor::Address& address, int backlog) override;
  Result<reactor::Address> local_address(reactor::Socket socket) const override;
  void accept(reactor::Operation& operation, reactor::Socket listener) override;
  void connect(reactor::Operation& operation, const reactor::Address& address) override;
  void receive(reactor::Operation& operation, reactor::Socket socket,
               std::span<const iovec> buffers) override;
  void send(reactor::Operation& operation, reactor::Socket socket,
            std::span<const iovec> buffers) override;
  void cancel(reactor::Operation& operation) override;
  void shutdown(reactor::Socket socket) noexcept override;
  void shutdown_send(reactor::Socket socket) noexcept override;
  void close(reactor::Socket socket) noexcept override;
  void release(reactor::Socket socket) noexcept override;
  void adopt(reactor::Socket socket) noexcept override;
  void wait(Instant deadline) override;
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override;
  [[nodiscard]] int event_fd() noexcept override { return -1; }
  [[nodiscard]] reactor::Files& files() noexcept override { return *files_; }
  Result<std::unique_ptr<reactor::Reactor>> sibling() override;
  [[nodiscard]] std::uint64_t random_seed() noexcept override;
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return waits_; }

 private:
  friend class Network;
  friend class Process;

  void on_file_done(reactor::Operation& operation, std::int32_t result) override;
  void begin(reactor::Operation& operation, reactor::Operation::Kind kind, reactor::Socket socket,
             std::span<const iovec> buffers);
  void submit(reactor::Operation& operation);
  void complete(reactor::Operation& operation, std::int32_t result);
  void wait_in_turn(Instant deadline);
  void let_world_go_on(Instant deadline);
  void due_at(Instant time);
  void on_due(std::uint32_t generation);
  void die();
  [[nodiscard]] Instant wake_latency();
  [[nodiscard]] Process::Slot slot_of(reactor::Socket socket) const noexcept;

  Network& network_;
  Process& process_;
  const std::uint32_t number_;  ///< among all reactors of the world
  const bool blocking_;
  std::unique_ptr<reactor::Files> files_;
  Process::Turn turn_;
  reactor::SocketOptions options_;
  reactor::CompletionQueue completed_;
  std::vector<reactor::Operation*> queued_;  ///< started and not submitted
  std::vector<reactor::Operation*> submitting_;
  Instant due_ = kNever;
  std::uint32_t generation_ = 0;
  std::uint64_t waits_ = 0;
  bool woken_ = false;
  bool deferred_ = false;  ///< was due while its process could not run
};

}  // namespace quorate::simulation
