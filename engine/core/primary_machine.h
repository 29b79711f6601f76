#pragma once

// The primary's side of one stream: who has what, what may be sent, what is released, which ring
// space may be used again. Sans-I/O: events and time come in as arguments, effects go out; no
// clock, thread, atomic, callback or heap use after construction. Owned by the stream's loop.

#include <array>
#include <cstdint>
#include <span>

#include "base/time.h"
#include "core/frame_index.h"
#include "core/message.h"
#include "core/quorum.h"
#include "quorate/options.h"
#include "quorate/types.h"

namespace quorate::core {

enum class ReplicaState : std::uint8_t {
  absent,
  streaming,
  parked,
  needs_full_copy,
  catching_up,  ///< is fed from the log over a connection of its own, until it claims again
};

inline constexpr Position kNoLog = ~Position{0};

/// What a primary can still send, and the reigns it knows of.
struct History {
  const FrameIndex& frames;
  Position reclaimed = 0;     ///< the ring holds what follows
  Position oldest = kNoLog;   ///< the log holds what follows; kNoLog: there is no log
  std::span<const EpochEnd> epochs = {};  ///< of the log before this reign, ascending
  /// Where the log would begin anew behind a snapshot that this claimant can take; 0: there is
  /// none. Only one of what is committed is given out.
  Position snapshot = 0;
};

/// One replica as this stream's primary sees it. Fields below `state` mean something only while the
/// replica has a session, except the acknowledged positions, which stay as last known.
struct ReplicaProgress {
  ReplicaState state = ReplicaState::absent;
  std::uint64_t incarnation = 0;
  Position sent = 0;         ///< next byte to send: end of the last frame whose send was started
  Position pin = 0;          ///< begin of what a send in flight reads; == sent when none
  Position received = 0;
  Position durable = 0;
  Position applied = 0;
  Position credit_limit = 0;
  FrameCredit frames;
  bool holds = true;         ///< false once dropped: it no longer makes append busy
  bool barren = false;       ///< its session has brought no progress: the next gets no new patience
  bool outpaced = false;     ///< had its courtesy: holds nobody until it has caught up
  Instant courtesy_since = kNever;  ///< since when it alone stands in the way
  Instant progress_at = 0;   ///< last time `received` rose, or patience began anew
};

/// What a step asks for. Reused every turn; kinds need no order among themselves.
struct PrimaryEffects {
  std::uint32_t rules_advanced = 0;  ///< bit r: watermark(r) rose
  bool committed_advanced = false;
  std::uint64_t park = 0;     ///< bit i: cancel the send of replica i and copy its unsent rest
  std::uint64_t dropped = 0;  ///< bit i: replica i no longer holds the ring (event)
  std::uint64_t lost = 0;     ///< bit i: the ring no longer has what replica i needs; tell it
  void clear() { *this = PrimaryEffects{}; }
};

struct PrimaryConfig {
  StreamId stream = 0;
  Epoch epoch;
  std::uint32_t replicas = 0;
  std::uint32_t protected_copies = 1;  ///< primary included; at most replicas + 1
  LagPolicy::Kind lag = LagPolicy::Kind::hold;
  std::int64_t stall_limit_ns = 0;
  std::int64_t courtesy_ns = 0;
  /// With a log: what the primary itself has counts as durable when the log says so, the protected
  /// rule asks for durable copies, and who falls behind the ring is fed from the log.
  bool durable = false;
  Position start = 0;      ///< end of the log when this reign began
  Position committed = 0;  ///< known then; at most `start`
};

class PrimaryMachine {
 public:
  explicit PrimaryMachine(const PrimaryConfig& config) noexcept;

  // Events.

  /// A rule was registered; its watermark starts at what is already released under it.
  void on_rule(std::uint32_t index, const CompiledRule& rule, PrimaryEffects& effects) noexcept;

  /// A frame was sealed: the primary has the stream up to `end` at level received.
  void on_sealed(Position end, PrimaryEffects& effects) noexcept;

  /// The primary's own log is durable up to here. Monotone; at most what is sealed.
  void on_durable(Position durable, PrimaryEffects& effects) noexcept;

  /// A replica with a new session says what it holds. After `resumed` and `from_start` it is
  /// streaming from the position in the verdict. A claim is matched by position, epoch and checksum
  /// of a frame end; a claim at 0 names no frame. After every other verdict it may claim again;
  /// a claim while it is streaming is answered `needs_full_copy` and changes nothing: the driver
  /// closes. What only the log holds is matched by who reads it there.
  ResumeVerdict on_resume(std::uint32_t replica, const ResumeClaim& claim, const History& history,
                          Instant now, PrimaryEffects& effects) noexcept;

  /// What a claim would be answered, without any effect: for a connection that catches up.
  [[nodiscard]] Verdict judge(const ResumeClaim& claim, const History& history,
                              Position& position) const noexcept;

  /// False: not of this session (wrong epoch, incarnation or state), or beyond what was sent, or
  /// contradicting itself (durable or applied above received). A lower position than known is
  /// ignored, not an error. The driver closes the connection on `violation`.
  enum class AckVerdict : std::uint8_t { counted, stale, violation };
  AckVerdict on_acknowledgement(std::uint32_t replica, const Acknowledgement& ack, Instant now,
                                PrimaryEffects& effects) noexcept;

  /// A replica that is catching up is known to hold this history up to its claim, or was sent
  /// frames up to here. From then on what it acknowledges counts like anybody's.
  void on_fed(std::uint32_t replica, Position end) noexcept;

