#pragma once

// Decides how much of a log is kept. Sans-I/O. Soft limits say when a segment may go; a hold keeps
// what a replica or the embedder still needs, up to the hard limit, behind which the log goes on
// without them: a disk that is full would stop everybody.
//
// What is kept firmly stays whatever the limits say: above all what is not committed. A snapshot
// stands for what is committed and for nothing else: were the log to begin behind that, no replica
// that is behind could ever come back, and so nothing would be committed any more.

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
  std::uint64_t bytes_hard = 0;  ///< 0: none. Gives way to what is kept firmly
  std::uint64_t segment_bytes = 0;  ///< what another segment is going to take
};

/// Nobody needs anything.
inline constexpr Position kNoHold = std::numeric_limits<Position>::max();

struct RetentionNeeds {
  Position from = kNoHold;  ///< the lowest position that somebody still needs
  Position firm = 0;        ///< a segment that reaches beyond it stays whatever the limits say
};

enum class RetentionState : std::uint8_t {
  ok,
  extended,  ///< a hold keeps more than the soft limits would
  at_risk,   ///< a hold keeps so much that the hard limit is near
  lost,      ///< something that a hold needs is not there any more
  full,      ///< another segment would not fit, and the oldest is kept firmly
};
[[nodiscard]] std::string_view to_string(RetentionState state) noexcept;

struct RetentionVerdict {
  std::uint64_t oldest_to_keep = 0;  ///< number of a segment; 0: there is none
  Position oldest_end = 0;           ///< of that segment
  RetentionState state = RetentionState::ok;
  bool beyond = false;  ///< of the hard limit already, by what is kept firmly
};

class Retention {
 public:
  /// Segments that are there already count as finished at `start`: older than they are known to be
  /// they are not taken for.
  Retention(const RetentionLimits& limits, Instant start) : limits_(limits), start_(start) {}

  /// A segment was begun, so the one before it is finished.
  void on_segment(std::uint64_t number, Instant now);
  /// `ranges`: of the index. `needs`: of others. The segment that is written and the one before it
  /// stay, whatever the limits say.
  RetentionVerdict decide(std::span<const SegmentRange> ranges, const RetentionNeeds& needs,
                          Instant now);

 private:
  struct Begun {
    std::uint64_t number = 0;
    Instant at = 0;
  };

  [[nodiscard]] Instant finished_at(std::uint64_t number) const noexcept;
  [[nodiscard]] bool exceeds(std::uint64_t bytes) const noexcept {
    return limits_.bytes_hard != 0 && bytes > limits_.bytes_hard;
  }
  [[nodiscard]] bool is_over(const SegmentRange& oldest, std::uint64_t kept_bytes,
                             Instant now) const noexcept;

  const RetentionLimits limits_;
  const Instant start_;
  std::vector<Begun> begun_;  ///< of segments that are kept
};

}  // namespace quorate::log
