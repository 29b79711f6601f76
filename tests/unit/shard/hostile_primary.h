#pragma once

// A primary made by hand: it admits a replica as an honest one would, and then says about snapshots
// and frames whatever the test wants.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/message.h"
#include "tests/support/raw_peer.h"

namespace quorate::shard {

/// One connection of a replica that was welcomed.
class HostileSession {
 public:
  /// Takes the next one that dials.
  HostileSession(test::RawListener& listener, const Epoch& epoch);

  /// False when the replica takes no more.
  bool say(wire::MessageType type, std::span<const std::byte> body);
  /// Only the beginning of it.
  void say_some(wire::MessageType type, std::span<const std::byte> body, std::size_t bytes);
  bool say_verdict(core::Verdict verdict, Position position);
  bool say_begin(const core::SnapshotHead& head);
  bool say_chunk(std::uint64_t id, std::uint64_t offset, std::span<const std::byte> bytes);
  /// What would be said next, for who says it in parts: all of it must follow by say_bytes().
  [[nodiscard]] test::Bytes next_unit(wire::MessageType type, std::span<const std::byte> body);
  bool say_bytes(std::span<const std::byte> bytes) { return peer_.send(bytes); }

  [[nodiscard]] const core::Hello& hello() const noexcept { return hello_; }
  core::ResumeClaim hear_claim();
  /// Waits until the replica says that it has received that much; false when it closes instead.
  bool hear_received(Position position);
  /// Nothing when the replica closes instead.
  std::optional<core::SnapshotRequest> hear_request();
  /// The reason of the replica's goodbye; "" when it closed without one.
  std::string until_closed() { return peer_.until_closed(); }
  [[nodiscard]] bool closed() { return peer_.closed(); }

 private:
  std::optional<test::Bytes> hear(wire::MessageType type);

  test::RawPeer peer_;
  const Epoch epoch_;
  core::Hello hello_;
  std::uint64_t sequence_ = 0;
};

/// Of one stream. The live connection stays while one after the other catches up.
class HostilePrimary {
 public:
  HostilePrimary(std::uint16_t port, const Epoch& epoch);

  [[nodiscard]] HostileSession& live() { return *live_; }
  /// What the replica holds, as it says itself: asked for once each time it claims.
  core::ResumeClaim claim() { return live_->hear_claim(); }
  /// Promises a snapshot to a replica that has claimed, and takes the connection for it.
  HostileSession catch_up(Position position) {
    return catch_up(core::Verdict::snapshot, position);
  }
  /// The same with frames, which Verdict::catch_up promises.
  HostileSession catch_up(core::Verdict promise, Position position);
  /// Takes the live connection anew, which was closed.
  void meet_again() { live_.emplace(listener_, epoch_); }
  void disconnect() { live_.reset(); }

 private:
  test::RawListener listener_;
  const Epoch epoch_;
  std::optional<HostileSession> live_;
};

}  // namespace quorate::shard
