#include "tests/support/raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/support/loopback.h"
#include "transport/codec.h"
#include "wire/crc32c.h"
#include "wire/version.h"

namespace quorate::test {

namespace {
constexpr int kSendPatience_ms = 500;
/// Generous: machines are busy.
constexpr int kPatience_ms = 60'000;
}  // namespace

Bytes unit(wire::MessageType type, std::span<const std::byte> body, std::uint64_t sequence,
           std::uint64_t session, const Epoch& epoch) {
  wire::Envelope envelope;
  envelope.type = type;
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  envelope.body_crc = wire::crc32c(body);
  envelope.sequence = sequence;
  envelope.session = session;
  envelope.epoch_number = epoch.number;
  envelope.epoch_incarnation = epoch.incarnation;
  Bytes bytes(wire::kEnvelopeBytes + body.size());
  wire::encode_envelope(
      envelope, std::span<std::byte, wire::kEnvelopeBytes>(bytes.data(), wire::kEnvelopeBytes));
  if (!body.empty()) std::memcpy(bytes.data() + wire::kEnvelopeBytes, body.data(), body.size());
  return bytes;
}

Bytes hello_unit(const core::Hello& hello) {
  transport::Encoder encoder;
  return unit(wire::MessageType::hello, encoder.hello(hello));
}

core::Hello good_hello(const std::string& node, core::Role role) {
  core::Hello hello;
  hello.cluster = "quorate";
  hello.node = node;
  hello.role = role;
  hello.version_min = wire::kVersionMin;
  hello.version_max = wire::kVersionMax;
  hello.incarnation = 1;
  hello.heartbeat_ms = 50;
  hello.ring_bytes = 4u << 20;
  return hello;
}

RawPeer::RawPeer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
}

RawPeer::RawPeer(RawListener& listener) {
  pollfd wanted{listener.fd_, POLLIN, 0};
  if (::poll(&wanted, 1, kPatience_ms) > 0) {
    fd_ = ::accept4(listener.fd_, nullptr, nullptr, SOCK_CLOEXEC);
  }
  if (fd_ < 0) throw std::runtime_error("nobody connects");
}

RawPeer::~RawPeer() {
  if (fd_ >= 0) ::close(fd_);
}

RawPeer::RawPeer(RawPeer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), pending_(std::move(other.pending_)) {}

bool RawPeer::send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    pollfd wanted{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&wanted, 1, kSendPatience_ms) == 0) return false;
  }
  return true;
}

/// False when the node has closed before that many bytes were there.
bool RawPeer::fill(std::size_t bytes) {
  while (pending_.size() < bytes) {
    pollfd wanted{fd_, POLLIN, 0};
    if (::poll(&wanted, 1, kPatience_ms) == 0) {
      throw std::runtime_error("the node neither answers nor closes");
    }
    std::byte part[4096];
    const ssize_t got = ::recv(fd_, part, sizeof part, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return false;
    pending_.insert(pending_.end(), part, part + got);
  }
  return true;
}

std::optional<RawPeer::Unit> RawPeer::receive() {
  if (!fill(wire::kEnvelopeBytes)) return std::nullopt;
  Unit unit;
  const auto error = wire::decode_envelope(
      std::span<const std::byte, wire::kEnvelopeBytes>(pending_.data(), wire::kEnvelopeBytes),
      unit.envelope);
  if (error != wire::DecodeError::none) throw std::runtime_error("the node sends nonsense");
  const std::size_t size = wire::kEnvelopeBytes + unit.envelope.body_bytes;
  if (!fill(size)) return std::nullopt;
  unit.body.assign(pending_.begin() + wire::kEnvelopeBytes,
                   pending_.begin() + static_cast<std::ptrdiff_t>(size));
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(size));
  return unit;
}

std::string RawPeer::until_closed() {
  std::string reason;
  while (auto unit = receive()) {
    core::Goodbye goodbye;
    if (unit->envelope.type != wire::MessageType::goodbye) continue;
    if (!transport::decode_goodbye(unit->body, goodbye)) return "a goodbye that is malformed";
    reason = core::to_string(goodbye.reason);
  }
  return reason;
}

bool RawPeer::closed() {
  std::byte part[4096];
  ssize_t got;
  while ((got = ::recv(fd_, part, sizeof part, MSG_DONTWAIT)) > 0) {
  }
  return got == 0 || errno != EAGAIN;
}

RawListener::RawListener(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(port);
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd_, 16) != 0) {
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  }
}

RawListener::~RawListener() { ::close(fd_); }

SilentListener::SilentListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd_, raw, length) != 0 || ::listen(fd_, 0) != 0 ||
      ::getsockname(fd_, raw, &length) != 0) {
    throw std::runtime_error("listen");
  }
  port_ = ntohs(address.sin_port);
  for (int i = 0; i < 4; ++i) {
    queued_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(queued_.back(), raw, length);
  }
}

SilentListener::~SilentListener() {
  for (const int fd : queued_) ::close(fd);
  ::close(fd_);
}

}  // namespace quorate::test
