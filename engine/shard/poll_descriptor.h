#pragma once

// What a program that turns a loop itself may sleep on in its own poll: one descriptor, readable
// when the loop's reactor has something to collect or when a deadline of the loop has passed.

#include "base/time.h"

namespace quorate::shard {

class PollDescriptor {
 public:
  explicit PollDescriptor(int reactor_fd) noexcept;
  ~PollDescriptor();
  PollDescriptor(const PollDescriptor&) = delete;
  PollDescriptor& operator=(const PollDescriptor&) = delete;

  /// -1 when the system had no descriptor left.
  [[nodiscard]] int fd() const noexcept { return set_fd_; }

  /// Readable from then on even if nothing happens; at once when it has passed, kNever: not.
  void ring_at(Instant at) noexcept;

 private:
  int set_fd_;
  int timer_fd_;
  Instant rings_at_ = kNever;
};

}  // namespace quorate::shard