  void on_send_started(std::uint32_t replica, Position end, std::uint32_t frames) noexcept;
  /// The send in flight went out whole. If it was to be parked it got away in time: it streams.
  void on_send_finished(std::uint32_t replica) noexcept;
  /// The send in flight was cut: what is before `sent`, a frame end, was sent or copied; what is
  /// behind it, `frames` of those that were started, will be sent again. A parked replica stays so
  /// until its connection has drained.
  void on_send_cut(std::uint32_t replica, Position sent, std::uint32_t frames) noexcept;
  /// A parked replica's connection has drained: it streams again if the ring still has its next
  /// byte, else it is lost.
  void on_drained(std::uint32_t replica, Position reclaimed, PrimaryEffects& effects) noexcept;
  /// The session is over and nothing reads the ring for it any more. What it acknowledged stays
  /// known and counted; under `hold` it goes on holding until its patience ends.
  void on_detached(std::uint32_t replica) noexcept;

  /// Asks to use ring space below `wanted`, a frame end, again; returns how far that is allowed
  /// now: less or more than before, never more than `wanted`. A peer may acknowledge the middle of
  /// a frame, so the driver rounds the answer down to a frame end.
  /// Effects: parks sends of replicas that are behind and hold nobody; under `hold`, drops those
  /// without progress for the stall limit where the live ones are too few for a rule; marks those
  /// lost whose next byte goes away. A dropped replica that is no longer in the way holds again.
  Position reclaim(Position wanted, Instant now, PrimaryEffects& effects) noexcept;

  // Questions.

  [[nodiscard]] Position sealed() const noexcept { return sealed_; }
  [[nodiscard]] Position committed() const noexcept { return committed_; }
  [[nodiscard]] Position durable() const noexcept { return durable_; }
  [[nodiscard]] Position watermark(std::uint32_t rule) const noexcept {
    return watermarks_[rule];
  }
  /// A rule that counts copies at that level is registered, or is what makes a record committed:
  /// whether or not a write waits just now, replicas are to tell of it at once.
  [[nodiscard]] bool awaits(Level level) const noexcept {
    return awaited_[static_cast<std::size_t>(level)];
  }
  [[nodiscard]] const ReplicaProgress& replica(std::uint32_t i) const noexcept {
    return replicas_[i];
  }
  [[nodiscard]] std::uint32_t replica_count() const noexcept { return config_.replicas; }
  [[nodiscard]] const Epoch& epoch() const noexcept { return config_.epoch; }
  [[nodiscard]] StreamId stream() const noexcept { return config_.stream; }

  /// The range that may be sent to a replica now: from its `sent` to the smaller of what is sealed
  /// and its credit (a frame may start below the credit only if it also ends there: the driver
  /// checks ends), and of that so many frames. Empty while it is not streaming, a send is in flight
  /// or it has no room for another frame.
  struct Range {
    Position begin = 0;
    Position end = 0;
    std::uint32_t frames = 0;
    [[nodiscard]] bool empty() const { return begin >= end; }
  };
  [[nodiscard]] Range sendable(std::uint32_t replica) const noexcept;

  /// When reclaim() must be asked again because a stall limit ends; kNever when nobody stalls.
  [[nodiscard]] Instant next_deadline() const noexcept { return deadline_; }

 private:
  using Positions = std::array<Position, kReplicasMax>;
  static constexpr std::size_t kLevels = 3;

  [[nodiscard]] bool matches(const ResumeClaim& claim, const History& history) const noexcept;
  [[nodiscard]] Position common_end(const ResumeClaim& claim,
                                    const History& history) const noexcept;
  [[nodiscard]] Position own(Level level) const noexcept;
  [[nodiscard]] bool fed(const ReplicaProgress& replica) const noexcept;
  void recompute(PrimaryEffects& effects) noexcept;
  void copy_positions(Level level, Positions& out) const noexcept;
  [[nodiscard]] CompiledRule held_part(const CompiledRule& rule) const noexcept;
  [[nodiscard]] Position hold_floor() const noexcept;
  void hold_again(Position wanted) noexcept;
  void drop_stalled(Position wanted, Instant now, PrimaryEffects& effects) noexcept;
  void drop_stalled_of(const CompiledRule& rule, Position wanted, Instant now,
                       PrimaryEffects& effects) noexcept;
  [[nodiscard]] Position courtesy_floor(Position target, Instant now,
                                        PrimaryEffects& effects) noexcept;
  [[nodiscard]] Position park_behind(Position target, PrimaryEffects& effects) noexcept;
  void lose_passed(Position reclaimed, PrimaryEffects& effects) noexcept;

  PrimaryConfig config_;
  std::array<ReplicaProgress, kReplicasMax> replicas_{};
  CompiledRule protected_;
  std::array<CompiledRule, kRulesMax> rules_{};
  std::array<Position, kRulesMax> watermarks_{};  ///< Invariant: never falls.
  std::uint32_t rule_count_ = 0;
  std::array<bool, kLevels> level_used_{};  ///< by a rule; received always is, by the protected one
  std::array<bool, kLevels> awaited_{};     ///< see awaits()
  std::uint64_t holders_ = 0;               ///< bit i: replicas_[i].holds
  Position sealed_ = 0;
  Position committed_ = 0;
  Position durable_ = 0;  ///< Invariant: at most sealed_.
  Instant deadline_ = kNever;
  Instant stalled_since_ = kNever;  ///< when reclaim() first fell short because somebody holds
};

}  // namespace quorate::core
