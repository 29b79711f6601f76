#pragma once

// Zeroed memory that direct reads and writes accept.

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "reactor/files.h"

namespace quorate::log {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes)
      : bytes_(static_cast<std::byte*>(::operator new(bytes, alignment(bytes))),
               Free{alignment(bytes)}),
        size_(bytes) {
    // Touching and pinning small pages one by one takes longer than the disk takes to fill them.
    // Where the kernel has no huge ones, nothing is lost.
    if (bytes >= 2 * kHugePage_bytes) ::madvise(bytes_.get(), bytes, MADV_HUGEPAGE);
    std::memset(bytes_.get(), 0, bytes);
  }

  [[nodiscard]] std::byte* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

 private:
  static constexpr std::size_t kHugePage_bytes = 2u << 20;
  static constexpr std::align_val_t alignment(std::size_t bytes) noexcept {
    const bool large = bytes >= 2 * kHugePage_bytes;
    return std::align_val_t{large ? kHugePage_bytes : reactor::Files::kDirectAlignment};
  }
  struct Free {
    std::align_val_t alignment;
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, alignment); }
  };

  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace quorate::log
