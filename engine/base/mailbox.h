#pragma once

// A bounded lock-free queue from many threads to one loop, for what is rare: registrations, calls,
// shutdown (D. Vyukov's bounded queue: each cell carries the ticket for which it is next usable).

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/check.h"

namespace quorate::base {

template <typename T>
class Mailbox {
 public:
  /// `capacity` is a power of two, at least 2: with one cell a full box looks like an empty one.
  explicit Mailbox(std::size_t capacity)
      : cells_(std::make_unique<Cell[]>(capacity)), mask_(capacity - 1) {
    CHECK(std::has_single_bit(capacity) && capacity >= 2);
    for (std::size_t i = 0; i < capacity; ++i) cells_[i].ticket.store(i);
  }

  /// Any thread. False when full; the value is then untouched.
  bool push(T&& value) noexcept {
    std::size_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[tail & mask_];
      const std::size_t ticket = cell.ticket.load(std::memory_order_acquire);
      if (ticket == tail) {
        if (tail_.compare_exchange_weak(tail, tail + 1)) {
          cell.value = std::move(value);
          cell.ticket.store(tail + 1, std::memory_order_seq_cst);
          return true;
        }
      } else if (ticket < tail) {
        return false;
      } else {
        tail = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// The loop.
  bool pop(T& value) noexcept {
    Cell& cell = cells_[head_ & mask_];
    if (cell.ticket.load(std::memory_order_acquire) != head_ + 1) return false;
    value = std::move(cell.value);
    cell.value = T{};
    cell.ticket.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return true;
  }

  /// The loop.
  [[nodiscard]] bool empty() const noexcept {
    return cells_[head_ & mask_].ticket.load(std::memory_order_seq_cst) != head_ + 1;
  }

 private:
  struct Cell {
    std::atomic<std::size_t> ticket{0};
    T value{};
  };

  std::unique_ptr<Cell[]> cells_;
  std::size_t mask_;
  alignas(128) std::atomic<std::size_t> tail_{0};
  alignas(128) std::size_t head_ = 0;
};

}  // namespace quorate::base
