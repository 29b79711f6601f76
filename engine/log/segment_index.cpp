#include "log/segment_index.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/format.h"

namespace quorate::log {

SegmentIndex::SegmentIndex(std::vector<SegmentRange> ranges, std::vector<IndexEntry> entries,
                           std::uint64_t tail)
    : ranges_(std::move(ranges)), entries_(std::move(entries)), tail_(tail) {
  for (const SegmentRange& range : ranges_) total_bytes_ += range.bytes;
  // Units behind a cut are no places to begin at.
  std::erase_if(entries_, [&](const IndexEntry& entry) {
    const SegmentRange* range = range_of(entry.segment);
    return range == nullptr || entry.position >= range->end;
  });
  if (!ranges_.empty()) reserve_for(ranges_.back().bytes);
}

/// In large steps: a vector that grew by each segment's few entries would be copied each time.
void SegmentIndex::reserve_for(std::uint64_t bytes) {
  const std::size_t wanted = entries_.size() + static_cast<std::size_t>(bytes / kStepBytes) + 2;
  if (wanted > entries_.capacity()) entries_.reserve(std::max(wanted, 2 * entries_.capacity()));
}

/// What lies behind `position` was replaced. A segment of which nothing is left stays, as an empty
/// range: its file is there and its number is taken.
void SegmentIndex::cut_at(Position position) {
  for (SegmentRange& range : ranges_) {
    range.end = std::min(range.end, position);
    range.first = std::min(range.first, position);
  }
  while (!entries_.empty() && entries_.back().position >= position) entries_.pop_back();
}

void SegmentIndex::on_segment(std::uint64_t number, Position first, std::uint64_t bytes) {
  CHECK(ranges_.empty() || (number > ranges_.back().number && first <= end()));
  cut_at(first);
  ranges_.push_back({number, first, first, bytes});
  total_bytes_ += bytes;
  tail_ = kBlockBytes;
  reserve_for(bytes);
}

void SegmentIndex::begin_anew(std::uint64_t number, Position first, std::uint64_t bytes) {
  CHECK(ranges_.empty() || number > ranges_.back().number);
  ranges_.clear();
  entries_.clear();
  total_bytes_ = 0;
  ++generation_;
  on_segment(number, first, bytes);
}

void SegmentIndex::on_unit(const DurableUnit& unit) {
  CHECK(!ranges_.empty() && unit.segment == ranges_.back().number && unit.first == end());
  ranges_.back().end = unit.end;
  tail_ = unit.offset + unit.bytes;
  const bool due = entries_.empty() || entries_.back().segment != unit.segment ||
                   unit.offset - entries_.back().offset >= kStepBytes;
  if (due) entries_.push_back({unit.first, unit.segment, unit.offset});
}

void SegmentIndex::drop_before(std::uint64_t segment) {
  if (ranges_.empty()) return;
  const std::uint64_t oldest = std::min(segment, ranges_.back().number);
  const auto kept = std::find_if(ranges_.begin(), ranges_.end(), [&](const SegmentRange& range) {
    total_bytes_ -= range.number < oldest ? range.bytes : 0;
    return range.number >= oldest;
  });
  ranges_.erase(ranges_.begin(), kept);
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const IndexEntry& each) {
    return each.segment >= oldest;
  });
  entries_.erase(entries_.begin(), entry);
}

std::optional<IndexEntry> SegmentIndex::place_of(Position position) const {
  const auto behind = std::upper_bound(
      entries_.begin(), entries_.end(), position,
      [](Position wanted, const IndexEntry& entry) { return wanted < entry.position; });
  if (behind == entries_.begin()) return std::nullopt;
  return *std::prev(behind);
}

const SegmentRange* SegmentIndex::range_of(std::uint64_t segment) const {
  const auto found = std::lower_bound(
      ranges_.begin(), ranges_.end(), segment,
      [](const SegmentRange& range, std::uint64_t number) { return range.number < number; });
  return found != ranges_.end() && found->number == segment ? &*found : nullptr;
}

const SegmentRange* SegmentIndex::range_after(std::uint64_t segment) const {
  const auto found = std::upper_bound(
      ranges_.begin(), ranges_.end(), segment,
      [](std::uint64_t number, const SegmentRange& range) { return number < range.number; });
  return found != ranges_.end() ? &*found : nullptr;
}

Position SegmentIndex::first() const noexcept {
  return ranges_.empty() ? 0 : ranges_.front().first;
}

Position SegmentIndex::end() const noexcept { return ranges_.empty() ? 0 : ranges_.back().end; }

std::uint64_t SegmentIndex::readable_bytes(const SegmentRange& range) const noexcept {
  const bool is_last = !ranges_.empty() && range.number == ranges_.back().number;
  return is_last && tail_ != 0 ? tail_ : range.bytes;
}

}  // namespace quorate::log
