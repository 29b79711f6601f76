#pragma once

// The replica's side of one stream: which frame may come next, what is exposed to the program, what
// is acknowledged. Sans-I/O, as core/primary_machine.h. Owned by the loop of the connection.

#include <cstdint>

#include "base/time.h"
#include "core/frame_credit.h"
#include "core/message.h"
#include "quorate/types.h"

namespace quorate::core {

enum class FrameVerdict : std::uint8_t {
  accept,       ///< continues what is held
  not_session,  ///< no session, or the stream needs a full copy
  wrong_epoch,  ///< sealed in an epoch this session does not expect
  gap,          ///< does not begin where the held bytes end
  mismatch,     ///< names another predecessor than the frame held last
  no_credit,    ///< beyond the credit given, in bytes or in frames
};
std::string_view to_string(FrameVerdict verdict) noexcept;

struct ReplicaStreamConfig {
  StreamId stream = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t ring_bytes = 0;
  /// With a log: what it holds counts as durable when the log says so, nothing is exposed before,
  /// and what the ring lost is caught up with. The log's end and last frame when it was opened:
  bool durable = false;
  Position start = 0;
  Epoch last_epoch{};
  std::uint32_t last_checksum = 0;
  Position committed = 0;  ///< known then; at most `start`
  Position applied = 0;    ///< by the program in earlier lives; may be beyond `start`
  bool takes_snapshots = false;  ///< with a log only
  /// With a log: so many frames that are received may wait for it.
  std::uint32_t frames_max = kFramesUnlimited;
};

/// With a log: what is copied for the program, and what it may see of that.
struct Fed {
  Position shown = 0;
  Position copied = 0;  ///< the ring of the frames need not hold what lies before
  Position floor = 0;   ///< that ring holds what follows
  bool slow = false;    ///< it is the program that makes no room for more
};

/// Levels that somebody at the primary waits for, and is to be told of at once.
struct Awaited {
  bool received = true;
  bool applied = false;
};

class ReplicaMachine {
 public:
  enum class State : std::uint8_t {
    idle,
    claiming,
    streaming,
    needs_full_copy,
    /// Frames, or a snapshot, come over another connection; then it claims again.
    catching_up,
    truncating,   ///< the end of the log is to be cut; then it claims again
  };

  explicit ReplicaMachine(const ReplicaStreamConfig& config) noexcept;

  // Events.

  /// A session with a primary of `epoch` has begun; claim() is to be sent. Also after
  /// needs_full_copy: each primary answers for itself, and with snapshots, each time.
  void on_session(const Epoch& epoch) noexcept;
  /// The primary's answer, or, while streaming, its word that it cannot go on (needs_full_copy).
  /// False: it does not fit the claim (close the connection).
  bool on_verdict(const ResumeVerdict& verdict) noexcept;
  /// While it catches up: the primary has found what is held to be of its history.
  void on_matched() noexcept { matched_ = matched_ || state_ == State::catching_up; }
  /// The connection that caught up has ended, or the cut is done: claim() is to be sent again.
  void on_claiming_again() noexcept;
  /// The log was cut there; that frame is its last one now. Never below committed().
  void on_truncated(Position end, const Epoch& epoch, std::uint32_t checksum) noexcept;
  /// The log begins there now, behind that frame: what was held before is gone, and a snapshot of
  /// what is committed stands for it. The program has not taken it yet: see on_installed().
  void on_begun_anew(Position end, const Epoch& epoch, std::uint32_t checksum) noexcept;
  /// The program's state is that of a snapshot: `program` may be beyond what is received.
  void on_installed(Position program) noexcept;
  void on_disconnected() noexcept;

  /// May this frame be placed behind what is held? Asked when its header has been verified. Over
  /// the live connection frames come while streaming, over the other one while catching up.
  [[nodiscard]] FrameVerdict check_frame(const FrameInfo& frame,
                                         State expected = State::streaming) const noexcept;
  /// The frame's body has been verified: it is received. Only after check_frame accepted it.
  void on_frame(const FrameInfo& frame) noexcept;
  /// The primary's committed position. Counts only in this session, once the claim is matched, and
  /// up to what is received: another primary may hold other bytes there.
  void on_committed(Position committed) noexcept;
  /// The program has applied up to here. Monotone.
  void on_applied(Position applied) noexcept;
  /// The program has been shown what lies before, and does not look at it again. Monotone; what is
  /// applied has been read.
  void on_read(Position read) noexcept;
  /// The log has taken the next frame, which ends here: it needs that in the ring no longer.
  void on_stored(Position stored) noexcept;
  /// The log's writes up to here have ended.
  void on_durable(Position durable) noexcept;
  void on_fed(const Fed& fed) noexcept;
  /// For long nothing became committed of what is received, and there is no room for more of it:
  /// frames are not to wait for that.
  void on_nothing_shown() noexcept;

