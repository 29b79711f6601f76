#pragma once

// Time as the engine sees it: nanoseconds of a monotonic clock that the reactor owns. No code below
// the reactor reads a clock; time is an argument.

#include <cstdint>
#include <limits>

namespace quorate {

/// Nanoseconds since an arbitrary start. Plain integer arithmetic; differences are nanoseconds.
using Instant = std::int64_t;

inline constexpr Instant kNever = std::numeric_limits<Instant>::max();
inline constexpr std::int64_t kMicrosecond_ns = 1000;
inline constexpr std::int64_t kMillisecond_ns = 1000 * kMicrosecond_ns;
inline constexpr std::int64_t kSecond_ns = 1000 * kMillisecond_ns;

}  // namespace quorate
