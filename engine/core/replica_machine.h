#pragma once

// The replica's side of one stream: which frame may come next, what is exposed to the program, what
// is acknowledged. Sans-I/O, as core/primary_machine.h. Owned by the loop of the connection.

#include <cstdint>

#include "base/time.h"
#include "core/message.h"
#include "quorate/types.h"

namespace quorate::core {

enum class FrameVerdict : std::uint8_t {
  accept,       ///< continues what is held
  not_session,  ///< no session, or the stream needs a full copy
  wrong_epoch,  ///< sealed in an epoch this session does not expect
  gap,          ///< does not begin where the held bytes end
  mismatch,     ///< names another predecessor than the frame held last
  no_credit,    ///< beyond the credit limit given
};
std::string_view to_string(FrameVerdict verdict) noexcept;

struct ReplicaStreamConfig {
  StreamId stream = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t ring_bytes = 0;
};

class ReplicaMachine {
 public:
  enum class State : std::uint8_t { idle, claiming, streaming, needs_full_copy };

  explicit ReplicaMachine(const ReplicaStreamConfig& config) noexcept : config_(config) {}

  // Events.

  /// A session with a primary of `epoch` has begun; claim() is to be sent. Also after
  /// needs_full_copy: each primary answers for itself.
  void on_session(const Epoch& epoch) noexcept;
  /// The primary's answer, or, while streaming, its word that it cannot go on (needs_full_copy).
  /// False: it does not fit the claim (close the connection).
  bool on_verdict(const ResumeVerdict& verdict) noexcept;
  void on_disconnected() noexcept;

  /// May this frame be placed behind what is held? Asked when its header has been verified.
  [[nodiscard]] FrameVerdict check_frame(const FrameInfo& frame) const noexcept;
  /// The frame's body has been verified: it is received. Only after check_frame accepted it.
  void on_frame(const FrameInfo& frame) noexcept;
  /// The primary's committed position. Counts only in this session, once the claim is matched, and
  /// up to what is received: another primary may hold other bytes there.
  void on_committed(Position committed) noexcept;
  /// The program has applied up to here. Monotone.
  void on_applied(Position applied) noexcept;

  // Questions.

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] ResumeClaim claim() const noexcept;
  [[nodiscard]] Acknowledgement acknowledgement() const noexcept;
  /// Something changed that the primary should be told now: what is received always; what is
  /// applied when somebody awaits it, or when it makes enough room for the primary to send more.
  [[nodiscard]] bool acknowledgement_due(bool applied_awaited) const noexcept;
  /// The primary knows less than it could; told at the next heartbeat.
  [[nodiscard]] bool behind_on_telling() const noexcept {
    return state_ == State::streaming && (received_ != told_received_ || applied_ != told_applied_);
  }
  void on_acknowledged() noexcept;  ///< acknowledgement() was handed to the connection

  [[nodiscard]] Position received() const noexcept { return received_; }
  /// What the program may see: committed and received. Never falls.
  [[nodiscard]] Position exposed() const noexcept;
  [[nodiscard]] Position applied() const noexcept { return applied_; }
  [[nodiscard]] const Epoch& epoch() const noexcept { return session_epoch_; }
  [[nodiscard]] const ReplicaStreamConfig& config() const noexcept { return config_; }
  /// Room of the ring in front of the applied position; never falls.
  [[nodiscard]] Position credit_limit() const noexcept { return applied_ + config_.ring_bytes; }

 private:
  void end_session() noexcept;

  ReplicaStreamConfig config_;
  State state_ = State::idle;
  Epoch session_epoch_;       ///< of the primary of this session
  Epoch last_epoch_;          ///< of the last frame held
  std::uint32_t last_checksum_ = 0;
  Position received_ = 0;     ///< Invariant: applied_ <= received_.
  Position committed_ = 0;    ///< proved by sessions that ended. Invariant: at most received_
  Position told_committed_ = 0;  ///< by this session's primary; may be ahead of received_
  Position applied_ = 0;
  Position told_received_ = 0;
  Position told_applied_ = 0;
};

}  // namespace quorate::core
