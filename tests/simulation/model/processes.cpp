#include "tests/simulation/model/processes.h"

#include <algorithm>
#include <bit>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

namespace {
/// Processes are looked up by number.
constexpr std::uint32_t kNumberMax = 1u << 24;
}  // namespace

void Processes::begin(const HistoryEvent& event, Violation& violation) {
  if (event.replica >= config_.replicas || event.process > kNumberMax) {
    return violation.fail(rules::kEvents, "process ", event.process, " of replica ",
                          event.replica, " is out of range");
  }
  if (event.process >= processes_.size()) processes_.resize(event.process + 1);
  auto& process = processes_[event.process];
  if (process != nullptr) {
    return violation.fail(rules::kEvents, "process ", event.process, " began twice");
  }
  process = std::make_unique<Process>();
  process->replica = event.replica;
  process->born_in = reigns_.count() == 0 ? 0 : reigns_.count() - 1;
  process->copies.resize(config_.streams);
}

Processes::Process* Processes::known(const HistoryEvent& event, Violation& violation) const {
  if (event.process < processes_.size() && processes_[event.process] != nullptr) {
    return processes_[event.process].get();
  }
  violation.fail(rules::kEvents, "process ", event.process, " never began");
  return nullptr;
}

Processes::Process* Processes::living(const HistoryEvent& event, Violation& violation) const {
  Process* process = known(event, violation);
  if (process == nullptr || process->alive) return process;
  violation.fail(rules::kEvents, "process ", event.process, " has ended");
  return nullptr;
}

void Processes::end(const HistoryEvent& event, Violation& violation) {
  Process* process = living(event, violation);
  if (process == nullptr) return;
  process->alive = false;
  for (Copy& copy : process->copies) copy.end();
}

void Processes::on_frame(const HistoryEvent& event, Violation& violation) {
  Process* process = living(event, violation);
  if (process == nullptr) return;
  Copy& copy = process->copies[event.stream];
  StreamLog* log = copy.log();
  if (log == nullptr || log->epoch() != event.epoch) {
    log = reigns_.find(event.epoch, event.stream, process->born_in);
  }
  copy.take_frame(event, log, violation);
}

void Processes::on_commit_sent(const HistoryEvent& event, Violation& violation) {
  if (known(event, violation) == nullptr) return;
  StreamLog* log = reigns_.current(event.stream);
  if (log == nullptr || event.end == 0 || log->is_committed(event.end)) return;
  violation.fail(rules::kCommits, "stream ", event.stream, ": the primary tells process ",
                 event.process, " of ", event.end, ", committed is ", log->committed());
}

/// A process that holds nothing may be told by whichever primary it has reached.
void Processes::on_commit(const HistoryEvent& event, Violation& violation) {
  Process* process = living(event, violation);
  if (process == nullptr || event.end == 0) return;
  StreamLog* held = process->copies[event.stream].log();
  if (held != nullptr && held->is_committed(event.end)) return;
  for (std::size_t reign = reigns_.count(); reign > process->born_in; --reign) {
    StreamLog* log = reigns_.at(reign - 1, event.stream);
    if (log == nullptr || (event.epoch != Epoch{} && event.epoch != log->epoch())) continue;
    if (log == held) break;
    if (log->is_committed(event.end)) return;
  }
  violation.fail(rules::kCommits, "process ", event.process, " stream ", event.stream,
                 ": is told ", event.end, " of ", event.epoch, ", which is not committed");
}

void Processes::on_claim(const HistoryEvent& event, Violation& violation) {
  if (Process* process = living(event, violation)) {
    process->copies[event.stream].say_claim(event, violation);
  }
}

void Processes::on_acknowledgement(const HistoryEvent& event, Violation& violation) {
  Process* process = living(event, violation);
  if (process == nullptr) return;
  if (event.durable != 0) {
    return violation.fail(rules::kAcknowledgements, "process ", event.process, " stream ",
                          event.stream, ": says durable ", event.durable,
                          ", and nothing is durable in this version");
  }
  Copy& copy = process->copies[event.stream];
  const bool known = copy.log() != nullptr ||
                     reigns_.find(event.epoch, event.stream, process->born_in) != nullptr;
  copy.say_acknowledgement(event, known, violation);
}

