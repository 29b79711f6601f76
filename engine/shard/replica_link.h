#pragma once

// A replica's side of one connection, to one loop of the primary: dials, says hello, claims what it
// holds, receives frames into the rings of the streams that live on that loop, acknowledges. Lives
// on one loop of the replica; used there only.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/message.h"
#include "core/session.h"
#include "shard/catch_up_link.h"
#include "shard/replica_stream.h"
#include "shard/shard.h"
#include "transport/codec.h"
#include "transport/connection.h"

namespace quorate::shard {

class ReplicaNode;

class ReplicaLink final : public Driver, public transport::Connection::Sink {
 public:
  /// `loop`: of the primary.
  ReplicaLink(ReplicaNode& node, Shard& shard, std::uint32_t loop);

  // Driver
  void expire(Instant now) override;
  void step(Instant now) override;
  void send(Instant now) override;
  void publish(Instant now) override;
  [[nodiscard]] Instant next_deadline(Instant now) const override;

  void touch(ReplicaStream& stream);
  void on_log_progress(ReplicaStream& stream);
  void on_log_changed(ReplicaStream& stream);
  void on_log_cut(ReplicaStream& stream);
  void on_feed_failed(ReplicaStream& stream, const std::string& why);
  /// Frames of the stream came, or more of it may be seen.
  void on_received(ReplicaStream& stream);
  /// The stream claims what it holds, as soon as its log allows.
  void claim_later(ReplicaStream& stream);
  [[nodiscard]] core::Hello hello() const;
  /// On the loop: disconnects and does not dial again.
  void stop();
  [[nodiscard]] bool stopped() const noexcept;

  // transport::Connection::Sink
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override;
  std::byte* on_frame_header(const wire::Envelope& envelope,
                             const wire::FrameHeader& header) override;
  void on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) override;
  void on_send_ready() override {}
  void on_closed(const std::string& why) override;

 private:
  enum class State : std::uint8_t { waiting, dialing, greeting, streaming, stopped };

  static void on_connected(reactor::Operation& operation, std::int32_t result);
  void dial();
  void say_hello();
  void on_welcome(std::span<const std::byte> body);
  [[nodiscard]] bool may_follow(const Epoch& epoch) const;
  void send_claims();
  bool on_verdict(ReplicaStream& stream, const core::ResumeVerdict& verdict);
  void want_copy(ReplicaStream& stream);
  void claim_copies();
  void store_frames();
  void on_resume_reply(std::span<const std::byte> body);
  void on_heartbeat(std::span<const std::byte> body);
  void on_goodbye(std::span<const std::byte> body);
  void end_session(const std::string& why);
  void retry(const std::string& why);
  void acknowledge(Instant now);
  void add_acknowledgement(ReplicaStream& stream);
  void repeat_later(ReplicaStream& stream, Instant now);
  void send_acknowledgements();
  void keep_house(Instant now);
  void fail(core::GoodbyeReason reason, const std::string& text);
  [[nodiscard]] ReplicaStream* stream_of(StreamId id) noexcept;

  ReplicaNode& node_;
  Shard& shard_;
  const std::uint32_t loop_;
  State state_ = State::waiting;
  Instant dial_at_ = 0;
  Instant dial_until_ = kNever;  ///< when the dialing is given up
  reactor::Operation connect_;
  std::unique_ptr<transport::Connection> connection_;
  bool connection_gone_ = false;
  bool replaced_ = false;  ///< another process of this name took over
  bool resumed_ = false;  ///< this session went on from a position above 0
  core::Liveness liveness_;
  std::uint64_t heard_bytes_ = 0;  ///< of the connection, when its peer was heard last
  core::Backoff backoff_;
  core::Backoff copies_backoff_;
  Instant copies_at_ = kNever;  ///< when the streams in wanting_ claim again
  CatchUpLink catch_up_;
  transport::Encoder encoder_;
  std::uint64_t session_ = 0;
  Epoch epoch_;
  std::uint32_t loops_ = 1;  ///< of the primary
  ReplicaStream* receiving_ = nullptr;
  Instant repeat_at_ = kNever;  ///< when the streams in repeating_ are told again
  Instant house_at_ = kNever;

  std::vector<ReplicaStream*> streams_;  ///< of this loop of the primary, by local index
  std::vector<ReplicaStream*> touched_;
  std::vector<ReplicaStream*> telling_;
  std::vector<ReplicaStream*> repeating_;
  std::vector<ReplicaStream*> storing_;
  std::vector<ReplicaStream*> claiming_;
  std::vector<ReplicaStream*> wanting_;  ///< nothing stood for what they lack
  std::vector<core::Acknowledgement> acknowledgements_;
  std::vector<core::ResumeClaim> claims_;
  std::vector<core::ResumeVerdict> verdicts_;
  std::vector<core::Commit> commits_;
};

}  // namespace quorate::shard
