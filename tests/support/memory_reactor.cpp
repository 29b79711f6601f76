#include "tests/support/memory_reactor.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace quorate::tests {

using reactor::Operation;
using reactor::Socket;

Socket MemoryReactor::open(std::span<const std::byte> incoming, std::size_t chunk_bytes_max,
                           std::uint64_t seed) {
  CHECK(chunk_bytes_max > 0);
  Peer added;
  added.incoming.assign(incoming.begin(), incoming.end());
  added.chunk_bytes_max = chunk_bytes_max;
  added.random = base::Random(seed);
  peers_.push_back(std::move(added));
  return Socket{static_cast<int>(peers_.size()) - 1};
}

const MemoryReactor::Peer& MemoryReactor::peer(Socket socket) const {
  CHECK(socket.valid() && static_cast<std::size_t>(socket.id) < peers_.size());
  return peers_[static_cast<std::size_t>(socket.id)];
}
MemoryReactor::Peer& MemoryReactor::peer(Socket socket) {
  return const_cast<Peer&>(std::as_const(*this).peer(socket));
}

const std::vector<std::byte>& MemoryReactor::sent(Socket socket) const {
  return peer(socket).sent;
}
bool MemoryReactor::closed(Socket socket) const {
  return peer(socket).closed;
}
std::size_t MemoryReactor::unread_bytes(Socket socket) const {
  return peer(socket).incoming.size() - peer(socket).read;
}

Result<Socket> MemoryReactor::listen(const reactor::Address&, int) {
  return Error(Errc::unsupported, "memory sockets do not listen");
}
Result<reactor::Address> MemoryReactor::local_address(Socket) const {
  return Error(Errc::unsupported, "memory sockets have no address");
}

void MemoryReactor::start(Operation& operation, Operation::Kind kind, Socket socket,
                          std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle);
  CHECK(buffers.size() <= Operation::kVectorsMax);
  operation.state = Operation::State::started;
  operation.kind = kind;
  operation.socket = socket;
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  started_.push_back(&operation);
}

void MemoryReactor::accept(Operation& operation, Socket listener) {
  start(operation, Operation::Kind::accept, listener, {});
}
void MemoryReactor::connect(Operation& operation, const reactor::Address&) {
  start(operation, Operation::Kind::connect, {}, {});
}
void MemoryReactor::receive(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  CHECK(!peer(socket).closed);
  start(operation, Operation::Kind::receive, socket, buffers);
}
void MemoryReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  CHECK(!peer(socket).closed);
  start(operation, Operation::Kind::send, socket, buffers);
}

void MemoryReactor::cancel(Operation& operation) {
  const auto found = std::find(started_.begin(), started_.end(), &operation);
  if (found == started_.end()) return;
  started_.erase(found);
  completed_.push(operation, -ECANCELED);
}

void MemoryReactor::shutdown(Socket socket) noexcept {
  peer(socket).receive_ended = peer(socket).send_ended = true;
}
void MemoryReactor::shutdown_send(Socket socket) noexcept {
  peer(socket).send_ended = true;
}

void MemoryReactor::close(Socket socket) noexcept {
  for (const Operation* operation : started_) CHECK(operation->socket != socket);
  CHECK(!std::exchange(peer(socket).closed, true));
}

void MemoryReactor::wait(Instant) {
  for (Operation* operation : std::exchange(started_, {})) {
    completed_.push(*operation, perform(*operation));
  }
}

std::int32_t MemoryReactor::perform(Operation& operation) {
  const std::span<const iovec> buffers(operation.message.msg_iov, operation.message.msg_iovlen);
  switch (operation.kind) {
    case Operation::Kind::receive:
      return fill(peer(operation.socket), buffers);
    case Operation::Kind::send:
      return take(peer(operation.socket), buffers);
    default:
      break;
  }
  return -EOPNOTSUPP;
}

std::int32_t MemoryReactor::fill(Peer& peer, std::span<const iovec> buffers) {
  if (peer.receive_ended) return 0;
  const std::size_t chunk =
      std::min(1 + peer.random.below(peer.chunk_bytes_max), peer.incoming.size() - peer.read);
  std::size_t left = chunk;
  for (const iovec& buffer : buffers) {
    const std::size_t part = std::min(left, buffer.iov_len);
    if (part > 0) std::memcpy(buffer.iov_base, peer.incoming.data() + peer.read, part);
    peer.read += part;
    left -= part;
  }
  return static_cast<std::int32_t>(chunk - left);
}

std::int32_t MemoryReactor::take(Peer& peer, std::span<const iovec> buffers) {
  if (peer.send_ended) return -EPIPE;
  const std::size_t chunk = 1 + peer.random.below(peer.chunk_bytes_max);
  std::size_t left = chunk;
  for (const iovec& buffer : buffers) {
    const auto* bytes = static_cast<const std::byte*>(buffer.iov_base);
    const std::size_t part = std::min(left, buffer.iov_len);
    peer.sent.insert(peer.sent.end(), bytes, bytes + part);
    left -= part;
  }
  return static_cast<std::int32_t>(chunk - left);
}

}  // namespace quorate::tests
