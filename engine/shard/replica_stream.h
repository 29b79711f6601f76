#pragma once

// One stream of a replica: its ring, its machine, and the cursor of the applying thread. The loop
// of its connection receives into the ring; the applying thread reads what is exposed. They share
// nothing but the atomics below.

#include <atomic>
#include <cstdint>
#include <span>

#include "base/ready_list.h"
#include "base/ring_memory.h"
#include "core/replica_machine.h"
#include "quorate/replica.h"
#include "shard/shard.h"

namespace quorate::shard {

class ReplicaLink;

class ReplicaStream final : public ReadyItem {
 public:
  ReplicaStream(const core::ReplicaStreamConfig& config, Shard& shard, base::RingArena& arena,
                std::uint32_t slice, std::span<std::byte> ring, base::ReadyList& to_apply);

  // The applying thread.

  /// Applies up to `records_max` exposed records; returns how many. Tells the loop.
  std::size_t apply(const Apply& function, std::size_t records_max, const std::atomic<bool>& stop);
  [[nodiscard]] bool has_more() const noexcept {
    return exposed_.load(std::memory_order_seq_cst) != cursor_;
  }
  /// What the applying thread's list queues.
  struct ApplyNode final : base::ReadyNode {
    ReplicaStream* stream = nullptr;
  };

  // Any thread.

  [[nodiscard]] ReplicaStreamStatus status() const;
  [[nodiscard]] bool needs_full_copy() const noexcept {
    return needs_full_copy_.load(std::memory_order_acquire);
  }

  // The loop.

  void on_ready() override;  ///< the applying thread has moved its cursor
  core::ReplicaMachine& machine() noexcept { return machine_; }
  [[nodiscard]] const core::ReplicaMachine& machine() const noexcept { return machine_; }
  /// Where the records of a frame that begins at `begin` go.
  [[nodiscard]] std::byte* place(Position begin, Instant now) noexcept;
  /// Makes the machine's state visible; true when there is newly something to apply.
  bool publish();
  /// Gives the ring's pages back when all of it is applied and nothing came for a while.
  void give_back_if_idle(Instant now);

  ReplicaLink* link = nullptr;   ///< the connection that carries it
  bool touched = false;          ///< in the link's list of streams to publish
  bool telling = false;          ///< in the link's list of streams to acknowledge
  bool repeating = false;        ///< in the link's list of streams to acknowledge once more
  bool applied_awaited = false;  ///< the primary says that somebody waits for level applied
  bool receiving = false;        ///< a frame's records are partly in the ring
  Instant used_at = 0;

 private:
  core::ReplicaMachine machine_;
  Shard& shard_;
  base::RingArena& arena_;
  const std::uint32_t slice_;
  std::byte* ring_;
  base::ReadyList& to_apply_;
  bool resident_ = false;
  ApplyNode apply_node_;

  std::atomic<std::uint64_t> epoch_number_{0};
  std::atomic<std::uint64_t> epoch_incarnation_{0};
  std::atomic<Position> received_{0};
  std::atomic<bool> needs_full_copy_{false};
  alignas(128) std::atomic<Position> exposed_{0};  ///< written by the loop
  alignas(128) std::atomic<Position> applied_{0};  ///< written by the applying thread
  Position cursor_ = 0;                            ///< the applying thread's own
};

}  // namespace quorate::shard
