#pragma once

// A reactor in memory: pairs of sockets that move bytes in pieces of random or chosen size, so that
// a connection meets every cut of its byte stream. One wait() is one step for every socket.

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "reactor/completion_queue.h"
#include "reactor/reactor.h"

namespace quorate::transport {

class FakeReactor final : public reactor::Reactor {
 public:
  explicit FakeReactor(unsigned seed = 1) : random_(seed) {}

  /// Two connected sockets. Each holds at most `buffer_bytes` that its owner has not received.
  std::pair<reactor::Socket, reactor::Socket> make_pair(std::size_t buffer_bytes = 64u << 10);

  /// Largest piece of one step; pieces are of random size up to it, or exactly it.
  void set_step(std::size_t bytes, bool exactly = false) {
    step_ = bytes;
    exactly_ = exactly;
  }
  /// Whether a send is reported in parts, as the contract allows.
  void set_short_sends(bool on) { short_sends_ = on; }
  /// From now on the socket takes nothing from its owner, as with a peer that does not read.
  void stall(reactor::Socket socket, bool on) { at(socket).stalled = on; }
  /// The other end vanished: operations on this socket fail.
  void reset(reactor::Socket socket) { at(socket).error = ECONNRESET; }
  /// Bytes put into the stream by hand, as if the peer had sent them.
  void inject(reactor::Socket socket, std::string_view bytes) { at(socket).inbox += bytes; }
  /// What arrived and was not received.
  std::string take_inbox(reactor::Socket socket) { return std::exchange(at(socket).inbox, {}); }
  [[nodiscard]] bool closed(reactor::Socket socket) { return at(socket).closed; }
  [[nodiscard]] bool ended(reactor::Socket socket) { return at(socket).input_ended; }

  /// Steps until nothing moves and nothing completes any more.
  void settle();

  // Reactor
  [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }
  [[nodiscard]] Instant now() const noexcept override { return now_; }
  void set_socket_options(reactor::SocketOptions) override {}
  Result<reactor::Socket> listen(const reactor::Address&, int) override;
  Result<reactor::Address> local_address(reactor::Socket) const override;
  void accept(reactor::Operation& operation, reactor::Socket) override;
  void connect(reactor::Operation& operation, const reactor::Address&) override;
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
  void wait(Instant) override;
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override {}
  [[nodiscard]] reactor::Files& files() noexcept override { UNREACHABLE(); }
  Result<std::unique_ptr<reactor::Reactor>> sibling() override { UNREACHABLE(); }
  [[nodiscard]] int event_fd() noexcept override { return -1; }
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return 0; }

 private:
  struct End {
    std::size_t peer = 0;
    std::string inbox;
    std::size_t buffer_bytes = 0;
    bool input_ended = false;
    bool output_ended = false;
    bool stalled = false;
    bool closed = false;
    int error = 0;
    reactor::Operation* receiving = nullptr;
    reactor::Operation* sending = nullptr;
  };

  End& at(reactor::Socket socket) { return ends_[static_cast<std::size_t>(socket.id)]; }
  void begin(reactor::Operation& operation, reactor::Operation::Kind kind, reactor::Socket socket,
             std::span<const iovec> buffers);
  void finish(reactor::Operation*& slot, std::int32_t result);
  std::size_t piece(std::size_t limit);
  void step_send(End& end);
  void step_receive(End& end);

  std::deque<End> ends_;
  reactor::CompletionQueue completed_;
  std::mt19937 random_;
  std::size_t step_ = 1u << 20;
  bool exactly_ = false;
  bool short_sends_ = false;
  std::uint64_t moved_bytes_ = 0;
  Instant now_ = 0;
};

}  // namespace quorate::transport
