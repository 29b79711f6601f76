#pragma once

// Whether a loop sleeps, so that producers make the wake-up system call only then, and only one of
// them. The loop: prepare(), look for work once more, sleep, cancel(). A producer: make the work
// visible with a full barrier, then should_wake().

#include <atomic>

namespace quorate::base {

class Sleeper {
 public:
  void prepare() noexcept { sleeping_.store(true, std::memory_order_seq_cst); }
  void cancel() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
  /// True for exactly one producer per sleep.
  bool should_wake() noexcept {
    return sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false);
  }

 private:
  alignas(128) std::atomic<bool> sleeping_{false};
};

}  // namespace quorate::base
