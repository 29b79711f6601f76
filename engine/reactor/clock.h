#pragma once

// The one place of the engine that reads a clock, for the backends that run on real time.

#include <time.h>

#include "base/time.h"

namespace quorate::reactor {

inline Instant monotonic_now() noexcept {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond_ns + time.tv_nsec;
}

/// How long until `deadline`: 0 when it has passed, kNever when there is none.
inline Instant time_left(Instant deadline) noexcept {
  if (deadline == kNever) return kNever;
  const Instant now = deadline > 0 ? monotonic_now() : 0;
  return deadline > now ? deadline - now : 0;
}

}  // namespace quorate::reactor
