#include "tests/simulation/model/copy.h"

#include <algorithm>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

void Copy::take_frame(const HistoryEvent& event, StreamLog* log, Violation& violation) {
  const auto fail = [&](const auto&... why) {
    violation.fail(rules::kFrames, "process ", event.process, " stream ", event.stream, ": ",
                   event.begin, "…", event.end, " of ", event.epoch, why...);
  };
  if (log == nullptr) return fail(": no such reign while this process lives");
  if (log_ != nullptr && log_ != log) return fail(", while it holds ", held_, " of ", epoch_);
  if (event.begin != held_) return fail(" is no continuation: it holds ", held_);
  if (event.end <= event.begin) return fail(" is empty");
  if (event.end > log->written()) return fail(", but written are ", log->written());
  // All that is written is published or abandoned; what is left to see is where records end.
  const auto& records = log->records();
  std::size_t at = held_records_;
  while (records[at].end < event.end) ++at;
  if (records[at].end != event.end) return fail(" cuts the record that ends at ", records[at].end);
  log_ = log;
  epoch_ = log->epoch();
  held_ = event.end;
  held_records_ = at + 1;
}

void Copy::say_claim(const HistoryEvent& event, Violation& violation) {
  if (event.end == held_ && event.epoch == epoch_) {
    said_received_ = std::max(said_received_, event.end);
    return;
  }
  violation.fail(rules::kAcknowledgements, "process ", event.process, " stream ", event.stream,
                 ": claims ", event.end, " of ", event.epoch, ", holds ", held_, " of ", epoch_);
}

void Copy::say_acknowledgement(const HistoryEvent& event, bool known, Violation& violation) {
  const auto fail = [&](const auto&... why) {
    violation.fail(rules::kAcknowledgements, "process ", event.process, " stream ", event.stream,
                   ": says received ", event.end, " applied ", event.applied, " of ", event.epoch,
                   why...);
  };
  if (log_ != nullptr ? event.epoch != epoch_ : !known) return fail(", holds bytes of ", epoch_);
  if (event.end > held_) return fail(", holds ", held_);
  if (event.applied > event.end) return fail(": more than received");
  if (event.applied > cursor_) pass_abandoned();
  if (event.applied > cursor_) return fail(", has applied ", cursor_);
  if (event.end < said_received_ || event.applied < said_applied_) {
    return fail(" after ", said_received_, " and ", said_applied_);
  }
  said_received_ = event.end;
  said_applied_ = event.applied;
}

void Copy::pass_abandoned() {
  const auto& records = log_->records();
  while (cursor_records_ < held_records_ &&
         records[cursor_records_].state == ModelRecord::State::abandoned &&
         log_->is_committed(records[cursor_records_].end)) {
    cursor_ = records[cursor_records_++].end;
  }
}

void Copy::fail_apply(const HistoryEvent& event, std::string_view why,
                      Violation& violation) const {
  violation.fail(rules::kApplying, "process ", event.process, " stream ", event.stream,
                 ": applies ", event.begin, "…", event.end, why, "; it stands at ", cursor_,
                 " and holds ", held_);
}

bool Copy::apply(const HistoryEvent& event, Violation& violation) {
  const auto fail = [&](std::string_view why) {
    fail_apply(event, why, violation);
    return false;
  };
  if (event.begin < cursor_) return fail(" again");
  if (log_ == nullptr || event.end > held_) return fail(", more than it holds");
  if (event.epoch != Epoch{} && event.epoch != epoch_) return fail(" of another epoch");
  const auto& records = log_->records();
  std::size_t at = cursor_records_;
  while (at < held_records_ && records[at].begin < event.begin) {
    if (records[at++].state == ModelRecord::State::published) return fail(", leaving records out");
  }
  if (at == held_records_ || records[at].begin != event.begin || records[at].end != event.end) {
    return fail(", which is not a record");
  }
  const ModelRecord& record = records[at];
  if (record.state != ModelRecord::State::published) return fail(", which was not published");
  if (record.content != event.content) return fail(" with other content than was published");
  if (!log_->is_committed(event.end)) return fail(", which is not committed");
  cursor_records_ = at + 1;
  cursor_ = event.end;
  return true;
}

void Copy::show(const HistoryEvent& event, Violation& violation) {
  const Position exposed = event.begin;
  const auto fail = [&](const auto&... why) {
    violation.fail(rules::kReports, "process ", event.process, " stream ", event.stream,
                   ": shows received ", event.end, " exposed ", exposed, " applied ",
                   event.applied, why...);
  };
  if (event.applied > exposed || exposed > event.end) return fail(" in a wrong order");
  if (event.end > held_) return fail(", holds ", held_);
  if (event.applied > cursor_) pass_abandoned();
  if (event.applied > cursor_) return fail(", has applied ", cursor_);
  if (exposed > 0 && !log_->is_committed(exposed)) {
    return fail(", committed is ", log_->committed());
  }
  if (event.end < shown_received_ || exposed < shown_exposed_ || event.applied < shown_applied_) {
    return fail(": fell from ", shown_received_, ", ", shown_exposed_, ", ", shown_applied_);
  }
  shown_received_ = event.end;
  shown_exposed_ = exposed;
  shown_applied_ = event.applied;
}

bool Copy::has_said(const HistoryEvent& event) const noexcept {
  if (event.end == 0 && event.applied == 0) return true;
  return event.epoch == epoch_ && event.end <= said_received_ && event.applied <= said_applied_;
}

std::string Copy::lacks(StreamLog& log) {
  if (log.written() == 0) return {};
  if (log_ != &log || held_ != log.written()) {
    return "holds " + std::to_string(held_) + " of " + std::to_string(log.written());
  }
  pass_abandoned();
  const Position committed = log.committed();
  if (cursor_ >= committed) return {};
  return "has applied " + std::to_string(cursor_) + " of " + std::to_string(committed);
}

}  // namespace quorate::simulation
