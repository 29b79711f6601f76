#pragma once

// One stream of a primary. The upper half is what application threads touch: the tail ring, the
// registered rules with their watermarks, the counters of each replica: atomics only. The lower
// half belongs to the loop: the machine, the frames in the ring and their encoded headers.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ring_memory.h"
#include "base/tail_ring.h"
#include "base/watermark_waiters.h"
#include "core/frame_index.h"
#include "core/primary_machine.h"
#include "quorate/primary.h"
#include "shard/snapshot_shelf.h"
#include "shard/stream_log.h"
#include "shard/shard.h"
#include "wire/frame.h"

namespace quorate::shard {

class PrimaryDriver;

/// A registered rule: `watermark` is written by the loop and read, polled and slept on by anybody.
struct alignas(128) RuleSlot {
  std::atomic<Position> watermark{0};
  base::WatermarkWaiters waiters;
  std::atomic<std::uint32_t> sleepers{0};  ///< threads that wait for it now
  Rule rule;                    ///< written before rule_count covers this slot
  core::CompiledRule compiled;
};

/// Acknowledgement counters of one replica: written by the loop, readable by any thread.
struct alignas(128) ReplicaCounters {
  std::atomic<Position> sent{0};
  std::atomic<Position> received{0};
  std::atomic<Position> durable{0};
  std::atomic<Position> applied{0};
  std::atomic<ReplicaStatus::State> state{ReplicaStatus::State::absent};
  std::atomic<std::int64_t> lag_since{0};  ///< when the oldest byte not received there was sealed
  std::atomic<std::uint64_t> catch_up_bytes_per_second{0};
};

enum class StreamState : std::uint8_t { open, closed, fenced };

struct PrimaryStreamConfig {
  core::PrimaryConfig machine;
  std::uint64_t ring_bytes = 0;
  std::uint32_t max_record_bytes = 0;
  std::uint32_t max_batch_bytes = 0;
  std::uint32_t frame_slots = 0;
  std::uint32_t local_index = 0;  ///< among the streams of its loop
  log::LogOptions log;            ///< with a log
  bool log_is_state = false;
};

class PrimaryStream final : public ReadyItem, public StreamLog::Owner {
 public:
  PrimaryStream(PrimaryDriver& driver, Shard& shard, base::RingArena& arena, std::uint32_t slice,
                const PrimaryStreamConfig& config, std::span<std::byte> ring,
                std::span<std::byte> frame_memory, const OpenedLog* opened);

  // Any thread.

