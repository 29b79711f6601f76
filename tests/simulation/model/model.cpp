#include "tests/simulation/model/model.h"

namespace quorate::simulation {

Model::Model(const ModelConfig& config)
    : config_(config), reigns_(config_), processes_(config_, reigns_), waiters_(config_, reigns_) {}

bool Model::fits(const HistoryEvent& event) {
  const bool names_rule =
      event.kind == EventKind::awaited || event.kind == EventKind::watermark;
  if (event.stream < config_.streams && (!names_rule || event.rule < config_.rules.size())) {
    return true;
  }
  violation_.fail(rules::kEvents, "there is no stream ", event.stream, " or no rule ", event.rule);
  return false;
}

void Model::on(const HistoryEvent& event) {
  if (violation_.any()) return;
  violation_.next_event();
  if (!fits(event)) return;
  switch (event.kind) {
    case EventKind::reign_began:
    case EventKind::closing:
    case EventKind::reign_ended: return on_reign(event);
    case EventKind::stream_fenced:
    case EventKind::claimed:
    case EventKind::published:
    case EventKind::abandoned:
    case EventKind::awaited:
    case EventKind::watermark:
    case EventKind::committed: return on_primary(event);
    case EventKind::resolved: return waiters_.resolve(event, violation_);
    case EventKind::quiet: return on_quiet(event);
    default: return on_process(event);
  }
}

void Model::on_reign(const HistoryEvent& event) {
  if (event.kind == EventKind::closing) return reigns_.close(violation_);
  if (event.kind == EventKind::reign_ended) {
    waiters_.check_all_told(violation_);
    return reigns_.end(violation_);
  }
  reigns_.begin(event.epoch, violation_);
  waiters_.begin_reign();
  processes_.forget_reigns();
}

void Model::on_primary(const HistoryEvent& event) {
  if (StreamLog* log = reigns_.current(event.stream)) return on_writer(event, *log);
  violation_.fail(rules::kEvents, "something is written or shown in stream ", event.stream,
                  ", but nobody reigns");
}

void Model::on_writer(const HistoryEvent& event, StreamLog& log) {
  switch (event.kind) {
    case EventKind::stream_fenced: return log.fence(violation_);
    case EventKind::claimed: return log.claim(event.begin, event.end, event.content, violation_);
    case EventKind::published:
      if (log.settle(event.begin, ModelRecord::State::published, violation_)) ++published_;
      return;
    case EventKind::abandoned:
      log.settle(event.begin, ModelRecord::State::abandoned, violation_);
      return;
    case EventKind::awaited: return waiters_.await(event, violation_);
    case EventKind::watermark: return log.show_watermark(event.rule, event.end, violation_);
    default: return log.show_committed(event.end, violation_);
  }
}

void Model::on_process(const HistoryEvent& event) {
  switch (event.kind) {
    case EventKind::process_began: return processes_.begin(event, violation_);
    case EventKind::process_ended: return processes_.end(event, violation_);
    case EventKind::frame_delivered: return processes_.on_frame(event, violation_);
    case EventKind::commit_sent: return processes_.on_commit_sent(event, violation_);
    case EventKind::commit_delivered: return processes_.on_commit(event, violation_);
    case EventKind::claim_sent: return processes_.on_claim(event, violation_);
    case EventKind::ack_sent: return processes_.on_acknowledgement(event, violation_);
    case EventKind::claim_delivered:
    case EventKind::ack_delivered: return processes_.on_told(event, violation_);
    case EventKind::claim_answered: return processes_.on_answered(event, violation_);
    case EventKind::session_ended: return processes_.on_session_ended(event, violation_);
    case EventKind::shown: return processes_.on_shown(event, violation_);
    default:
      if (processes_.on_applied(event, violation_)) ++applied_;
  }
}

void Model::on_quiet(const HistoryEvent& event) {
  if (!reigns_.reigning()) return;
  processes_.check_resumes(violation_);
  processes_.check_converged(event.content, violation_);
  waiters_.check_released_told(violation_);
}

}  // namespace quorate::simulation
