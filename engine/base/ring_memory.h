#pragma once

// The memory of one loop's rings: one memory file, cut into equal slices, each mapped twice in a
// row so that whatever wraps is contiguous all the same. Pages become resident when written and are
// given back while a stream is idle; a byte budget bounds how much all slices hold together.
// Threads: map() before the loop runs; acquire() from any thread; give_back() on the loop.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "quorate/error.h"

namespace quorate::base {

class RingArena {
 public:
  /// `slice_bytes` is a power of two and a multiple of the page size.
  static Result<std::unique_ptr<RingArena>> create(std::uint64_t budget_bytes,
                                                   std::uint64_t slice_bytes,
                                                   std::uint32_t slices);
  ~RingArena();
  RingArena(const RingArena&) = delete;
  RingArena& operator=(const RingArena&) = delete;

  /// The slice's first mapping; the slice_bytes behind it show the same memory again.
  Result<std::span<std::byte>> map(std::uint32_t slice);

  /// Counts a slice against the budget. False when it does not fit now. At least one slice fits.
  bool acquire() noexcept;
  /// Undoes acquire() for a slice that was not used.
  void release() noexcept;
  /// Returns the pages to the system, which makes them read as zero, and the bytes to the budget.
  void give_back(std::uint32_t slice) noexcept;

  /// More than half of the budget is used: idle rings should go, whoever might still want them.
  [[nodiscard]] bool under_pressure() const noexcept {
    return 2 * resident_bytes() > budget_bytes_;
  }
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept {
    return resident_bytes_.load(std::memory_order_relaxed);
  }

 private:
  RingArena(int file, std::byte* reserved, std::uint64_t budget_bytes, std::uint64_t slice_bytes,
            std::uint32_t slices) noexcept;

  int file_;
  std::byte* reserved_;
  std::uint64_t budget_bytes_;
  std::uint64_t slice_bytes_;
  std::uint32_t slices_;
  std::atomic<std::uint64_t> resident_bytes_{0};
};

}  // namespace quorate::base
