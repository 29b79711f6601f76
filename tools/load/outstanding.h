#pragma once

// The records that one writer has appended and not yet seen released, oldest first, and what some
// of them began with: every record's end is kept, every n-th record's time. Allocates at
// construction only.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "quorate/types.h"
#include "tools/load/histogram.h"

namespace quorate::tools {

class Outstanding {
 public:
  /// At most `window` records outstanding; records go to `lanes` streams in turn; the latency of
  /// every `sample_every`-th is measured.
  Outstanding(std::uint32_t window, std::uint32_t sample_every, std::size_t lanes)
      : window_(window),
        sample_every_(sample_every),
        lanes_(lanes),
        ends_(std::bit_ceil(window)),
        begun_ns_(std::bit_ceil(window / sample_every + 2)) {}

  [[nodiscard]] bool full() const noexcept { return appended_ - released_ == window_; }
  [[nodiscard]] bool empty() const noexcept { return appended_ == released_; }
  [[nodiscard]] std::uint64_t appended() const noexcept { return appended_; }
  [[nodiscard]] std::uint64_t pending() const noexcept { return appended_ - released_; }
  /// The next record's latency is to be measured: push() wants its time.
  [[nodiscard]] bool sample_due() const noexcept { return appended_ == next_sample_; }

  /// Only when not full().
  void push(Position end, std::int64_t begun_ns) noexcept {
    ends_[appended_ & (ends_.size() - 1)] = end;
    if (sample_due()) {
      begun_ns_[samples_++ & (begun_ns_.size() - 1)] = begun_ns;
      next_sample_ += sample_every_;
    }
    ++appended_;
  }

  /// Takes out what is released: asks `released(lane, end)` from the oldest on until it says no.
  template <typename Released>
  void advance(Released&& released, std::int64_t now_ns, Histogram& latencies_ns) noexcept {
    while (!empty() && released(oldest_lane(), oldest_end())) {
      if (released_ == next_resolved_) {
        const std::int64_t begun_ns = begun_ns_[resolved_++ & (begun_ns_.size() - 1)];
        latencies_ns.record(now_ns > begun_ns ? static_cast<std::uint64_t>(now_ns - begun_ns) : 0);
        next_resolved_ += sample_every_;
      }
      ++released_;
    }
  }

  // Only when not empty().
  [[nodiscard]] Position oldest_end() const noexcept {
    return ends_[released_ & (ends_.size() - 1)];
  }
  [[nodiscard]] std::size_t oldest_lane() const noexcept {
    return lanes_ == 1 ? 0 : released_ % lanes_;
  }

 private:
  const std::uint32_t window_;
  const std::uint32_t sample_every_;
  const std::size_t lanes_;
  std::vector<Position> ends_;          ///< by index, a power of two of them
  std::vector<std::int64_t> begun_ns_;  ///< by number of the sample
  std::uint64_t appended_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t next_sample_ = 0;    ///< index of the next record to be measured
  std::uint64_t next_resolved_ = 0;  ///< index of the oldest record being measured
  std::uint64_t samples_ = 0;
  std::uint64_t resolved_ = 0;
};

}  // namespace quorate::tools
