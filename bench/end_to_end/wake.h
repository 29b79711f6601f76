#pragma once

#include "quorate/error.h"

namespace quorate::bench {

/// What two wake-ups across threads of one process cost: p50 of a round trip between two sleeping
/// threads, eventfd there (as the engine wakes a loop), futex back (as it wakes a waiter). `pin`:
/// on two cores, as loop and writer of a pinned round are. Starts two threads for its duration.
Result<double> wake_pair_p50_us(double seconds, bool pin);

}  // namespace quorate::bench
