#pragma once

// One stream of a replica: its ring, its machine, and the cursor of the applying thread. The loop
// of its connection receives into the ring; the applying thread reads what is exposed. They share
// nothing but the atomics below.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <span>

#include "base/fifo.h"
#include "base/ready_list.h"
#include "base/ring_memory.h"
#include "core/replica_machine.h"
#include "quorate/replica.h"
#include "shard/program_feed.h"
#include "shard/shard.h"
#include "shard/snapshot_receiver.h"
#include "shard/stream_log.h"
#include "wire/frame.h"

namespace quorate::shard {

class ReplicaLink;

/// Where frames are received, and, with a log, what the program reads.
struct ReplicaRings {
  std::span<std::byte> received;
  std::span<std::byte> shown;
};

class ReplicaStream final : public ReadyItem, public StreamLog::Owner {
 public:
  ReplicaStream(const core::ReplicaStreamConfig& config, Shard& shard, base::RingArena& arena,
                std::uint32_t slice, const ReplicaRings& rings, base::ReadyList& to_apply,
                const OpenedLog* opened, bool confirmed);

  // The applying thread.

  /// Before it is looked at: from here on the loop may put it into the list again.
  void rearm() noexcept { apply_node_.queued.store(false, std::memory_order_seq_cst); }
  /// Has the program take the snapshot that stands for what it has not seen, if there is one. An
  /// error is the program's; it is asked again.
  Status install(const Install& function);
  /// Applies up to `records_max` exposed records; returns how many. Tells the loop.
  std::size_t apply(const Apply& function, std::size_t records_max, const std::atomic<bool>& stop);
  [[nodiscard]] bool has_more() const noexcept {
    return exposed_.load(std::memory_order_seq_cst) > cursor_;
  }
  /// What the applying thread's list queues.
  struct ApplyNode final : base::ReadyNode {
    ReplicaStream* stream = nullptr;
  };

  // Any thread.

  [[nodiscard]] ReplicaStreamStatus status() const;
  Status confirm(Position position);
  [[nodiscard]] bool needs_full_copy() const noexcept {
    return needs_full_copy_.load(std::memory_order_acquire);
  }

  // The loop.

  void on_ready() override;  ///< the applying thread has moved its cursor
  core::ReplicaMachine& machine() noexcept { return machine_; }
  [[nodiscard]] const core::ReplicaMachine& machine() const noexcept { return machine_; }
  /// Where the records of a frame go that its machine accepted. `committed`: as its envelope says.
  [[nodiscard]] std::byte* place(Position begin, Position end, Position committed,
                                 Instant now) noexcept;
  /// A frame is received: its records lie in their place.
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> prologue);

  /// Null without a directory.
  [[nodiscard]] StreamLog* log() noexcept { return log_.get(); }
  void start_log();
  /// A claim says what is held: not while that is being cut, nor before the promise to follow
  /// nobody older is durable. Nor while records still come: two connections must not write into
  /// one ring, and what answers the claim is followed by frames.
  [[nodiscard]] bool may_claim(const Epoch& epoch) const noexcept {
    if (receiving) return false;
    return !log_ || (!cut_at_ && !anew_ && !log_->cutting() && !log_->failed() &&
                     log_->promised() >= epoch);
  }
  /// Hands the log what it has not taken, and the program what it may see. True when something is
  /// left for the log.
  bool store();
  /// The primary never had what is held behind `position`.
  void cut(Position position);
  /// Null unless the program takes snapshots.
  [[nodiscard]] SnapshotReceiver* snapshots() noexcept { return receiver_.get(); }
  /// The disk holds that snapshot. The old log goes, though what it holds may have been released:
  /// all of that is in the snapshot, which is of what is committed and reaches further.
  void begin_anew(const core::SnapshotHead& head);
  /// The program is to take a snapshot; until it has, no other one may come.
  [[nodiscard]] bool installing() const noexcept { return installing_; }
  /// Called until it answers true: nothing of the log is in flight any more.
  bool close_log();
  [[nodiscard]] Shard& shard() noexcept { return shard_; }

  /// Makes the machine's state visible; true when there is newly something to apply.
  bool publish();
  /// Gives the ring's pages back when all of it is applied and nothing came for a while, and looks
  /// after the log. Now and then.
  void keep_house(Instant now);

  ReplicaLink* link = nullptr;   ///< the connection that carries it
  bool touched = false;          ///< in the link's list of streams to publish
  bool telling = false;          ///< in the link's list of streams to acknowledge
  bool repeating = false;        ///< in the link's list of streams to acknowledge once more
  core::Awaited awaited;         ///< as the primary says
  bool receiving = false;        ///< a frame's records are partly in the ring
  bool storing = false;          ///< in the link's list of streams with something for the log
  bool claim_due = false;        ///< in the link's list of streams to claim
  Instant used_at = 0;

 private:
  /// What stands before the records of a frame. It was verified when it came.
  using Head = std::array<std::byte, wire::kFramePrologueBytes>;

  void on_log_durable(Position durable) override;
  void on_log_changed() override;
  void on_log_trouble(const Error& error) override;
  [[nodiscard]] Position log_needed_from() const noexcept override;
  [[nodiscard]] Position log_firm_from() const noexcept override;
  void on_log_cut(const log::LogEnd& end) override;
  void feed();
  void give_back_if_idle(Instant now);
  void tell_limit();
  void ask_to_install(const core::SnapshotHead& head);
  void on_installed();

  core::ReplicaMachine machine_;
  std::unique_ptr<StreamLog> log_;
  log::LimitState limit_ = log::LimitState::within;  ///< as was told last
  bool log_started_ = false;
  /// Of the frames whose records are in the ring and not yet in the log. The machine lets in no
  /// more than there is room for.
  base::Fifo<Head> waiting_;
  std::optional<Position> cut_at_;
  std::unique_ptr<ProgramFeed> feed_;  ///< with a log
  bool feed_failed_ = false;
  Position shown_at_house_ = 0;
  std::unique_ptr<SnapshotReceiver> receiver_;
  std::optional<core::SnapshotHead> anew_;  ///< the log is to begin behind it
  bool installing_ = false;
  bool install_told_ = false;
  Position install_from_ = 0;  ///< where the log begins behind what is to be installed
  Shard& shard_;
  base::RingArena& arena_;
  const std::uint32_t slice_;
  std::byte* ring_;
  const std::byte* shown_;  ///< what the program reads
  base::ReadyList& to_apply_;
  bool resident_ = false;
  ApplyNode apply_node_;

  std::atomic<std::uint64_t> epoch_number_{0};
  std::atomic<std::uint64_t> epoch_incarnation_{0};
  std::atomic<Position> received_{0};
  std::atomic<Position> durable_{0};
  std::atomic<RetentionState> retention_{RetentionState::ok};
  std::atomic<bool> needs_full_copy_{false};
  alignas(128) std::atomic<Position> exposed_{0};  ///< written by the loop
  alignas(128) std::atomic<Position> read_{0};     ///< written by the applying thread
  std::atomic<Position> applied_{0};  ///< by it as well, or by who confirms
  const bool confirmed_;              ///< the program says itself what it has applied
  /// Set by the loop when to_install_ is there to be read, and by the applying thread when it has
  /// been installed; to_install_ does not change in between.
  std::atomic<bool> install_pending_{false};
  Snapshot to_install_;
  Position cursor_ = 0;                            ///< the applying thread's own
};

}  // namespace quorate::shard
