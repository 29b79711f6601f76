#include "tests/simulation/model/stream_log.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

StreamLog::StreamLog(const ModelConfig& config, const Epoch& epoch, StreamId stream)
    : config_(config),
      epoch_(epoch),
      stream_(stream),
      shown_watermarks_(config.rules.size()),
      proved_(config.rules.size()) {
  resumed_.fill(kNobody);
}

void StreamLog::claim(Position begin, Position end, std::uint64_t content, Violation& violation) {
  if (begin != claimed() || end <= begin) {
    return violation.fail(rules::kClaims, "stream ", stream_, ": ", begin, "…", end,
                          " was claimed behind ", claimed());
  }
  if (fenced_) {
    return violation.fail(rules::kClaims, "stream ", stream_, ": ", begin, "…", end,
                          " was claimed after the stream was fenced");
  }
  records_.push_back({begin, end, content, ModelRecord::State::open});
}

ModelRecord* StreamLog::find(Position begin) noexcept {
  if (records_.empty()) return nullptr;
  if (records_.back().begin == begin) return &records_.back();
  const auto found =
      std::lower_bound(records_.begin(), records_.end(), begin,
                       [](const ModelRecord& record, Position at) { return record.begin < at; });
  return found != records_.end() && found->begin == begin ? &*found : nullptr;
}

std::uint64_t StreamLog::records_behind(Position position) const noexcept {
  const auto found = std::lower_bound(
      records_.begin(), records_.end(), position,
      [](const ModelRecord& record, Position at) { return record.begin < at; });
  return static_cast<std::uint64_t>(records_.end() - found);
}

bool StreamLog::settle(Position begin, ModelRecord::State state, Violation& violation) {
  ModelRecord* record = find(begin);
  if (record == nullptr || record->state != ModelRecord::State::open) {
    violation.fail(rules::kClaims, "stream ", stream_, ": ", begin,
                   record == nullptr ? " was never claimed and is published or abandoned"
                                     : " is published or abandoned a second time");
    return false;
  }
  record->state = state;
  advance();
  return true;
}

/// A fenced stream grows no more: whatever its last claims become, nobody may be given them.
void StreamLog::advance() noexcept {
  if (fenced_) return;
  while (written_records_ < records_.size() &&
         records_[written_records_].state != ModelRecord::State::open) {
    written_ = records_[written_records_++].end;
  }
}

void StreamLog::fence(Violation& violation) {
  if (!fenced_ && written_ == claimed()) {
    violation.fail(rules::kClaims, "stream ", stream_, ": fenced, but no claim is open");
  }
  fenced_ = true;
}

void StreamLog::show_watermark(std::uint8_t rule, Position end, Violation& violation) {
  Position& shown = shown_watermarks_[rule];
  if (end < shown) {
    return violation.fail(rules::kWatermarks, "stream ", stream_, " rule ", rule, ": fell from ",
                          shown, " to ", end);
  }
  if (end > shown && !is_released(rule, end)) {
    const ModelRule& asked = config_.rules[rule];
    return violation.fail(rules::kWatermarks, "stream ", stream_, " rule ", rule, ": shows ", end,
                          " with ", copies(asked.level, asked.members, end), " of ", asked.count,
                          " replicas and ", written_, " written");
  }
  shown = end;
}

void StreamLog::show_committed(Position end, Violation& violation) {
  if (end < shown_committed_) {
    return violation.fail(rules::kCommits, "stream ", stream_, ": the primary's fell from ",
                          shown_committed_, " to ", end);
  }
  if (!is_committed(end)) {
    return violation.fail(rules::kCommits, "stream ", stream_, ": the primary shows ", end,
                          ", committed is ", committed());
  }
  shown_committed_ = end;
}

void StreamLog::take_claim(std::uint32_t replica, std::uint32_t process,
                           Position received) noexcept {
  claims_[replica] = {process, received};
  received_[replica] = std::max(received_[replica], received);
}

void StreamLog::answer_claim(std::uint32_t replica, std::uint32_t process) noexcept {
  // Answers are also given later, when a stream cannot go on.
  if (claims_[replica].process != process) return;
  const Claimant claim = std::exchange(claims_[replica], {});
  keep_proved();
  resumed_[replica] = process;
  received_[replica] = claim.received;
  applied_[replica] = 0;
}

/// Positions of replicas are all there can be: no rule that asks for a replica releases beyond.
void StreamLog::keep_proved() noexcept {
  committed_ = committed();
  for (std::size_t r = 0; r < proved_.size(); ++r) {
    const ModelRule& rule = config_.rules[r];
    const Positions& reached = rule.level == Level::applied ? applied_ : received_;
    for (std::uint32_t i = 0; i < config_.replicas; ++i) {
      if (reached[i] > proved_[r] && meets(rule, reached[i])) proved_[r] = reached[i];
    }
  }
}

void StreamLog::count(std::uint32_t replica, std::uint32_t process, Position received,
                      Position applied) noexcept {
  if (resumed_[replica] != process) return;
  received_[replica] = std::max(received_[replica], received);
  applied_[replica] = std::max(applied_[replica], applied);
}

std::uint64_t StreamLog::everybody() const noexcept {
  return config_.replicas >= 64 ? ~0ull : (1ull << config_.replicas) - 1;
}

std::uint32_t StreamLog::copies(Level level, std::uint64_t members, Position end) const noexcept {
  // Nothing is durable in this version, whatever is said.
  if (level == Level::durable) return 0;
  const Positions& reached = level == Level::applied ? applied_ : received_;
  std::uint32_t count = 0;
  for (std::uint64_t left = members & everybody(); left != 0; left &= left - 1) {
    count += reached[static_cast<std::size_t>(std::countr_zero(left))] >= end ? 1 : 0;
  }
  return count;
}

/// To ask whether enough have it needs no order among the positions, which is how the engine
/// does it: the two cannot share a mistake.
bool StreamLog::meets(const ModelRule& rule, Position end) const noexcept {
  if (end > written_) return false;
  return rule.count == 0 || copies(rule.level, rule.members, end) >= rule.count;
}

bool StreamLog::is_released(std::uint8_t rule, Position end) const noexcept {
  return end <= proved_[rule] || meets(config_.rules[rule], end);
}

bool StreamLog::is_committed(Position end) noexcept {
  if (end <= committed_) return true;
  if (!meets({Level::received, config_.protected_copies - 1, everybody()}, end)) return false;
  committed_ = end;
  return true;
}

Position StreamLog::committed() noexcept {
  Position highest = is_committed(written_) ? written_ : committed_;
  for (std::uint32_t i = 0; i < config_.replicas; ++i) {
    if (is_committed(received_[i])) highest = std::max(highest, received_[i]);
  }
  return highest;
}

}  // namespace quorate::simulation
