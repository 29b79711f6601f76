#pragma once

// Threads that sleep until a position is reached. The loop makes the wake-up call only when
// somebody sleeps for a position that has been reached; polling threads cost it nothing.

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
    // Both sides modify `lowest_awaited_` between writing and reading, and modifications have one
    // order: either this one sees the waiter's target, or the waiter's sees this one and with it
    // the watermark. A plain load here could pass the store of the watermark.
    if (lowest_awaited_.fetch_add(0, std::memory_order_acq_rel) <= watermark) [[unlikely]] {
      wake_all();
    }
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
