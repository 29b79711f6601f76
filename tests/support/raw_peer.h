#pragma once

// A peer made by hand: a plain socket that says whatever the test wants, to attack a node with.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/message.h"
#include "wire/frame.h"

namespace quorate::test {

using Bytes = std::vector<std::byte>;

/// An envelope and its body.
Bytes unit(wire::MessageType type, std::span<const std::byte> body, std::uint64_t sequence = 0,
           std::uint64_t session = 0, const Epoch& epoch = {});
Bytes hello_unit(const core::Hello& hello);
/// A hello that a primary with a replica of that name admits.
core::Hello good_hello(const std::string& node, core::Role role = core::Role::replica);

class RawListener;

class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port);
  /// Who connects next; nobody in a minute fails the test.
  explicit RawPeer(RawListener& listener);
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept;
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  /// False when the node does not take all of it any more, or not within half a second.
  bool send(std::span<const std::byte> bytes);
  /// The next unit; nothing when the node has closed. Fails the test when it does neither.
  struct Unit {
    wire::Envelope envelope;
    Bytes body;
  };
  std::optional<Unit> receive();
  /// Reads on until the node closes; the reason of its goodbye, "" when it said none.
  std::string until_closed();
  /// True once the node has closed; never waits.
  bool closed();

 private:
  bool fill(std::size_t bytes);

  int fd_ = -1;
  Bytes pending_;
};

/// On 127.0.0.1, where a node dials.
class RawListener {
 public:
  explicit RawListener(std::uint16_t port);
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

 private:
  friend class RawPeer;
  int fd_;
};

/// Listens, and is so full that the kernel answers nobody who connects.
class SilentListener {
 public:
  SilentListener();
  ~SilentListener();
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> queued_;
};

}  // namespace quorate::test
