#pragma once

// A queue of bounded length whose memory is taken once, when it is made. Used on one thread.

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quorate::base {

template <typename T>
class Fifo {
 public:
  explicit Fifo(std::size_t capacity) : items_(capacity) {}

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool full() const noexcept { return count_ == items_.size(); }

  void push(const T& item) {
    CHECK(!full());
    items_[(first_ + count_++) % items_.size()] = item;
  }
  [[nodiscard]] T& front() noexcept {
    DCHECK(!empty());
    return items_[first_];
  }
  void pop() noexcept {
    DCHECK(!empty());
    first_ = (first_ + 1) % items_.size();
    --count_;
  }
  void clear() noexcept { first_ = count_ = 0; }

 private:
  std::vector<T> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace quorate::base
