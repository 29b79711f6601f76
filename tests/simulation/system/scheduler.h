#pragma once

// Virtual time: a heap of what happens next. Nothing else decides what runs when, so a run is a
// function of its seed.

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "tests/simulation/system/draw.h"

namespace quorate::simulation {

class Scheduler {
 public:
  /// Something that can be due. It outlives the scheduler's last run_one().
  struct Target {
    virtual void fire(std::uint64_t what) = 0;

   protected:
    ~Target() = default;
  };

  explicit Scheduler(std::uint64_t seed) : draw_(Draw::of(seed, "scheduler")) {}

  /// True time, nanoseconds since the world began. Hosts have clocks of their own.
  [[nodiscard]] Instant now() const noexcept { return now_; }
  /// Ties are broken at random. A time in the past means now.
  void at(Instant time, Target& target, std::uint64_t what = 0);
  /// Moves time to the next event and fires it; false when there is none.
  bool run_one();
  [[nodiscard]] Instant next() const noexcept { return heap_.empty() ? kNever : heap_[0].time; }
  [[nodiscard]] std::uint64_t fired() const noexcept { return fired_; }
  /// Of every event so far: its time and number. Equal runs have equal hashes.
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  /// Lets others mix what they saw into the hash.
  void mix(std::uint64_t value) noexcept { hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15u; }

 private:
  struct Event {
    Instant time;
    std::uint64_t order;  ///< random above, sequence below
    Target* target;
    std::uint64_t what;
  };

  Draw draw_;
  Instant now_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t fired_ = 0;
  std::uint64_t hash_ = 0x6A09E667F3BCC908u;
  std::vector<Event> heap_;
};

}  // namespace quorate::simulation
