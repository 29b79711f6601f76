#include "tests/simulation/system/heap.h"

#include <array>

namespace quorate::simulation {

namespace {

/// More than a world has of them. Outlives whatever is freed at the end of the program.
constexpr std::size_t kProcessesMax = 1u << 16;

thread_local ProcessId owner = 0;
/// Only programs of one thread count (run/heap.cpp).
std::array<std::int64_t, kProcessesMax> bytes_of{};

}  // namespace

HeapScope::HeapScope(ProcessId process) noexcept : before_(owner) { owner = process; }
HeapScope::~HeapScope() { owner = before_; }

std::int64_t heap_bytes_of(ProcessId process) noexcept {
  return bytes_of[process % kProcessesMax];
}

ProcessId heap_owner() noexcept { return owner; }

void heap_changed(ProcessId process, std::int64_t bytes) noexcept {
  if (process != 0) bytes_of[process % kProcessesMax] += bytes;
}

}  // namespace quorate::simulation
