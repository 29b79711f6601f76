#pragma once

// Latencies of one thread, every one kept until the median is asked for.

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

  /// 0 when nothing was recorded.
  [[nodiscard]] double p50_us() {
    if (values_ns_.empty()) return 0;
    const auto middle = values_ns_.begin() + static_cast<std::ptrdiff_t>(values_ns_.size() / 2);
    std::nth_element(values_ns_.begin(), middle, values_ns_.end());
    return static_cast<double>(*middle) / 1e3;
  }

 private:
  std::vector<std::uint32_t> values_ns_;
};

}  // namespace quorate::bench
