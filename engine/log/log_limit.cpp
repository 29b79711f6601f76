#include "log/log_limit.h"

#include <utility>

namespace quorate::log {

namespace {

LimitState judged(const RetentionVerdict& verdict, Position committed,
                  bool waits_for_commit) noexcept {
  if (verdict.state != RetentionState::full) return LimitState::within;
  const bool waits = waits_for_commit || verdict.oldest_end <= committed;
  if (!waits) return LimitState::gives_way;
  return verdict.beyond ? LimitState::beyond : LimitState::last_segment;
}

}  // namespace

void LogLimit::on_verdict(const RetentionVerdict& verdict, Position committed,
                          bool waits_for_commit) noexcept {
  if (state_ == LimitState::parting || state_ == LimitState::lifted) return;
  state_ = judged(verdict, committed, waits_for_commit);
}

void LogLimit::on_parting() noexcept {
  if (state_ != LimitState::lifted) state_ = LimitState::parting;
}

void LogLimit::on_segment_begun() noexcept {
  if (state_ == LimitState::parting) state_ = LimitState::within;
}

bool LogLimit::update_full(bool segment_is_full) noexcept {
  const bool full = !takes() || (holds() && segment_is_full);
  return std::exchange(full_, full) != full;
}

}  // namespace quorate::log
