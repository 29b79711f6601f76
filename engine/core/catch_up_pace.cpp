#include "core/catch_up_pace.h"

#include <algorithm>

namespace quorate::core {

namespace {

std::uint64_t bytes_in(std::int64_t time_ns, std::uint64_t bytes_per_second) {
  const double seconds = static_cast<double>(time_ns) / static_cast<double>(kSecond_ns);
  return static_cast<std::uint64_t>(seconds * static_cast<double>(bytes_per_second));
}

}  // namespace

/// Rates are those of whole windows, so a burst counts for as long as it is worth.
void CatchUpPace::on_written(std::uint64_t written, Instant now) noexcept {
  if (window_at_ == kNever) {
    window_at_ = now;
    seen_ = written;
    return;
  }
  const std::int64_t passed_ns = now - window_at_;
  const std::uint64_t least = written != seen_ ? 1 : 0;
  // Somebody begins to write: that is not heard of a window late.
  live_ = std::max(live_, least);
  if (passed_ns < kLive_ns) return;
  const double seconds = static_cast<double>(passed_ns) / static_cast<double>(kSecond_ns);
  live_ = std::max(least, static_cast<std::uint64_t>(
                              static_cast<double>(written - seen_) / seconds));
  window_at_ = now;
  seen_ = written;
}

std::uint64_t CatchUpPace::rate() const noexcept {
  if (live_ == 0) return most_;
  const std::uint64_t fair = std::max(kLeast_bytes, live_ + live_ / 2);
  return most_ == 0 ? fair : std::min(most_, fair);
}

void CatchUpPace::on_sent(std::uint64_t bytes, Instant now) noexcept {
  if (rate() == 0) return;
  const double seconds = static_cast<double>(bytes) / static_cast<double>(rate());
  free_at_ = std::max(free_at_, now - kLate_ns) +
             static_cast<std::int64_t>(seconds * static_cast<double>(kSecond_ns));
}

std::uint64_t CatchUpPace::allowed(std::uint64_t most, Instant now) const noexcept {
  if (rate() == 0) return most;
  if (now < free_at_) return 0;
  return std::clamp<std::uint64_t>(bytes_in(kSend_ns, rate()), 1, most);
}

}  // namespace quorate::core
