#pragma once

// Decides how much of a log is kept. Sans-I/O. Soft limits say when a segment may go; a hold keeps
// what a replica or the embedder still needs, up to the hard limit, behind which the log goes on
// without them: a disk that is full would stop everybody.

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "log/segment_index.h"

namespace quorate::log {

struct RetentionLimits {
  std::uint64_t bytes_max = 0;   ///< soft; 0: none. Of the segments' files, spare ones not counted
  std::int64_t age_max_ns = 0;   ///< soft; 0: none. Since a segment was finished
  std::uint64_t bytes_hard = 0;  ///< 0: none
};

/// Nobody needs anything.
inline constexpr Position kNoHold = std::numeric_limits<Position>::max();

enum class RetentionState : std::uint8_t {
  ok,
  extended,  ///< a hold keeps more than the soft limits would
  at_risk,   ///< a hold keeps so much that the hard limit is near
  lost,      ///< something that a hold needs is not there any more
};
[[nodiscard]] std::string_view to_string(RetentionState state) noexcept;

struct RetentionVerdict {
  std::uint64_t oldest_to_keep = 0;  ///< number of a segment; 0: there is none
  RetentionState state = RetentionState::ok;
};

class Retention {
 public:
  /// Segments that are there already count as finished at `start`: older than they are known to be
  /// they are not taken for.
  Retention(const RetentionLimits& limits, Instant start) : limits_(limits), start_(start) {}

  /// A segment was begun, so the one before it is finished.
  void on_segment(std::uint64_t number, Instant now);
  /// `ranges`: of the index. `needed_from`: the lowest position that somebody still needs. The
  /// segment that is written and the one before it stay, whatever the limits say.
  RetentionVerdict decide(std::span<const SegmentRange> ranges, Position needed_from, Instant now);

 private:
  struct Begun {
    std::uint64_t number = 0;
    Instant at = 0;
  };

  [[nodiscard]] Instant finished_at(std::uint64_t number) const noexcept;
  [[nodiscard]] bool is_over(const SegmentRange& oldest, std::uint64_t kept_bytes,
                             Instant now) const noexcept;

  const RetentionLimits limits_;
  const Instant start_;
  std::vector<Begun> begun_;  ///< of segments that are kept
};

}  // namespace quorate::log
