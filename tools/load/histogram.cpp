#include "tools/load/histogram.h"

#include <algorithm>
#include <cmath>

namespace quorate::tools {

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < counts_->size(); ++i) (*counts_)[i] += (*other.counts_)[i];
  count_ += other.count_;
  sum_ += other.sum_;
  least_ = std::min(least_, other.least_);
  most_ = std::max(most_, other.most_);
}

double Histogram::mean() const noexcept {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t Histogram::middle_of(std::size_t index) noexcept {
  if (index < kSubs) return index;
  const auto shift = index / kSubs - 1;
  const std::uint64_t low = (kSubs + index % kSubs) << shift;
  return low + ((std::uint64_t{1} << shift) >> 1);
}

std::uint64_t Histogram::at(double quantile) const noexcept {
  if (count_ == 0) return 0;
  const double exact = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_));
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact));
  if (wanted >= count_) return most_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_->size(); ++i) {
    seen += (*counts_)[i];
    if (seen >= wanted) return std::clamp(middle_of(i), least_, most_);
  }
  return most_;
}

}  // namespace quorate::tools
