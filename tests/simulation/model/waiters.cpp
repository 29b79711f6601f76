#include "tests/simulation/model/waiters.h"

#include <algorithm>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

namespace {
/// Numbers that are left out cost memory.
constexpr std::uint64_t kGapMax = 1u << 16;
}  // namespace

void Waiters::await(const HistoryEvent& event, Violation& violation) {
  const std::uint64_t next = first_ + waiters_.size();
  if (event.waiter < next) {
    return violation.fail(rules::kWaiters, "waiter ", event.waiter,
                          " awaits a second time, or numbers do not rise");
  }
  if (event.end == 0 || event.end > reigns_.current(event.stream)->claimed()) {
    return violation.fail(rules::kWaiters, "waiter ", event.waiter, " awaits ", event.end,
                          ", which was not claimed");
  }
  if (waiters_.empty()) {
    first_ = event.waiter;
  } else if (event.waiter - next > kGapMax) {
    return violation.fail(rules::kEvents, "waiter ", event.waiter, " follows ", next - 1);
  } else {
    waiters_.resize(event.waiter - first_);
  }
  waiters_.push_back({event.end, event.stream, event.rule, true});
  ++open_;
}

void Waiters::resolve(const HistoryEvent& event, Violation& violation) {
  // A number before the first becomes one far behind the last.
  const std::uint64_t at = event.waiter - first_;
  if (at >= waiters_.size() || !waiters_[at].waits) {
    return violation.fail(rules::kWaiters, "waiter ", event.waiter,
                          " is told and does not wait: told twice, or after its reign");
  }
  Waiter& waiter = waiters_[at];
  const StreamLog* log = reigns_.current(waiter.stream);
  switch (event.outcome) {
    case OutcomeKind::released: check_released(waiter, event, violation); break;
    case OutcomeKind::unknown:
      if (log->fenced() || reigns_.closing()) break;
      violation.fail(rules::kWaiters, "waiter ", event.waiter,
                     " is told unknown, but nothing is fenced or closing");
      break;
    case OutcomeKind::pending:
    case OutcomeKind::lost:
      violation.fail(rules::kWaiters, "waiter ", event.waiter, " is told pending or lost");
      break;
  }
  waiter.waits = false;
  --open_;
  while (waiters_.size() > 1 && !waiters_.front().waits) {
    waiters_.pop_front();
    ++first_;
  }
}

void Waiters::check_released(const Waiter& waiter, const HistoryEvent& event,
                             Violation& violation) const {
  const ModelRule& rule = config_.rules[waiter.rule];
  const StreamLog& log = *reigns_.current(waiter.stream);
  if (!log.is_released(waiter.rule, waiter.end)) {
    return violation.fail(rules::kWaiters, "waiter ", event.waiter, " is told released at ",
                          waiter.end, " with ", log.copies(rule.level, rule.members, waiter.end),
                          " of ", rule.count, " replicas");
  }
  // Copies are those of all replicas, members of the rule or not.
  // They may have become fewer since the release; those that made it count.
  const std::uint32_t known =
      1 + std::max(rule.count, log.copies(rule.level, ~0ull, waiter.end));
  if (event.copies < rule.count + 1 || event.copies > known) {
    violation.fail(rules::kWaiters, "waiter ", event.waiter, " is told ", event.copies,
                   " copies, asked were ", rule.count + 1, " and known are ", known);
  }
}

void Waiters::check_all_told(Violation& violation) const {
  if (open_ == 0) return;
  for (std::uint64_t i = 0; i < waiters_.size(); ++i) {
    if (!waiters_[i].waits) continue;
    return violation.fail(rules::kWaiters, "waiter ", first_ + i, " and ", open_ - 1,
                          " others were never told when their reign ended");
  }
}

void Waiters::check_released_told(Violation& violation) const {
  for (std::uint64_t i = 0; i < waiters_.size(); ++i) {
    const Waiter& waiter = waiters_[i];
    if (!waiter.waits) continue;
    const StreamLog& log = *reigns_.current(waiter.stream);
    if (!log.fenced() && !log.is_released(waiter.rule, waiter.end)) continue;
    return violation.fail(rules::kConvergence, "waiter ", first_ + i, " of stream ",
                          waiter.stream, " still waits for ", waiter.end,
                          " under rule ", waiter.rule);
  }
}

}  // namespace quorate::simulation
