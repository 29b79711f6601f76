// The operators new and delete of programs that watch the memory of simulated processes.

#include "tests/simulation/system/heap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// Sanitizers have operators of their own.
#if !defined(QUORATE_SANITIZED) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)

namespace {

/// In front of each block.
struct Header {
  std::uint64_t bytes;
  quorate::simulation::ProcessId owner;
};
static_assert(sizeof(Header) == __STDCPP_DEFAULT_NEW_ALIGNMENT__);

/// From the beginning of what malloc() gave to what the program gets.
constexpr std::size_t distance_of(std::size_t alignment) noexcept {
  return std::max(alignment, sizeof(Header));
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  const std::size_t distance = distance_of(alignment);
  const std::size_t whole = (bytes + distance + alignment - 1) / alignment * alignment;
  void* begin = alignment <= sizeof(Header) ? std::malloc(whole)
                                            : std::aligned_alloc(alignment, whole);
  if (begin == nullptr) throw std::bad_alloc();
  auto* block = static_cast<std::byte*>(begin) + distance;
  const auto owner = quorate::simulation::heap_owner();
  new (block - sizeof(Header)) Header{bytes, owner};
  quorate::simulation::heap_changed(owner, static_cast<std::int64_t>(bytes));
  return block;
}

void release(void* pointer, std::size_t alignment) noexcept {
  if (pointer == nullptr) return;
  auto* block = static_cast<std::byte*>(pointer);
  const auto* header = reinterpret_cast<const Header*>(block - sizeof(Header));
  quorate::simulation::heap_changed(header->owner, -static_cast<std::int64_t>(header->bytes));
  std::free(block - distance_of(alignment));
}

constexpr std::size_t kUsual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, kUsual); }
void* operator new[](std::size_t bytes) { return allocate(bytes, kUsual); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* pointer) noexcept { release(pointer, kUsual); }
void operator delete[](void* pointer) noexcept { release(pointer, kUsual); }
void operator delete(void* pointer, std::size_t) noexcept { release(pointer, kUsual); }
void operator delete[](void* pointer, std::size_t) noexcept { release(pointer, kUsual); }
void operator delete(void* pointer, std::align_val_t alignment) noexcept {
  release(pointer, static_cast<std::size_t>(alignment));
}
void operator delete[](void* pointer, std::align_val_t alignment) noexcept {
  release(pointer, static_cast<std::size_t>(alignment));
}
void operator delete(void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  release(pointer, static_cast<std::size_t>(alignment));
}
void operator delete[](void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  release(pointer, static_cast<std::size_t>(alignment));
}

#endif
