#pragma once

// A reactor without an operating system: each socket has a script of bytes that its peer has sent,
// which arrive in chunks, then the peer ends its stream. What is sent is kept. Time stands still.
// Everything started completes in the next wait(), in the order in which it was started.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/check.h"
#include "reactor/completion_queue.h"
#include "reactor/reactor.h"

namespace quorate::tests {

class MemoryReactor final : public reactor::Reactor {
 public:
  /// A connected socket. Chunks have 1 … `chunk_bytes_max` bytes, drawn from the seed.
  reactor::Socket open(std::span<const std::byte> incoming, std::size_t chunk_bytes_max,
                       std::uint64_t seed);
  [[nodiscard]] const std::vector<std::byte>& sent(reactor::Socket socket) const;
  [[nodiscard]] std::size_t unread_bytes(reactor::Socket socket) const;
  [[nodiscard]] bool closed(reactor::Socket socket) const;

  [[nodiscard]] std::string_view name() const noexcept override { return "memory"; }
  [[nodiscard]] Instant now() const noexcept override { return 0; }
  void set_socket_options(reactor::SocketOptions) override {}
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
  void release(reactor::Socket) noexcept override {}
  void adopt(reactor::Socket) noexcept override {}
  void wait(Instant deadline) override;
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override {}
  [[nodiscard]] reactor::Files& files() noexcept override { UNREACHABLE(); }
  Result<std::unique_ptr<reactor::Reactor>> sibling() override { UNREACHABLE(); }
  [[nodiscard]] int event_fd() noexcept override { return -1; }
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return 0; }

 private:
  struct Peer {
    std::vector<std::byte> incoming;
    std::size_t read = 0;
    std::size_t chunk_bytes_max = 1;
    base::Random random{0};
    std::vector<std::byte> sent;
    bool receive_ended = false;
    bool send_ended = false;
    bool closed = false;
  };

  [[nodiscard]] const Peer& peer(reactor::Socket socket) const;
  Peer& peer(reactor::Socket socket);
  void start(reactor::Operation& operation, reactor::Operation::Kind kind, reactor::Socket socket,
             std::span<const iovec> buffers);
  std::int32_t perform(reactor::Operation& operation);
  static std::int32_t fill(Peer& peer, std::span<const iovec> buffers);
  static std::int32_t take(Peer& peer, std::span<const iovec> buffers);

  std::vector<Peer> peers_;
  std::vector<reactor::Operation*> started_;
  reactor::CompletionQueue completed_;
};

}  // namespace quorate::tests
