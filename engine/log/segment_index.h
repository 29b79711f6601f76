#pragma once

// Where in the segments of one log a position lies: which segments there are, what of each counts,
// and, sparsely, where units begin. In memory, bounded by the retained log (an entry a MiB).

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quorate/types.h"

namespace quorate::log {

/// A unit that begins there.
struct IndexEntry {
  Position position = 0;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
};

/// What of a segment counts. After a cut its file may hold frames behind `end`, which do not.
struct SegmentRange {
  std::uint64_t number = 0;
  Position first = 0;
  Position end = 0;  ///< of the last segment: as far as it was written when this was asked
  std::uint64_t bytes = 0;  ///< of its file
};

/// Up to where the log's frames are of that epoch.
struct EpochEnd {
  Epoch epoch;
  Position end = 0;
};

/// A unit that has become durable.
struct DurableUnit {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;  ///< in the file
  Position first = 0;
  Position end = 0;
};

/// What there is of one log: begun by recovery, carried on by its writer, cut by retention, and
/// read by whoever looks for a position. An entry takes 24 bytes, and there is one for each
/// segment's first unit and one a MiB behind it. Units allocate nothing: space for the entries of
/// a segment is taken when it begins.
class SegmentIndex {
 public:
  static constexpr std::uint64_t kStepBytes = 1u << 20;

  /// Of a log that has nothing yet.
  SegmentIndex() = default;
  /// As recovery found it. `tail`: where in the last segment its units end; 0: not known.
  SegmentIndex(std::vector<SegmentRange> ranges, std::vector<IndexEntry> entries,
               std::uint64_t tail);

  /// A segment was begun. One that begins before the end of the log cuts what lies behind. Numbers
  /// are left out where a fault was cut off: what has them does not count.
  void on_segment(std::uint64_t number, Position first, std::uint64_t bytes);
  /// The same for a segment with which the log begins anew: it is the only one then, and readers
  /// of what was there before have nothing to go on with.
  void begin_anew(std::uint64_t number, Position first, std::uint64_t bytes);
  /// In order.
  void on_unit(const DurableUnit& unit);
  /// Segments before this one are no longer there. The last one always is.
  void drop_before(std::uint64_t segment);

  /// The last indexed unit that begins at or before it; none: it is older than the log, or nothing
  /// is there.
  [[nodiscard]] std::optional<IndexEntry> place_of(Position position) const;
  /// Null: dropped, or never begun. Good until the index changes.
  [[nodiscard]] const SegmentRange* range_of(std::uint64_t segment) const;
  [[nodiscard]] const SegmentRange* range_after(std::uint64_t segment) const;  ///< the next one
  [[nodiscard]] std::span<const SegmentRange> ranges() const noexcept { return ranges_; }
  [[nodiscard]] std::span<const IndexEntry> entries() const noexcept { return entries_; }

  /// How often the log began anew since this was made.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] Position first() const noexcept;  ///< the oldest that can be read
  [[nodiscard]] Position end() const noexcept;    ///< of what is durable
  /// Where in that segment to stop reading: nothing behind it counts.
  [[nodiscard]] std::uint64_t readable_bytes(const SegmentRange& range) const noexcept;
  [[nodiscard]] std::uint64_t total_bytes() const noexcept { return total_bytes_; }  ///< of files

 private:
  void add(const SegmentRange& range);
  void cut_at(Position position);
  void reserve_for(std::uint64_t bytes);

  std::vector<SegmentRange> ranges_;
  std::vector<IndexEntry> entries_;
  std::uint64_t tail_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace quorate::log
