#pragma once

// Counts what every thread of this process allocates and locks while armed. Replaces malloc and
// pthread_mutex_lock of its executable, so each test that counts has an executable of its own.

#include <cstddef>
#include <cstdint>

namespace quorate::test {

struct Counts {
  std::uint64_t allocations = 0;
  std::uint64_t locks = 0;
};

/// Zero from now on, and counting.
void start_counting();
Counts stop_counting();
/// Prints where the first few counted calls came from. For finding what a failure means.
void print_first_counted();

}  // namespace quorate::test
