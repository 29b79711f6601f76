#pragma once

// Where the threads of a round with one write outstanding run. Left alone, the scheduler of a
// two-core machine puts them on one core or on two, round by round, and a round trip takes 20 or 52
// µs accordingly; pinned the same way on both sides, what is compared is the work. Rows that
// stream as much as goes through are not pinned. On one core all of this is the same core.

#include <cstdint>

namespace quorate::bench {

enum class Core : std::uint8_t {
  lead,   ///< the loop, or the sender: the first CPU this program may use
  peers,  ///< replicas and receivers, and a writer that is not the loop: the last one
};

/// Pins the calling thread; threads that it starts afterwards inherit it. False: refused.
bool pin_this_thread(Core core);

}  // namespace quorate::bench
