#pragma once

// Latencies of one thread, every one kept until a quantile is asked for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quorate::bench {

class Latencies {
 public:
  /// Room for a round of that length, so that recording does not allocate.
  explicit Latencies(double seconds) {
    values_ns_.reserve(static_cast<std::size_t>(seconds * 250'000) + 1000);
  }

  void record(double seconds) {
    values_ns_.push_back(static_cast<std::uint32_t>(std::min(seconds * 1e9, 4e9)));
  }
  void clear() { values_ns_.clear(); }
  [[nodiscard]] std::size_t count() const { return values_ns_.size(); }

  [[nodiscard]] double p50_us() { return quantile_us(0.5); }
  /// 0 when nothing was recorded.
  [[nodiscard]] double quantile_us(double share) {
    if (values_ns_.empty()) return 0;
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(values_ns_.size()));
    const auto place = values_ns_.begin() +
                       static_cast<std::ptrdiff_t>(std::min(rank, values_ns_.size() - 1));
    std::nth_element(values_ns_.begin(), place, values_ns_.end());
    return static_cast<double>(*place) / 1e3;
  }

 private:
  std::vector<std::uint32_t> values_ns_;
};

}  // namespace quorate::bench
