#pragma once

// A queue of bounded length whose memory is taken once, when it is made. Used on one thread.

#include <cstddef>
#include <memory>

#include "base/check.h"

namespace quorate::base {

template <typename T>
class Fifo {
 public:
  explicit Fifo(std::size_t capacity)
      : items_(std::make_unique_for_overwrite<T[]>(capacity)), capacity_(capacity) {}

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool full() const noexcept { return count_ == capacity_; }

  /// Returns the item to be filled in.
  T& push() {
    CHECK(!full());
    return items_[(first_ + count_++) % capacity_];
  }
  [[nodiscard]] T& front() noexcept {
    DCHECK(!empty());
    return items_[first_];
  }
  void pop() noexcept {
    DCHECK(!empty());
    // From the beginning again when it can be: what never was needed is never touched.
    first_ = --count_ == 0 ? 0 : (first_ + 1) % capacity_;
  }
  void clear() noexcept { first_ = count_ = 0; }

 private:
  std::unique_ptr<T[]> items_;
  std::size_t capacity_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace quorate::base
