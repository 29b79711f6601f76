#pragma once

// A replica's side of catching up: a connection of its own, beside the live one of the same loop,
// on which one stream after another is fed from the primary's log until the primary's ring holds
// what comes next, or gets a snapshot of what no log holds any more. The stream then claims again
// over the live connection. Lives on that loop.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/session.h"
#include "shard/replica_stream.h"
#include "shard/shard.h"
#include "transport/codec.h"
#include "transport/connection.h"

namespace quorate::shard {

class ReplicaNode;
class ReplicaLink;

class CatchUpLink final : public transport::Connection::Sink {
 public:
  CatchUpLink(ReplicaNode& node, ReplicaLink& live, Shard& shard);

  /// The live session's primary says that its log holds what the stream lacks.
  void add(ReplicaStream& stream);
  /// The live session has ended: its primary's word about what its log holds as well.
  void abandon();
  void stop();
  [[nodiscard]] bool stopped() const noexcept;

  void expire(Instant now);
  void send(Instant now);
  [[nodiscard]] Instant next_deadline() const noexcept;

  // transport::Connection::Sink
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override;
  std::byte* on_frame_header(const wire::Envelope& envelope,
                             const wire::FrameHeader& header) override;
  void on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) override;
  void on_send_ready() override {}
  void on_closed(const std::string& why) override;

 private:
  enum class State : std::uint8_t { idle, waiting, dialing, greeting, receiving, stopped };

  static void on_connected(reactor::Operation& operation, std::int32_t result);
  void dial();
  void say_hello();
  void on_welcome(std::span<const std::byte> body);
  void on_verdict(std::span<const std::byte> body);
  void on_matched(ReplicaStream& stream, Position position);
  void on_snapshot_begin(std::span<const std::byte> body);
  void on_snapshot_chunk(std::span<const std::byte> body);
  void go_on_with_snapshot();
  void end_when_left();
  void on_heartbeat(std::span<const std::byte> body);
  [[nodiscard]] bool acknowledgement_due(const core::Acknowledgement& ack) const noexcept;
  void on_goodbye(std::span<const std::byte> body);
  void fail(core::GoodbyeReason reason, const std::string& text);
  /// The stream claims again; the next one has its turn, after a pause if this one got nowhere.
  void end_turn(const std::string& why);
  void make_way(Instant now);
  [[nodiscard]] bool may_make_way() const noexcept;
  [[nodiscard]] bool catching_up() const noexcept;
  /// Of the stream that has its turn, while a snapshot of it comes; else null.
  [[nodiscard]] SnapshotReceiver* snapshot() const noexcept;

  ReplicaNode& node_;
  ReplicaLink& live_;
  Shard& shard_;
  State state_ = State::idle;
  Instant dial_at_ = kNever;
  Instant dial_until_ = kNever;
  reactor::Operation connect_;
  std::unique_ptr<transport::Connection> connection_;
  bool connection_gone_ = false;
  core::Liveness liveness_;
  core::Backoff backoff_;
  transport::Encoder encoder_;
  std::uint64_t heard_bytes_ = 0;
  std::uint64_t session_ = 0;
  Epoch epoch_;
  Position began_at_ = 0;         ///< where the stream stood when its turn began
  std::optional<Position> snapshot_at_;  ///< the primary's verdict on this connection
  Position moved_to_ = 0;         ///< where it stood, and had room to, at moved_at_
  Instant moved_at_ = kNever;     ///< kNever: the primary has not found it yet
  std::uint64_t frame_bytes_max_ = 0;
  Position told_received_ = 0;
  Position told_durable_ = 0;
  Position told_applied_ = 0;
  Position told_credit_ = 0;
  ReplicaStream* receiving_ = nullptr;
  std::deque<ReplicaStream*> queue_;  ///< the first one has its turn
  std::vector<core::ResumeVerdict> verdicts_;
  std::vector<core::Commit> commits_;
};

}  // namespace quorate::shard
