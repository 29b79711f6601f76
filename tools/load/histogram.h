#pragma once

// Durations in log-linear buckets, as HDR histograms have them: 128 to each power of two, so a
// value read back is within 0.4 % of the value recorded (half a bucket), over the whole range.
// Recording allocates nothing and takes a few instructions. One thread at a time; merge afterwards.

#include <array>
#include <bit>
#include <cstdint>
#include <memory>

namespace quorate::tools {

class Histogram {
 public:
  Histogram() : counts_(std::make_unique<Counts>()) {}

  void record(std::uint64_t value) noexcept {
    ++(*counts_)[index_of(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    if (value < least_) least_ = value;
    if (value > most_) most_ = value;
  }
  void merge(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // All 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t least() const noexcept { return count_ == 0 ? 0 : least_; }
  [[nodiscard]] std::uint64_t most() const noexcept { return most_; }
  [[nodiscard]] double mean() const noexcept;
  /// The value that the share `quantile` (0 … 1) of all values does not exceed.
  [[nodiscard]] std::uint64_t at(double quantile) const noexcept;

 private:
  static constexpr int kSubBits = 7;
  static constexpr std::uint64_t kSubs = 1u << kSubBits;
  using Counts = std::array<std::uint64_t, (64 - kSubBits + 1) * kSubs>;

  /// Values below kSubs have a bucket each. Above, the exponent chooses a row and the kSubBits bits
  /// behind the leading one a bucket in it.
  static std::size_t index_of(std::uint64_t value) noexcept {
    if (value < kSubs) return value;
    const int shift = std::countl_zero(std::uint64_t{1} << kSubBits) - std::countl_zero(value);
    return (static_cast<std::uint64_t>(shift) + 1) * kSubs + ((value >> shift) - kSubs);
  }
  static std::uint64_t middle_of(std::size_t index) noexcept;

  std::unique_ptr<Counts> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t least_ = ~std::uint64_t{0};
  std::uint64_t most_ = 0;
  double sum_ = 0;
};

}  // namespace quorate::tools
