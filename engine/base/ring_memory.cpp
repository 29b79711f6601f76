#include "base/ring_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"

namespace quorate::base {

namespace {

Error system_error(const std::string& what) {
  const int number = errno;
  return Error(Errc::io, what + ": " + std::strerror(number), number);
}

}  // namespace

Result<std::unique_ptr<RingArena>> RingArena::create(std::uint64_t budget_bytes,
                                                     std::uint64_t slice_bytes,
                                                     std::uint32_t slices) {
  const int file = memfd_create("quorate-rings", MFD_CLOEXEC);
  if (file < 0) return system_error("memfd_create for rings");
  const std::uint64_t total = slice_bytes * slices;
  if (ftruncate(file, static_cast<off_t>(total)) != 0) {
    Error error = system_error("ftruncate of ring memory");
    ::close(file);
    return error;
  }
  // Address space for every slice twice, in one piece: what is not mapped yet costs nothing.
  void* reserved = mmap(nullptr, 2 * total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);
  if (reserved == MAP_FAILED) {
    Error error = system_error("reserving address space for rings");
    ::close(file);
    return error;
  }
  return std::unique_ptr<RingArena>(new RingArena(file, static_cast<std::byte*>(reserved),
                                                  budget_bytes, slice_bytes, slices));
}

RingArena::RingArena(int file, std::byte* reserved, std::uint64_t budget_bytes,
                     std::uint64_t slice_bytes, std::uint32_t slices) noexcept
    : file_(file),
      reserved_(reserved),
      budget_bytes_(std::max(budget_bytes, slice_bytes)),
      slice_bytes_(slice_bytes),
      slices_(slices) {}

RingArena::~RingArena() {
  munmap(reserved_, 2 * slice_bytes_ * slices_);
  ::close(file_);
}

Result<std::span<std::byte>> RingArena::map(std::uint32_t slice) {
  CHECK(slice < slices_);
  std::byte* first = reserved_ + 2 * slice_bytes_ * slice;
  const auto offset = static_cast<off_t>(slice_bytes_ * slice);
  for (std::byte* address : {first, first + slice_bytes_}) {
    void* mapped = mmap(address, slice_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                        file_, offset);
    if (mapped == MAP_FAILED) {
      return system_error("mapping ring " + std::to_string(slice) +
                          " (each takes two of vm.max_map_count)");
    }
    madvise(address, slice_bytes_, MADV_DONTFORK);
  }
  return std::span<std::byte>(first, slice_bytes_);
}

bool RingArena::acquire() noexcept {
  std::uint64_t resident = resident_bytes_.load(std::memory_order_relaxed);
  do {
    if (resident + slice_bytes_ > budget_bytes_) return false;
  } while (!resident_bytes_.compare_exchange_weak(resident, resident + slice_bytes_));
  return true;
}

void RingArena::release() noexcept { resident_bytes_.fetch_sub(slice_bytes_); }

void RingArena::give_back(std::uint32_t slice) noexcept {
  const int result = fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               static_cast<off_t>(slice_bytes_ * slice),
                               static_cast<off_t>(slice_bytes_));
  // A memory file supports holes on every kernel that has memfd; stale bytes would look published.
  CHECK(result == 0);
  release();
}

}  // namespace quorate::base
