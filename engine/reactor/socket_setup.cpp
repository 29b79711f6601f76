#include "reactor/socket_setup.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace quorate::reactor {

namespace {

bool set_congestion_control(int fd, const char* name) noexcept {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
                    static_cast<socklen_t>(std::strlen(name))) == 0;
}

Error socket_error(const char* what, const Address& address) {
  const int number = errno;
  return Error(Errc::io, std::string(what) + " " + to_string(address) + ": " +
                             std::strerror(number), number);
}

}  // namespace

void set_stream_options(int fd, const SocketOptions& options) noexcept {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!options.congestion_control.empty() &&
      !set_congestion_control(fd, options.congestion_control.c_str())) {
    set_congestion_control(fd, "reno");
  }
  if (options.buffer_bytes != 0) {
    // The kernel doubles what it is given for its own bookkeeping and clips it to its limit.
    const int bytes = static_cast<int>(options.buffer_bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
}

Result<Socket> open_listener(const Address& address, int backlog, const SocketOptions& options,
                             bool nonblocking) {
  const int fd = open_stream_socket(address, options, nonblocking);
  if (fd < 0) {
    errno = -fd;
    return socket_error("socket for", address);
  }
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  if (bind(fd, raw, address.length) != 0 || ::listen(fd, backlog) != 0) {
    Error error = socket_error("listen on", address);
    ::close(fd);
    return error;
  }
  return Socket{fd};
}

int open_stream_socket(const Address& address, const SocketOptions& options,
                       bool nonblocking) noexcept {
  const int flags = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
  const int fd = ::socket(address.storage.ss_family, flags, 0);
  if (fd < 0) return -errno;
  set_stream_options(fd, options);
  return fd;
}

Result<Address> bound_address(Socket socket) {
  Address address;
  address.length = sizeof address.storage;
  if (getsockname(socket.id, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    return Error(Errc::io, std::string("getsockname: ") + std::strerror(errno), errno);
  }
  return address;
}

}  // namespace quorate::reactor
