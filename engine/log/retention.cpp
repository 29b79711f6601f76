#include "log/retention.h"

#include <algorithm>

#include "base/mutant.h"

namespace quorate::log {

namespace {

constexpr std::size_t kAlwaysKept = 2;  ///< the segment that is written and the one before it

}  // namespace

std::string_view to_string(RetentionState state) noexcept {
  switch (state) {
    case RetentionState::ok: return "ok";
    case RetentionState::extended: return "extended";
    case RetentionState::at_risk: return "at risk";
    case RetentionState::lost: return "lost";
    case RetentionState::full: return "full";
  }
  return "?";
}

void Retention::on_segment(std::uint64_t number, Instant now) { begun_.push_back({number, now}); }

Instant Retention::finished_at(std::uint64_t number) const noexcept {
  const auto next = std::find_if(begun_.begin(), begun_.end(),
                                 [&](const Begun& begun) { return begun.number == number + 1; });
  return next != begun_.end() ? next->at : start_;
}

bool Retention::is_over(const SegmentRange& oldest, std::uint64_t kept_bytes,
                        Instant now) const noexcept {
  if (limits_.bytes_max != 0 && kept_bytes > limits_.bytes_max) return true;
  return limits_.age_max_ns != 0 && now - finished_at(oldest.number) > limits_.age_max_ns;
}

RetentionVerdict Retention::decide(std::span<const SegmentRange> ranges,
                                   const RetentionNeeds& needs, Instant now) {
  if (ranges.empty()) return {};
  std::uint64_t kept = 0;
  for (const SegmentRange& range : ranges) kept += range.bytes;
  const auto is_firm = [&](const SegmentRange& range) {
    return range.end > needs.firm && !QUORATE_MUTANT(uncommitted_given_up);
  };
  const auto is_held = [&](const SegmentRange& range) {
    return is_firm(range) || (range.end > needs.from && !QUORATE_MUTANT(holds_ignored));
  };
  RetentionVerdict verdict;
  std::size_t oldest = 0;
  for (; oldest + kAlwaysKept < ranges.size(); ++oldest) {
    const SegmentRange& range = ranges[oldest];
    const bool must = exceeds(kept) && !is_firm(range);
    const bool may = is_over(range, kept, now);
    if (!must && may && is_held(range)) verdict.state = RetentionState::extended;
    if (!must && (!may || is_held(range))) break;
    kept -= range.bytes;
  }
  const bool is_near = limits_.bytes_hard != 0 &&
                       kept >= limits_.bytes_hard - limits_.bytes_hard / 10;
  if (is_near && is_held(ranges[oldest])) verdict.state = RetentionState::at_risk;
  if (needs.from < ranges[oldest].first) verdict.state = RetentionState::lost;
  if (exceeds(kept + limits_.segment_bytes) && is_firm(ranges[oldest])) {
    verdict.state = RetentionState::full;
    verdict.beyond = exceeds(kept);
  }
  verdict.oldest_to_keep = ranges[oldest].number;
  verdict.oldest_end = ranges[oldest].end;
  std::erase_if(begun_, [&](const Begun& b) { return b.number < verdict.oldest_to_keep; });
  return verdict;
}

}  // namespace quorate::log