  base::TailRing::Space claim(std::uint64_t payload_bytes) noexcept {
    base::TailRing::Space space = ring_.claim(payload_bytes);
    if (space.refusal == base::TailRing::Refusal::parked) [[unlikely]] {
      space = open_and_claim(payload_bytes);
    }
    return space;
  }
  void publish(Position begin, std::uint64_t payload_bytes) noexcept {
    ring_.publish(begin, payload_bytes);
    if (!queued.load(std::memory_order_seq_cst)) tell_loop();
  }
  void abandon(Position begin, std::uint64_t payload_bytes) noexcept {
    ring_.abandon(begin, payload_bytes);
    if (!queued.load(std::memory_order_seq_cst)) tell_loop();
  }
  [[nodiscard]] Ticket ticket(Position end) const noexcept { return {epoch(), end, id()}; }
  [[nodiscard]] const Epoch& epoch() const noexcept { return config_.machine.epoch; }
  [[nodiscard]] StreamId id() const noexcept { return config_.machine.stream; }
  [[nodiscard]] Error refusal_error(base::TailRing::Refusal refusal,
                                    std::uint64_t payload_bytes) const;
  [[nodiscard]] Shard& shard() noexcept { return shard_; }
  [[nodiscard]] PrimaryDriver& driver() noexcept { return driver_; }
  [[nodiscard]] base::TailRing& ring() noexcept { return ring_; }
  [[nodiscard]] StreamState state() const noexcept {
    return state_.load(std::memory_order_acquire);
  }
  [[nodiscard]] const std::atomic<bool>& ended() const noexcept { return ended_; }
  [[nodiscard]] std::uint32_t rule_count() const noexcept {
    return rule_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] RuleSlot& rule(std::uint32_t index) noexcept { return rules_[index]; }
  [[nodiscard]] std::uint32_t local_index() const noexcept { return config_.local_index; }
  [[nodiscard]] const ReplicaCounters& counters(std::uint32_t replica) const noexcept {
    return counters_[replica];
  }
  /// False when the deadline passed or no claim can succeed any more.
  bool wait_space(std::uint64_t payload_bytes, Instant deadline);
  /// A ticket of another stream or reign, or a rule that is not registered, cannot be awaited.
  [[nodiscard]] Status check_wait(const Ticket& ticket, RuleId rule) const;
  /// Returns when released, ended or late; outcome() says which. On the thread that hosts the loop
  /// it turns the loop. Error: called from within the loop's turn.
  Status wait_release(Position target, RuleId rule, Instant deadline);
  /// Nodes that have `position` at that level now, the primary included.
  [[nodiscard]] std::uint32_t copies_at(Position position, Level level) const noexcept;
  /// What became of a write that ends at `target`, as of now.
  [[nodiscard]] Outcome outcome(Position target, RuleId rule) const noexcept;
  [[nodiscard]] StreamStatus status(std::span<const std::string> names, Instant now) const;
  Status offer_snapshot(std::string path, Position position);

  // The loop.

  void on_ready() override;  ///< something was published: the driver looks at this stream
  Result<RuleId> register_rule(const Rule& rule, std::span<const std::string> names,
                               std::uint32_t floor_copies);
  /// Seals what has been published into at most `frames_max` frames; true when it sealed any.
  bool seal(std::uint32_t frames_max, Instant now);
  /// Bytes claimed behind the last frame, published or still being written.
  [[nodiscard]] std::uint64_t unsealed_bytes() const noexcept {
    return ring_.claimed() - machine_.sealed();
  }
  /// What the next frame begins with has been published.
  [[nodiscard]] bool can_seal() const noexcept {
    return !frames_.full() && ring_.published(machine_.sealed());
  }
  /// The log may be written from now on. Null without a directory.
  void start_log();
  [[nodiscard]] StreamLog* log() noexcept { return log_.get(); }
  /// Hands the log what it has not taken. True when something is left that it has no room for.
  bool write_log();
  /// What a replica's claim is matched with.
  [[nodiscard]] core::History history(bool takes_snapshots) const;
  /// Null without a directory.
  [[nodiscard]] SnapshotShelf* snapshots() noexcept { return snapshots_.get(); }
  void note_catch_up(std::uint32_t replica, std::uint64_t bytes_per_second) noexcept {
    counters_[replica].catch_up_bytes_per_second.store(bytes_per_second,
                                                       std::memory_order_relaxed);
  }
  /// Of the log: see StreamLog::keep_house().
  void keep_log(Instant now);

  /// Gives space back that nobody needs. Returns when to ask again even if nothing happens.
  Instant reclaim(Instant now);
  /// Makes what the machine decided since the last call visible and wakes who sleeps for it.
  void publish_effects(Instant now);
  /// Gives the ring's pages back if nothing needs them. True when it did.
  bool park_if_idle(Instant now);
  /// Refuses claims from now on; what was published is still delivered.
  void begin_close();
  /// Final: resolves every waiter that is not released to `unknown`.
  void end(StreamState state);

  [[nodiscard]] std::span<const std::byte> prologue(const core::FrameEntry& frame) const noexcept {
    return {prologues_ + frame.prologue_slot * kPrologueStride, wire::kFramePrologueBytes};
  }
  [[nodiscard]] std::span<const std::byte> records(const core::FrameEntry& frame) const noexcept {
    return {ring_.at(frame.begin), frame.end - frame.begin};
  }
  [[nodiscard]] Position reclaimed() const noexcept { return reclaimed_; }