  // Questions.

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] ResumeClaim claim() const noexcept;
  [[nodiscard]] Acknowledgement acknowledgement() const noexcept;
  /// Something changed that the primary should be told now: what is durable always; what is
  /// received or applied when somebody awaits it, or when there is so much of it that the primary
  /// would stop sending.
  [[nodiscard]] bool acknowledgement_due(const Awaited& awaited) const noexcept;
  /// The primary knows less than it could; told at the next heartbeat.
  [[nodiscard]] bool behind_on_telling() const noexcept {
    return state_ == State::streaming &&
           (received_ != told_received_ || read_ != told_read_ || applied_ != told_applied_ ||
            durable_ != told_durable_);
  }
  void on_acknowledged() noexcept;  ///< acknowledgement() was handed to the connection

  [[nodiscard]] Position received() const noexcept { return received_; }
  /// What the program may see: committed and received. Never falls.
  [[nodiscard]] Position exposed() const noexcept;
  [[nodiscard]] Position applied() const noexcept { return applied_; }
  [[nodiscard]] Position read() const noexcept { return read_; }
  [[nodiscard]] Position durable() const noexcept { return durable_; }
  [[nodiscard]] Position stored() const noexcept { return stored_; }
  /// This session's primary goes on behind what is held: it is of its history.
  [[nodiscard]] bool matched() const noexcept { return matched_; }
  /// Committed for certain, by this session or an earlier one: never to be cut.
  [[nodiscard]] Position committed() const noexcept;
  [[nodiscard]] const Epoch& epoch() const noexcept { return session_epoch_; }
  [[nodiscard]] const ReplicaStreamConfig& config() const noexcept { return config_; }
  /// Room of the ring in front of what is still read there: by the program, or, with a log, by who
  /// copies for the program. The log can give that back what the ring lost, but every byte is read
  /// from the disk then while others are written, so it is waited for while it gets on. A program
  /// that is slow, and records that nobody commits, are not. Falls only with a claim or a cut.
  [[nodiscard]] Position credit_limit() const noexcept;
  /// Frames may be received up to that number: see Acknowledgement::frame_limit. Never falls.
  [[nodiscard]] std::uint32_t frame_limit() const noexcept {
    return stored_frames_ + config_.frames_max;
  }
  /// No other frame has room before the log takes one.
  [[nodiscard]] bool out_of_frames() const noexcept { return frames_ == frame_limit(); }

 private:
  void end_session() noexcept;
  [[nodiscard]] bool received_due(bool awaited) const noexcept;
  bool on_truncate(Position position) noexcept;
  [[nodiscard]] Position kept_from() const noexcept;
  void grant() noexcept;
  bool on_snapshot(Position position) noexcept;

  ReplicaStreamConfig config_;
  State state_ = State::idle;
  Epoch session_epoch_;       ///< of the primary of this session
  Epoch last_epoch_;          ///< of the last frame held
  std::uint32_t last_checksum_ = 0;
  Position received_ = 0;
  Position durable_ = 0;      ///< Invariant: durable_ <= stored_ <= received_.
  Position stored_ = 0;
  Position committed_ = 0;    ///< proved by sessions that ended. Invariant: at most received_
  Position told_committed_ = 0;  ///< by this session's primary; may be ahead of received_
  Position read_ = 0;         ///< Invariant: applied_ <= read_.
  Position applied_ = 0;      ///< beyond received_ only when the log lost what was applied
  Position told_received_ = 0;
  Position told_read_ = 0;
  Position told_applied_ = 0;
  Position told_durable_ = 0;
  Position told_credit_ = 0;
  std::uint32_t untold_frames_ = 0;
  std::uint32_t frames_ = 0;         ///< received ever; wraps around
  std::uint32_t stored_frames_ = 0;  ///< of those, what waits for no log any more
  Fed fed_;
  Position granted_ = 0;  ///< with a log: the credit limit that a peer may have been told
  bool let_go_ = false;   ///< until more is shown
  bool matched_ = false;  ///< what is held is known to be the history of this session's primary
};

}  // namespace quorate::core
