#pragma once

// Where a writer's records come from: sizes of a distribution, or the rows of a trace. A feed puts
// one record at a time into a stream and keeps count of what it put.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quorate/primary.h"
#include "tools/load/content.h"
#include "tools/load/digest.h"
#include "tools/load/record_sizes.h"
#include "tools/load/trace_file.h"

namespace quorate::tools {

/// One writer's part of one stream.
struct Lane {
  Stream stream;
  RuleId rule;
  Epoch epoch;
  Position end = 0;         ///< of this writer's last record
  Position watermark = 0;   ///< as last read
  std::uint64_t index = 0;  ///< of the next record
  StreamDigest digest;      ///< of this writer's records; the sum only when verifying

  /// More than that is unreleased before the end of this writer's last record.
  [[nodiscard]] bool beyond(std::uint64_t bytes) noexcept {
    return end > watermark + bytes && !released(end - bytes);
  }
  [[nodiscard]] bool released(Position position) noexcept {
    if (position <= watermark) return true;
    watermark = stream.watermark(rule);
    return position <= watermark;
  }
};

/// Appends copies of a buffer, each with its own stamp.
class RecordFeed {
 public:
  RecordFeed(const RecordSizes& sizes, std::uint16_t writer, bool verify);

  [[nodiscard]] bool exhausted() const noexcept { return false; }
  [[nodiscard]] std::size_t bytes() const noexcept { return sizes_[at_ & (sizes_.size() - 1)]; }
  [[nodiscard]] double time_s() const noexcept { return 0; }
  [[nodiscard]] std::uint64_t left() const noexcept { return 0; }
  /// False when the stream did not take it. Here, because this is what a load does all the time.
  bool put(Lane& lane, Position& end) noexcept {
    const std::span<std::byte> payload(buffer_.data(), bytes());
    write_stamp(payload, {lane.index, lane.stream.id(), writer_, StampKind::record});
    if (!lane.stream.try_append(payload, end)) return false;
    if (verify_) {
      lane.digest.add(payload, end);
    } else {
      lane.digest.count(payload.size());
    }
    ++lane.index;
    ++at_;
    return true;
  }

 private:
  std::vector<std::uint32_t> sizes_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::uint16_t writer_;
  bool verify_;
};

/// Writes each row's block in place: every `stride`-th row from `first` on.
class TraceFeed {
 public:
  TraceFeed(std::span<const TraceRow> rows, std::size_t first, std::size_t stride,
            std::uint16_t writer, bool verify);

  [[nodiscard]] bool exhausted() const noexcept { return at_ >= rows_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept;
  /// Since the trace's first row.
  [[nodiscard]] double time_s() const noexcept { return rows_[at_].time_s - rows_[0].time_s; }
  [[nodiscard]] std::uint64_t left() const noexcept;
  bool put(Lane& lane, Position& end) noexcept;

 private:
  std::span<const TraceRow> rows_;
  std::size_t at_;
  std::size_t stride_;
  std::uint16_t writer_;
  bool verify_;
};

}  // namespace quorate::tools