  static constexpr std::size_t kPrologueStride = 192;
  static std::size_t frame_memory_bytes(std::uint32_t frame_slots) noexcept;

  core::PrimaryMachine& machine() noexcept { return machine_; }
  [[nodiscard]] const core::PrimaryMachine& machine() const noexcept { return machine_; }
  core::FrameIndex& frames() noexcept { return frames_; }

  // The driver's notes about this stream.

  core::PrimaryEffects effects;
  std::uint64_t changed_replicas = 0;  ///< bit i: counters of replica i are to be published
  bool active = false;           ///< in the driver's list of streams with something to seal
  bool crowded = false;          ///< left that list because its frame index is full
  bool touched = false;          ///< in the driver's list of streams with something to publish
  bool resident = false;         ///< in the driver's list of streams that hold ring pages
  bool logging = false;          ///< in the driver's list of streams with something for the log
  Instant stuck_since = kNever;  ///< when the loop first saw the claim that nobody publishes
  Instant held_since = kNever;   ///< since when published records wait for a free connection
  Instant used_at = 0;           ///< when the last frame was sealed
  std::uint64_t records_sealed = 0;  ///< since the driver counted last, as the two below
  std::uint64_t frames_sealed = 0;
  std::uint64_t bytes_sealed = 0;

 private:
  base::TailRing::Space open_and_claim(std::uint64_t payload_bytes) noexcept;
  void tell_loop() noexcept;
  /// True when this thread hosts the loop and may turn it now.
  [[nodiscard]] bool turns_here();
  void seal_frame(const base::TailRing::Walk& walk, Instant now);
  void publish_replica(std::uint32_t replica, Instant now) noexcept;
  void on_log_durable(Position durable) override;
  void on_log_changed() override;
  void on_log_trouble(const Error& error) override;
  [[nodiscard]] Position log_needed_from() const noexcept override;
  [[nodiscard]] bool log_waits_for_commit() const noexcept override { return true; }
  /// When the frame that begins there was sealed; kNever when the ring does not hold it any more.
  [[nodiscard]] Instant sealed_at(Position position) const noexcept;

  PrimaryDriver& driver_;
  Shard& shard_;
  base::RingArena& arena_;
  const std::uint32_t slice_;
  const PrimaryStreamConfig config_;

  base::TailRing ring_;
  std::atomic<StreamState> state_{StreamState::open};
  std::atomic<bool> refusing_{false};  ///< closed or fenced: no claim succeeds any more
  std::atomic<bool> ended_{false};     ///< closed or fenced for good: waiters get `unknown`
  std::atomic<Position> sealed_{0};
  std::atomic<Position> committed_{0};
  std::atomic<Position> durable_{0};
  std::atomic<bool> lacks_space_{false};
  std::atomic<bool> log_full_{false};
  std::atomic<Position> log_first_{0};
  std::atomic<std::uint64_t> log_bytes_{0};
  std::atomic<RetentionState> retention_{RetentionState::ok};
  std::atomic<std::uint32_t> rule_count_{0};
  std::unique_ptr<RuleSlot[]> rules_;
  std::unique_ptr<ReplicaCounters[]> counters_;
  base::WatermarkWaiters space_waiters_;

  core::PrimaryMachine machine_;
  core::FrameIndex frames_;
  std::span<std::byte> frame_memory_;
  std::byte* prologues_;
  std::uint32_t next_prologue_ = 0;
  std::uint32_t last_checksum_ = 0;
  Epoch last_epoch_;
  Position reclaimed_ = 0;
  std::unique_ptr<StreamLog> log_;
  std::uint64_t log_hint_ = 0;                ///< cursor in frames_ of what the log takes next
  std::vector<core::EpochEnd> log_epochs_;
  std::unique_ptr<SnapshotShelf> snapshots_;  ///< with a log, which it reads
};

}  // namespace quorate::shard
