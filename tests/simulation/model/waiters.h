#pragma once

// Writers that wait for a release: each is told once, and only what is true.

#include <cstdint>
#include <deque>

#include "tests/simulation/model/history.h"
#include "tests/simulation/model/reigns.h"

namespace quorate::simulation {

class Waiters {
 public:
  Waiters(const ModelConfig& config, Reigns& reigns) noexcept
      : config_(config), reigns_(reigns) {}

  /// Numbers may begin anew: nobody of the last reign waits any more.
  void begin_reign() noexcept {
    waiters_.clear();
    first_ = 0;
  }
  /// Only while somebody reigns.
  void await(const HistoryEvent& event, Violation& violation);
  void resolve(const HistoryEvent& event, Violation& violation);
  /// Nobody may be left waiting.
  void check_all_told(Violation& violation) const;
  /// Whoever is released by what the primary knows has been told.
  void check_released_told(Violation& violation) const;

  [[nodiscard]] std::uint64_t open() const noexcept { return open_; }

 private:
  struct Waiter {
    Position end = 0;
    StreamId stream = 0;
    std::uint8_t rule = 0;
    bool waits = false;
  };

  void check_released(const Waiter& waiter, const HistoryEvent& event, Violation& violation) const;

  const ModelConfig& config_;
  Reigns& reigns_;
  /// By number from first_ on. Numbers rise, so those that were told leave at the front.
  std::deque<Waiter> waiters_;
  std::uint64_t first_ = 0;
  std::uint64_t open_ = 0;
};

}  // namespace quorate::simulation
