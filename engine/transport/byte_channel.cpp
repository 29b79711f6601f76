#include "transport/byte_channel.h"

#include <utility>

#include "base/check.h"

namespace quorate::transport {

ByteChannel::ByteChannel(reactor::Reactor& reactor, reactor::Socket socket, Client& client) noexcept
    : reactor_(reactor), socket_(socket), client_(client) {
  send_.owner = this;
  send_.complete = &ByteChannel::on_sent;
  receive_.owner = this;
  receive_.complete = &ByteChannel::on_received;
}

void ByteChannel::send(std::span<const iovec> buffers) { reactor_.send(send_, socket_, buffers); }

void ByteChannel::receive(std::span<const iovec> buffers) {
  reactor_.receive(receive_, socket_, buffers);
}

void ByteChannel::close() noexcept {
  CHECK(idle());
  if (socket_.valid()) reactor_.close(std::exchange(socket_, reactor::Socket{}));
}

reactor::Socket ByteChannel::release() noexcept {
  CHECK(idle());
  reactor_.release(socket_);
  return std::exchange(socket_, reactor::Socket{});
}

void ByteChannel::on_sent(reactor::Operation& operation, std::int32_t result) {
  static_cast<ByteChannel*>(operation.owner)->client_.on_consumed(result);
}

void ByteChannel::on_received(reactor::Operation& operation, std::int32_t result) {
  static_cast<ByteChannel*>(operation.owner)->client_.on_bytes(result);
}

}  // namespace quorate::transport
