#include "counting.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>

// The C library's own, under names that nobody replaces.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* memory);
}

namespace quorate::test {
namespace {

constexpr std::size_t kTracesMax = 8;
constexpr int kDepth = 24;

struct Trace {
  std::array<void*, kDepth> frames;
  int depth = 0;
};

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};
std::atomic<std::uint64_t> locks{0};
std::atomic<std::size_t> traced{0};
std::array<Trace, kTracesMax> traces;

void count(std::atomic<std::uint64_t>& counter) {
  if (!counting.load(std::memory_order_relaxed)) return;
  counter.fetch_add(1, std::memory_order_relaxed);
  const std::size_t index = traced.fetch_add(1, std::memory_order_relaxed);
  if (index < kTracesMax) traces[index].depth = backtrace(traces[index].frames.data(), kDepth);
}

using Lock = int (*)(pthread_mutex_t*);

Lock real_lock() {
  static std::atomic<Lock> found{nullptr};
  Lock lock = found.load(std::memory_order_acquire);
  if (lock == nullptr) {
    lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    found.store(lock, std::memory_order_release);
  }
  return lock;
}

}  // namespace

void start_counting() {
  // The first use of backtrace() loads a library and of dlsym() may allocate.
  std::array<void*, 2> frames;
  backtrace(frames.data(), 2);
  real_lock();
  allocations = locks = 0;
  traced = 0;
  counting = true;
}

Counts stop_counting() {
  counting = false;
  return {allocations, locks};
}

void print_first_counted() {
  for (std::size_t i = 0; i < std::min(traced.load(), kTracesMax); ++i) {
    std::fprintf(stderr, "counted call %zu:\n", i);
    backtrace_symbols_fd(traces[i].frames.data(), traces[i].depth, STDERR_FILENO);
  }
}

}  // namespace quorate::test

extern "C" {

void* malloc(std::size_t bytes) {
  quorate::test::count(quorate::test::allocations);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  quorate::test::count(quorate::test::allocations);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  quorate::test::count(quorate::test::allocations);
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  quorate::test::count(quorate::test::allocations);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}
void free(void* memory) {
  __libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  quorate::test::count(quorate::test::locks);
  return quorate::test::real_lock()(mutex);
}

}  // extern "C"
