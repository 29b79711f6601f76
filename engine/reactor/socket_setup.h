#pragma once

// How both backends make sockets: the options that matter for streaming, set in one place.

#include "reactor/reactor.h"

namespace quorate::reactor {

/// NODELAY, congestion control (cubic and the like; reno where it is refused) and buffer sizes.
void set_stream_options(int fd, const SocketOptions& options) noexcept;

/// A listening socket. `nonblocking`: epoll needs it, io_uring must not have it (an operation that
/// was handed to a worker would answer EAGAIN instead of waiting).
Result<Socket> open_listener(const Address& address, int backlog, const SocketOptions& options,
                             bool nonblocking);
/// A socket to connect with; -errno on failure.
int open_stream_socket(const Address& address, const SocketOptions& options,
                       bool nonblocking) noexcept;
Result<Address> bound_address(Socket socket);

}  // namespace quorate::reactor