bool Processes::on_applied(const HistoryEvent& event, Violation& violation) {
  Process* process = living(event, violation);
  return process != nullptr && process->copies[event.stream].apply(event, violation);
}

void Processes::on_shown(const HistoryEvent& event, Violation& violation) {
  if (Process* process = living(event, violation)) {
    process->copies[event.stream].show(event, violation);
  }
}

void Processes::on_told(const HistoryEvent& event, Violation& violation) {
  Process* process = known(event, violation);
  if (process == nullptr) return;
  if (!process->copies[event.stream].has_said(event)) {
    return violation.fail(rules::kAcknowledgements, "process ", event.process, " stream ",
                          event.stream, ": ", event.end, " and ", event.applied, " of ",
                          event.epoch, " arrived, but were never said");
  }
  StreamLog* log = reigns_.current(event.stream);
  if (log == nullptr) return;
  // What is said of an older reign is about other bytes.
  const bool current = event.epoch == log->epoch();
  if (event.kind == EventKind::claim_delivered) {
    log->take_claim(process->replica, event.process, current ? event.end : 0);
  } else if (current) {
    log->count(process->replica, event.process, event.end, event.applied);
  }
}

void Processes::on_answered(const HistoryEvent& event, Violation& violation) {
  Process* process = known(event, violation);
  StreamLog* log = reigns_.current(event.stream);
  if (process == nullptr || log == nullptr) return;
  const Position claimed = log->claim_of(process->replica, event.process);
  if (claimed > 0 && !event.refused) ++resumed_;
  const bool near = claimed > 0 && log->claimed() - claimed <= config_.near_bytes &&
                    log->records_behind(claimed) <= config_.near_records;
  if (near && event.refused) ++near_refused_;
  log->answer_claim(process->replica, event.process);
}

void Processes::check_resumes(Violation& violation) const {
  constexpr std::uint64_t kMany = 5;
  if (resumed_ > 0 || near_refused_ < kMany) return;
  violation.fail(rules::kConvergence, "none of ", near_refused_,
                 " that came back with nearly everything was resumed");
}

void Processes::on_session_ended(const HistoryEvent& event, Violation& violation) {
  known(event, violation);
}

std::string Processes::lacks(Process& process) {
  for (StreamId stream = 0; stream < config_.streams; ++stream) {
    StreamLog* log = reigns_.current(stream);
    // What was written last before a fence may or may not have been sent.
    if (log->fenced()) continue;
    std::string lack = process.copies[stream].lacks(*log);
    if (lack.empty() && log->received(process.replica) < log->written()) {
      lack = "is known to hold only " + std::to_string(log->received(process.replica));
    } else if (lack.empty() && log->applied(process.replica) < log->committed()) {
      lack = "is known to have applied only " + std::to_string(log->applied(process.replica));
    }
    if (!lack.empty()) return "stream " + std::to_string(stream) + " " + lack;
  }
  return {};
}

void Processes::check_converged(std::uint64_t replicas, Violation& violation) {
  for (std::uint64_t left = replicas; left != 0; left &= left - 1) {
    const auto replica = static_cast<std::uint32_t>(std::countr_zero(left));
    std::string lack = "has no process";
    for (auto& process : processes_) {
      if (process == nullptr || !process->alive || process->replica != replica) continue;
      lack = lacks(*process);
      if (lack.empty()) break;
    }
    if (!lack.empty()) violation.fail(rules::kConvergence, "replica ", replica, " ", lack);
  }
}

void Processes::forget_reigns() {
  reigns_.forget([&](const StreamLog& log, std::size_t reign) {
    return std::any_of(processes_.begin(), processes_.end(), [&](const auto& process) {
      if (process == nullptr || !process->alive) return false;
      return std::any_of(process->copies.begin(), process->copies.end(), [&](const Copy& copy) {
        return copy.log() == &log || (copy.log() == nullptr && process->born_in <= reign);
      });
    });
  });
}

}  // namespace quorate::simulation
