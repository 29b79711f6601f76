#pragma once

// How much memory each process of a world has. All processes share the heap of the program that
// simulates them, so whoever calls into one says so, and blocks remember whose they are.

#include <cstdint>

#include "tests/simulation/system/host.h"

namespace quorate::simulation {

/// What this thread allocates belongs to that process until the end of the scope; 0: to the world.
class HeapScope {
 public:
  explicit HeapScope(ProcessId process) noexcept;
  ~HeapScope();
  HeapScope(const HeapScope&) = delete;
  HeapScope& operator=(const HeapScope&) = delete;

 private:
  const ProcessId before_;
};

/// Bytes that the process has now. 0 in programs without the counting operators (run/heap.cpp).
std::int64_t heap_bytes_of(ProcessId process) noexcept;

// For those operators.
ProcessId heap_owner() noexcept;
void heap_changed(ProcessId process, std::int64_t bytes) noexcept;

}  // namespace quorate::simulation
