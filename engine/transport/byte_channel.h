#pragma once

// The stage between a connection and its socket. It takes plain bytes and gives plain bytes; what
// travels on the socket is its own affair: the same bytes today, TLS records when encryption comes.
// "Consumed" means that the stage does not read the caller's memory any more, so a pin on ring
// bytes ends there. Owned by one connection, used on its loop only.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "reactor/reactor.h"

namespace quorate::transport {

class ByteChannel {
 public:
  /// Called on the loop. `result`: bytes consumed or received, 0 on receive = end, or -errno.
  struct Client {
    virtual ~Client() = default;
    virtual void on_consumed(std::int32_t result) = 0;
    virtual void on_bytes(std::int32_t result) = 0;
  };

  ByteChannel(reactor::Reactor& reactor, reactor::Socket socket, Client& client) noexcept;

  /// One at a time each; buffers and iovecs stay valid until the client is called.
  void send(std::span<const iovec> buffers);
  void receive(std::span<const iovec> buffers);
  void cancel_send() { reactor_.cancel(send_); }

  /// Makes whatever is in flight complete soon.
  void shut_down() noexcept { reactor_.shutdown(socket_); }
  /// No send follows: the peer reads what was sent, then the end of the stream.
  void end_sending() noexcept { reactor_.shutdown_send(socket_); }
  [[nodiscard]] bool receiving() const { return receive_.in_flight(); }
  [[nodiscard]] bool idle() const { return !send_.in_flight() && !receive_.in_flight(); }
  /// Only when idle.
  void close() noexcept;
  /// Gives the socket up unclosed, for another loop. Only when idle.
  reactor::Socket release() noexcept;

 private:
  static void on_sent(reactor::Operation& operation, std::int32_t result);
  static void on_received(reactor::Operation& operation, std::int32_t result);

  reactor::Reactor& reactor_;
  reactor::Socket socket_;
  Client& client_;
  reactor::Operation send_;
  reactor::Operation receive_;
};

}  // namespace quorate::transport
