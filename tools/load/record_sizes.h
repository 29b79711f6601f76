#pragma once

// How long the records of a load are: one size, or a distribution.
//   64 · uniform:LO-HI · lognormal:MEDIAN:SIGMA · list:64@0.9,4096@0.1
// Sizes are drawn once, with a fixed seed, into a cycle that writers walk: drawing costs nothing
// while they run, and two runs write the same sizes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"

namespace quorate::tools {

class RecordSizes {
 public:
  static constexpr std::uint32_t kCycle = 4096;  ///< sizes drawn from a distribution

  /// One size.
  explicit RecordSizes(std::uint32_t bytes = 64);

  /// Sizes above 1 GiB are refused here; whether they fit the ring is asked later, of most_bytes().
  static Result<RecordSizes> parse(std::string_view text);

  /// A power of two of them.
  [[nodiscard]] const std::vector<std::uint32_t>& cycle() const { return cycle_; }
  [[nodiscard]] std::uint32_t least_bytes() const;
  /// The largest that the specification allows; for `lognormal` the largest drawn.
  [[nodiscard]] std::uint32_t most_bytes() const { return most_bytes_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static Result<RecordSizes> uniform(std::string_view text);
  static Result<RecordSizes> lognormal(std::string_view text);
  static Result<RecordSizes> list(std::string_view text);
  static RecordSizes of_cycle(std::vector<std::uint32_t> cycle);

  std::vector<std::uint32_t> cycle_;
  std::uint32_t most_bytes_ = 0;
  std::string text_;
};

}  // namespace quorate::tools
