#pragma once

// Operations that have ended and wait for reap(), in the order in which that was noticed.

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "reactor/reactor.h"

namespace quorate::reactor {

class CompletionQueue {
 public:
  void push(Operation& operation, std::int32_t result) noexcept {
    DCHECK(operation.state == Operation::State::started);
    operation.state = Operation::State::done;
    operation.result = result;
    operation.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &operation;
    last_ = &operation;
  }
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  /// Delivers what was there when it began; completions that follow from it wait for the next call.
  std::size_t deliver() {
    Operation* operation = first_;
    first_ = last_ = nullptr;
    std::size_t count = 0;
    while (operation != nullptr) {
      Operation* next = operation->next;
      operation->state = Operation::State::idle;
      operation->complete(*operation, operation->result);
      operation = next;
      ++count;
    }
    return count;
  }

 private:
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
};

}  // namespace quorate::reactor
