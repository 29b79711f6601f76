#pragma once

// The seam to the operating system: a completion interface with interchangeable backends (io_uring,
// epoll, simulated). Callers start operations and are told later, in reap(), how each one ended.
//
// What a caller must be ready for, on every backend: short sends and receives, completions in any
// order and any later reap(), a cancelled operation that still succeeded, failure of anything.
// What every backend promises:
//  - an operation completes exactly once, in reap(), never inside the call that started it;
//  - its buffers, iovecs and the Operation itself are used until then, and not afterwards;
//  - a completion function may start, cancel and close anything, also its own operation.
// What callers keep:
//  - at most one send and one receive are in flight per socket, each with at most kVectorsMax
//    iovecs and kBytesMax bytes;
//  - nothing is in flight when the reactor is destroyed: the kernel could still write to a buffer.
// Threads: everything belongs to the thread that first called wait(), except wake(). Before that
// first wait() another thread may start operations, if it is done when the owner begins.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/time.h"
#include "quorate/error.h"
#include "quorate/options.h"
#include "reactor/files.h"
#include "reactor/operation.h"

namespace quorate::reactor {

/// Reads "host:port" and "[v6]:port"; resolves names (blocking, so not on the data path).
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

struct SocketOptions {
  std::string congestion_control = "cubic";  ///< "" keeps the system's
  std::uint32_t buffer_bytes = 0;            ///< SO_SNDBUF and SO_RCVBUF; 0 keeps the system's
};

class Reactor {
 public:
  Reactor() = default;
  virtual ~Reactor() = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  /// Monotonic; read from the operating system at each call, so call it once a turn.
  [[nodiscard]] virtual Instant now() const noexcept = 0;

  /// Applied to sockets that listen, accept or connect from now on. TCP_NODELAY is always set.
  virtual void set_socket_options(SocketOptions options) = 0;

  virtual Result<Socket> listen(const Address& address, int backlog) = 0;
  virtual Result<Address> local_address(Socket socket) const = 0;

  virtual void accept(Operation& operation, Socket listener) = 0;
  virtual void connect(Operation& operation, const Address& address) = 0;

  /// Fills the buffers in order with what is there, at least one byte.
  virtual void receive(Operation& operation, Socket socket, std::span<const iovec> buffers) = 0;

  /// Sends at least one byte; tries to send all (may complete short after cancel or error).
  virtual void send(Operation& operation, Socket socket, std::span<const iovec> buffers) = 0;

  /// Asks an operation to end. It completes as usual: with -ECANCELED, or with what it had done.
  virtual void cancel(Operation& operation) = 0;

  /// Ends both directions, so that operations in flight on the socket complete soon.
  virtual void shutdown(Socket socket) noexcept = 0;
  /// Ends the sending direction: the peer reads what was sent, then the end of the stream.
  virtual void shutdown_send(Socket socket) noexcept = 0;
  /// Only when no operation is in flight on it.
  virtual void close(Socket socket) noexcept = 0;
  /// Forgets a socket without closing it, so that another reactor of the same backend can adopt()
  /// it. Only when no operation is in flight on it.
  virtual void release(Socket socket) noexcept = 0;
  virtual void adopt(Socket socket) noexcept = 0;

  /// Starts everything queued, then waits until something has completed, wake() was called or
  /// `deadline` has passed (in the past: does not wait). Completions are kept for reap(). May
  /// return early, for instance after a signal.
  virtual void wait(Instant deadline) = 0;

  /// True when wait() has collected something that reap() has not delivered.
  [[nodiscard]] virtual bool ready() const noexcept = 0;

  /// Calls complete for everything that wait() collected. Returns how many.
  virtual std::size_t reap() = 0;

  /// Ends the current or the next wait(). From any thread.
  virtual void wake() noexcept = 0;

  /// Readable when wait() has something to collect, and before the first wait(); for an embedder's
  /// own poll loop. What wait() has collected already does not show here: ask ready() before
  /// sleeping. First called before the first wait() or on its thread.
  [[nodiscard]] virtual int event_fd() noexcept = 0;

  [[nodiscard]] virtual Files& files() noexcept = 0;

  /// Another reactor of this backend, for work at start-up that blocks. From any thread.
  virtual Result<std::unique_ptr<Reactor>> sibling() = 0;

  /// What incarnations, sessions and jitter are drawn from; never zero.
  [[nodiscard]] virtual std::uint64_t random_seed() noexcept { return base::random_seed(); }

  /// System calls made so far, for measuring.
  [[nodiscard]] virtual std::uint64_t system_calls() const noexcept = 0;
};

/// Makes the backend asked for. `automatic` tries io_uring and falls back to epoll; `why` receives
/// one line that says which was taken and, after a fallback, what the kernel answered. A backend
/// that was asked for by name and cannot be had is an error. May be called on another thread than
/// the one that will call wait().
Result<std::unique_ptr<Reactor>> make_reactor(Backend backend, std::string& why);

}  // namespace quorate::reactor
