#pragma once

// A host's monotonic clock: runs at its own rate, and may leap forward as after a suspended machine
// wakes up. It never goes back.

#include <algorithm>

#include "base/time.h"

namespace quorate::simulation {

class Clock {
 public:
  /// `drift_ppm`: how much faster than true time; within ±100,000.
  Clock(Instant local_start, std::int64_t drift_ppm) noexcept
      : local_base_(local_start), drift_(share(drift_ppm)) {}

  [[nodiscard]] Instant local(Instant true_time) const noexcept {
    const Instant passed = true_time - true_base_;
    return local_base_ + passed + drifted(passed);
  }
  /// A true time, as early as can be said, at which the clock shows `local` or more.
  [[nodiscard]] Instant true_time(Instant local) const noexcept {
    if (local == kNever) return kNever;
    const Instant ahead = local - local_base_;
    if (ahead <= 0) return true_base_;
    // Short by the square of the drift; what is left shrinks as fast.
    Instant passed = ahead - drifted(ahead);
    for (Instant missing; (missing = ahead - passed - drifted(passed)) > 0;) {
      passed += std::max<Instant>(missing - drifted(missing), 1);
    }
    return true_base_ + passed;
  }
  void leap(Instant now, std::int64_t ahead_ns) noexcept { rebase(now, ahead_ns); }

 private:
  /// In parts of 2^32: a multiplication and a shift are all that a look at the clock costs.
  static std::int64_t share(std::int64_t ppm) noexcept { return (ppm << 32) / 1'000'000; }
  [[nodiscard]] Instant drifted(Instant passed) const noexcept {
    return static_cast<Instant>((static_cast<__int128>(passed) * drift_) >> 32);
  }
  void rebase(Instant now, std::int64_t ahead_ns) noexcept {
    local_base_ = local(now) + ahead_ns;
    true_base_ = now;
  }

  Instant local_base_;
  Instant true_base_ = 0;
  std::int64_t drift_;
};

}  // namespace quorate::simulation
