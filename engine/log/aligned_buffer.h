#pragma once

// Zeroed memory that direct reads and writes accept.

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
      : bytes_(static_cast<std::byte*>(::operator new(bytes, kAlignment))), size_(bytes) {
    std::memset(bytes_.get(), 0, bytes);
  }

  [[nodiscard]] std::byte* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

 private:
  static constexpr std::align_val_t kAlignment{reactor::Files::kDirectAlignment};
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, kAlignment); }
  };

  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace quorate::log
