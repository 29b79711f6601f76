#pragma once

// One stream of a primary. The upper half is what application threads touch: the tail ring, the
// registered rules with their watermarks, the counters of each replica: atomics only. The lower half
// belongs to the loop: the machine, the frames in the ring and their encoded headers.

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
#include "shard/shard.h"
#include "wire/frame.h"

namespace quorate::shard {

class PrimaryDriver;

/// A registered rule: `watermark` is written by the loop and read, polled and slept on by anybody.
struct alignas(128) RuleSlot {
  std::atomic<Position> watermark{0};
  base::WatermarkWaiters waiters;
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
};

enum class StreamState : std::uint8_t { open, closed, fenced };

struct PrimaryStreamConfig {
  core::PrimaryConfig machine;
  std::uint64_t ring_bytes = 0;
  std::uint32_t max_record_bytes = 0;
  std::uint32_t max_batch_bytes = 0;
  std::uint32_t frame_slots = 0;
};

class PrimaryStream : public ReadyItem {
 public:
  PrimaryStream(PrimaryDriver& driver, Shard& shard, base::RingArena& arena, std::uint32_t slice,
                const PrimaryStreamConfig& config, std::span<std::byte> ring,
                std::span<std::byte> frame_memory);

  // Any thread.

  base::TailRing::Space claim(std::uint64_t payload_bytes) noexcept {
    base::TailRing::Space space = ring_.claim(payload_bytes);
    if (space.refusal == base::TailRing::Refusal::parked) [[unlikely]] space = open_and_claim(payload_bytes);
    return space;
  }
  void publish(Position begin, std::uint64_t payload_bytes) noexcept {
    ring_.publish(begin, payload_bytes);
    if (!queued.load(std::memory_order_acquire)) shard_.notify(*this);
  }
  void abandon(Position begin, std::uint64_t payload_bytes) noexcept {
    ring_.abandon(begin, payload_bytes);
    if (!queued.load(std::memory_order_acquire)) shard_.notify(*this);
  }
  [[nodiscard]] Ticket ticket(Position end) const noexcept { return {epoch(), end, id()}; }
  [[nodiscard]] const Epoch& epoch() const noexcept { return config_.machine.epoch; }
  [[nodiscard]] StreamId id() const noexcept { return config_.machine.stream; }
  [[nodiscard]] Error refusal_error(base::TailRing::Refusal refusal,
                                    std::uint64_t payload_bytes) const;
  [[nodiscard]] Shard& shard() noexcept { return shard_; }
  [[nodiscard]] PrimaryDriver& driver() noexcept { return driver_; }
  [[nodiscard]] base::TailRing& ring() noexcept { return ring_; }
  [[nodiscard]] StreamState state() const noexcept { return state_.load(std::memory_order_acquire); }
  [[nodiscard]] const std::atomic<bool>& ended() const noexcept { return ended_; }
  [[nodiscard]] std::uint32_t rule_count() const noexcept {
    return rule_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] RuleSlot& rule(std::uint32_t index) noexcept { return rules_[index]; }
  [[nodiscard]] const ReplicaCounters& counters(std::uint32_t replica) const noexcept {
    return counters_[replica];
  }
  [[nodiscard]] base::WatermarkWaiters& space_waiters() noexcept { return space_waiters_; }
  /// Nodes that have `position` at that level now, the primary included.
  [[nodiscard]] std::uint32_t copies_at(Position position, Level level) const noexcept;
  [[nodiscard]] StreamStatus status(std::span<const std::string> names, Instant now) const;

  // The loop.

  Result<RuleId> register_rule(const Rule& rule, std::span<const std::string> names,
                               std::uint32_t floor_copies);
  /// Seals what has been published into at most `frames_max` frames; true when it sealed any.
  bool seal(std::uint32_t frames_max, Instant now);
  /// Bytes published (or being written) behind the last frame.
  [[nodiscard]] std::uint64_t unsealed_bytes() const noexcept {
    return ring_.claimed() - machine_.sealed();
  }
  void reclaim(Instant now);
  void publish_effects();
  void publish_replica(std::uint32_t replica, Instant now) noexcept;
  /// Gives the ring's pages back if nothing needs them. True when it did.
  bool park_if_idle();
  void end(StreamState state);

  [[nodiscard]] std::span<const std::byte> prologue(const core::FrameEntry& frame) const noexcept {
    return {prologues_ + frame.prologue_slot * kPrologueStride, wire::kFramePrologueBytes};
  }
  [[nodiscard]] std::span<const std::byte> records(const core::FrameEntry& frame) const noexcept {
    return {ring_.at(frame.begin), frame.end - frame.begin};
  }
  [[nodiscard]] bool applied_awaited() const noexcept { return applied_awaited_; }
  [[nodiscard]] Position reclaimed() const noexcept { return reclaimed_; }

  static constexpr std::size_t kPrologueStride = 192;
  static std::uint32_t frame_slots_for(std::uint64_t ring_bytes) noexcept;
  static std::size_t frame_memory_bytes(std::uint32_t frame_slots) noexcept;

  core::PrimaryMachine& machine() noexcept { return machine_; }
  core::FrameIndex& frames() noexcept { return frames_; }
  core::PrimaryEffects effects;
  bool active = false;          ///< in the driver's list of streams to look at
  Instant stuck_since = kNever; ///< when the loop first saw the claim that nobody publishes
  Position stuck_at = 0;
  Instant idle_since = 0;
  std::uint64_t records_sealed = 0;

 private:
  base::TailRing::Space open_and_claim(std::uint64_t payload_bytes) noexcept;
  void seal_frame(const base::TailRing::Walk& walk, Instant now);
  [[nodiscard]] std::int64_t sealed_at(Position position) const noexcept;

  PrimaryDriver& driver_;
  Shard& shard_;
  base::RingArena& arena_;
  const std::uint32_t slice_;
  const PrimaryStreamConfig config_;

  base::TailRing ring_;
  std::atomic<StreamState> state_{StreamState::open};
  std::atomic<bool> ended_{false};
  std::atomic<Position> sealed_{0};
  std::atomic<Position> committed_{0};
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
  bool applied_awaited_ = false;
};

}  // namespace quorate::shard
