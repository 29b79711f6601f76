#pragma once

// Decides when the next frames of a catch-up may be sent. Sans-I/O. While nobody writes it is as
// fast as disk and network are. Beside live writes it takes half as much again as they do: enough
// to get there, as what is behind shrinks by half of what is written, and no more, as both share
// disk and cores and live writes are what somebody waits for. What is due goes out in short sends,
// so that a live write never stands behind a long one.

#include <cstdint>

#include "base/time.h"

namespace quorate::core {

class CatchUpPace {
 public:
  /// Beside live writes, however few: bytes a second.
  static constexpr std::uint64_t kLeast_bytes = 64u << 20;
  /// Who wrote so lately still writes.
  static constexpr std::int64_t kLive_ns = kSecond_ns / 4;
  /// A send is worth no more than that at the rate that is allowed, but one frame.
  static constexpr std::int64_t kSend_ns = 2 * kMillisecond_ns;

  /// Who comes late, because a timer or the disk did, makes up for so much. More would be a burst.
  static constexpr std::int64_t kLate_ns = 20 * kMillisecond_ns;

  /// `most_bytes_per_second`: 0: no limit but what live writes ask for.
  explicit CatchUpPace(std::uint64_t most_bytes_per_second) noexcept
      : most_(most_bytes_per_second) {}

  /// `written`: bytes that were written live so far, by everybody whom this may be in the way of.
  void on_written(std::uint64_t written, Instant now) noexcept;
  void on_sent(std::uint64_t bytes, Instant now) noexcept;

  /// How many bytes may be sent now, if one frame exceeds it that frame; 0: not before next().
  [[nodiscard]] std::uint64_t allowed(std::uint64_t most, Instant now) const noexcept;
  [[nodiscard]] Instant next() const noexcept { return free_at_; }
  /// Bytes a second; 0: no limit.
  [[nodiscard]] std::uint64_t rate() const noexcept;

 private:
  const std::uint64_t most_;
  std::uint64_t seen_ = 0;      ///< written, when the window began
  Instant window_at_ = kNever;  ///< when it began; kNever: none was
  std::uint64_t live_ = 0;      ///< bytes a second, in the window before
  Instant free_at_ = 0;         ///< what was sent before is worth so long
};

}  // namespace quorate::core
