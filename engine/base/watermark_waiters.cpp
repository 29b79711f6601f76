#include "base/watermark_waiters.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace quorate::base {

namespace {

/// False when the deadline has passed.
bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, Instant deadline) noexcept {
  // The kernel refuses a negative time, which would make the caller spin.
  const Instant at = std::max<Instant>(deadline, 0);
  const timespec until{at / kSecond_ns, at % kSecond_ns};
  const long result =
      syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
              deadline == kNever ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return !(result == -1 && errno == ETIMEDOUT);
}

}  // namespace

bool WatermarkWaiters::wait_until(const std::atomic<Position>& watermark, Position target,
                                  const std::atomic<bool>& ended, Instant deadline) noexcept {
  bool in_time = true;
  for (;;) {
    if (watermark.load(std::memory_order_acquire) >= target) return true;
    if (!in_time || ended.load(std::memory_order_acquire)) return false;
    const std::uint32_t seen = generation_.load(std::memory_order_acquire);
    // Written also when it stays as it is: the header says why.
    Position lowest = lowest_awaited_.load(std::memory_order_relaxed);
    while (!lowest_awaited_.compare_exchange_weak(lowest, std::min(lowest, target))) {
    }
    // Reached meanwhile: the request that was left behind costs one spurious wake-up at most.
    if (watermark.load(std::memory_order_acquire) >= target) return true;
    if (ended.load(std::memory_order_acquire)) return false;
    in_time = futex_wait(generation_, seen, deadline);
  }
}

void WatermarkWaiters::wake_all() noexcept {
  // Waiters whose position is still ahead ask again.
  lowest_awaited_.store(kNobody, std::memory_order_seq_cst);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  syscall(SYS_futex, &generation_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace quorate::base
