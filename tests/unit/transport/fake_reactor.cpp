#include "fake_reactor.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace quorate::transport {

using reactor::Operation;
using reactor::Socket;

namespace {

std::size_t total(const msghdr& message) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) bytes += message.msg_iov[i].iov_len;
  return bytes;
}

/// Calls visit(bytes, count) for the parts of the message in [begin, begin + count).
template <typename Visit>
void for_range(const msghdr& message, std::size_t begin, std::size_t count, Visit visit) {
  for (std::size_t i = 0; i < message.msg_iovlen && count > 0; ++i) {
    const iovec& vector = message.msg_iov[i];
    if (begin >= vector.iov_len) {
      begin -= vector.iov_len;
      continue;
    }
    const std::size_t here = std::min(vector.iov_len - begin, count);
    visit(static_cast<char*>(vector.iov_base) + begin, here);
    count -= here;
    begin = 0;
  }
}

}  // namespace

std::pair<Socket, Socket> FakeReactor::make_pair(std::size_t buffer_bytes) {
  const std::size_t first = ends_.size();
  ends_.resize(first + 2);
  ends_[first].peer = first + 1;
  ends_[first + 1].peer = first;
  for (std::size_t i = first; i < first + 2; ++i) {
    ends_[i].buffer_bytes = buffer_bytes;
    ends_[i].inbox.reserve(buffer_bytes);
  }
  return {Socket{static_cast<int>(first)}, Socket{static_cast<int>(first + 1)}};
}

void FakeReactor::begin(Operation& operation, Operation::Kind kind, Socket socket,
                        std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle && !at(socket).closed);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.socket = socket;
  operation.result = 0;
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  CHECK(total(operation.message) > 0);
  auto& slot = kind == Operation::Kind::send ? at(socket).sending : at(socket).receiving;
  CHECK(slot == nullptr);
  slot = &operation;
}

void FakeReactor::finish(Operation*& slot, std::int32_t result) {
  completed_.push(*std::exchange(slot, nullptr), result);
}

Result<Socket> FakeReactor::listen(const reactor::Address&, int) {
  return Error(Errc::unsupported, "listen");
}
Result<reactor::Address> FakeReactor::local_address(Socket) const {
  return Error(Errc::unsupported, "local_address");
}
void FakeReactor::accept(Operation&, Socket) { UNREACHABLE(); }
void FakeReactor::connect(Operation&, const reactor::Address&) { UNREACHABLE(); }

void FakeReactor::receive(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::receive, socket, buffers);
}

void FakeReactor::send(Operation& operation, Socket socket, std::span<const iovec> buffers) {
  begin(operation, Operation::Kind::send, socket, buffers);
}

void FakeReactor::cancel(Operation& operation) {
  if (operation.state != Operation::State::started) return;
  End& end = at(operation.socket);
  auto& slot = end.sending == &operation ? end.sending : end.receiving;
  finish(slot, operation.result > 0 ? operation.result : -ECANCELED);
}

void FakeReactor::shutdown(Socket socket) noexcept {
  shutdown_send(socket);
  at(socket).input_ended = true;
}

void FakeReactor::shutdown_send(Socket socket) noexcept {
  at(socket).output_ended = true;
  ends_[at(socket).peer].input_ended = true;
}

void FakeReactor::close(Socket socket) noexcept {
  End& end = at(socket);
  CHECK(end.receiving == nullptr && end.sending == nullptr && !end.closed);
  shutdown(socket);
  // As TCP does it: what was not read turns the end of the stream into a reset.
  if (!end.inbox.empty()) ends_[end.peer].error = ECONNRESET;
  end.closed = true;
}

std::size_t FakeReactor::piece(std::size_t limit) {
  const std::size_t most = std::min(limit, step_);
  if (most == 0 || exactly_) return most;
  return std::uniform_int_distribution<std::size_t>(1, most)(random_);
}

void FakeReactor::step_send(End& end) {
  if (end.sending == nullptr) return;
  Operation& operation = *end.sending;
  if (end.error != 0) return finish(end.sending, -end.error);
  if (end.output_ended || ends_[end.peer].closed) {
    return finish(end.sending, operation.result > 0 ? operation.result : -EPIPE);
  }
  if (end.stalled) return;
  End& peer = ends_[end.peer];
  const std::size_t all = total(operation.message);
  const auto done = static_cast<std::size_t>(operation.result);
  const std::size_t room =
      peer.buffer_bytes > peer.inbox.size() ? peer.buffer_bytes - peer.inbox.size() : 0;
  const std::size_t count = piece(std::min(all - done, room));
  if (count == 0) return;
  for_range(operation.message, done, count,
            [&](const char* bytes, std::size_t size) { peer.inbox.append(bytes, size); });
  moved_bytes_ += count;
  operation.result += static_cast<std::int32_t>(count);
  if (done + count == all || short_sends_) finish(end.sending, operation.result);
}

void FakeReactor::step_receive(End& end) {
  if (end.receiving == nullptr) return;
  const std::size_t count =
      piece(std::min(end.inbox.size(), total(end.receiving->message)));
  if (count == 0) {
    if (end.error != 0) return finish(end.receiving, -end.error);
    if (end.input_ended && end.inbox.empty()) finish(end.receiving, 0);
    return;
  }
  std::size_t at = 0;
  for_range(end.receiving->message, 0, count, [&](char* bytes, std::size_t size) {
    std::memcpy(bytes, end.inbox.data() + at, size);
    at += size;
  });
  end.inbox.erase(0, count);
  finish(end.receiving, static_cast<std::int32_t>(count));
}

void FakeReactor::settle() {
  for (int idle = 0; idle < 3; ++idle) {
    const std::uint64_t before = moved_bytes_;
    wait(0);
    if (reap() > 0 || moved_bytes_ != before) idle = 0;
  }
}

void FakeReactor::wait(Instant) {
  ++now_;
  for (End& end : ends_) step_send(end);
  for (End& end : ends_) step_receive(end);
}

}  // namespace quorate::transport
