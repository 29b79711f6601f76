#pragma once

// How many frames may be sent to a replica. Bytes are bounded by its ring; the heads of frames that
// wait for its log are not in there, and a ring of tiny frames has more of them than it could keep.
// Each frame of a stream is counted by the replica, in a number that wraps around.

#include <cstdint>

namespace quorate::core {

/// More than a ring can hold, and less than half of all numbers.
inline constexpr std::uint32_t kFramesUnlimited = 1u << 30;

/// The sender's side. A limit never falls.
class FrameCredit {
 public:
  FrameCredit() = default;
  /// `received`: the number of the frame that comes next, by the claim.
  FrameCredit(std::uint32_t received, std::uint32_t limit) noexcept
      : sent_(received), limit_(limit) {}

  void raise(std::uint32_t limit) noexcept {
    if (behind(limit_, limit) > 0) limit_ = limit;
  }
  void on_sent(std::uint32_t frames) noexcept { sent_ += frames; }
  void on_cut(std::uint32_t frames) noexcept { sent_ -= frames; }
  [[nodiscard]] std::uint32_t left() const noexcept { return behind(sent_, limit_); }
  [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }

 private:
  /// By how much; 0 when it is not.
  static constexpr std::uint32_t behind(std::uint32_t number, std::uint32_t other) noexcept {
    const std::uint32_t distance = other - number;
    return distance <= ~0u / 2 ? distance : 0;
  }

  std::uint32_t sent_ = 0;
  std::uint32_t limit_ = 0;
};

}  // namespace quorate::core
