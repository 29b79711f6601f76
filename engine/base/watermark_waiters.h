#pragma once

// Threads that sleep until a position is reached. The loop makes the wake-up call only when somebody
// sleeps for a position that has been reached; polling threads cost it nothing.

#include <atomic>
#include <cstdint>

#include "base/time.h"
#include "quorate/types.h"

namespace quorate::base {

class WatermarkWaiters {
 public:
  /// Any thread: sleeps until `watermark` >= target, `ended` is set, or the monotonic clock reaches
  /// `deadline` (kNever: no limit). True when the watermark is reached.
  bool wait_until(const std::atomic<Position>& watermark, Position target,
                  const std::atomic<bool>& ended, Instant deadline) noexcept;

  /// The loop, after it stored a new watermark.
  void on_advanced(Position watermark) noexcept {
    // The store of the watermark and this load must not pass each other; the waiter does the same
    // the other way round.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (lowest_awaited_.load(std::memory_order_relaxed) <= watermark) [[unlikely]] wake_all();
  }
  /// After `ended` was set.
  void wake_all() noexcept;

  [[nodiscard]] bool awaited() const noexcept {
    return lowest_awaited_.load(std::memory_order_relaxed) != kNobody;
  }

 private:
  static constexpr Position kNobody = ~Position{0};

  std::atomic<Position> lowest_awaited_{kNobody};
  std::atomic<std::uint32_t> generation_{0};
};

}  // namespace quorate::base
