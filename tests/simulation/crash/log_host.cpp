#include "tests/simulation/crash/log_host.h"

#include <algorithm>

namespace quorate::simulation {

namespace {

using log::LogFrame;
using log::Recovered;
using log::RecoveryState;
using reactor::Operation;

const std::string kDirectory = "/log";
constexpr std::uint32_t kAlways = 1'000'000;
constexpr std::uint64_t kRoundsMax = 100'000;  ///< of one life: more is a life that hangs

}  // namespace

std::string_view to_string(CrashFault fault) noexcept {
  switch (fault) {
    case CrashFault::kill: return "kill";
    case CrashFault::power: return "power";
    case CrashFault::error_once: return "error_once";
    case CrashFault::error_for_ever: return "error_for_ever";
    case CrashFault::sync_error: return "sync_error";
    case CrashFault::lost_write: return "lost_write";
    case CrashFault::misdirected: return "misdirected";
    case CrashFault::bit_flip: return "bit_flip";
  }
  return "?";
}

LogHost::LogHost(std::uint64_t seed, log::LogOptions options)
    : scheduler_(seed),
      disk_(scheduler_, Draw::of(seed, "disk")),
      draw_(Draw::of(seed, "log")),
      options_(options) {}

void LogHost::violate(const std::string& text) {
  if (violation_.empty()) violation_ = text;
}

void LogHost::on_file_done(Operation& operation, std::int32_t result) {
  completed_.emplace_back(&operation, result);
}

void LogHost::on_durable(Position durable) {
  if (dead_) return;
  if (log_failed_) violate("durable was reported after an error");
  if (durable <= durable_) violate("durable did not grow");
  cut_open_ = false;
  reported_bytes += durable - durable_;
  durable_ = durable;
}

void LogHost::on_log_failed(const Error& error) {
  if (!dead_ && (error.system_errno == 0 || error.text.find(kDirectory) == std::string::npos)) {
    violate("an error that names no file: " + error.text);
  }
  failed_ = log_failed_ = true;
  last_error = error.text;
}

void LogHost::on_log_space(const Error&) { ++space_events; }

void LogHost::on_saved(const Status& status) {
  saved_ = true;
  if (!status) {
    failed_ = true;
    last_error = status.error().text;
  }
  if (dead_ || failed_) return;
  promised_ = std::max(promised_, saving_promise_);
  marked_ = std::max(marked_, saved_mark_);
}

/// As a node does: a promise, and with it how far the log is durable.
void LogHost::promise(log::MetadataFile& metadata) {
  if (metadata.saving() || dead_ || failed_ || !draw_.chance(50)) return;
  log::Metadata content = metadata.latest();
  content.promised_number = saving_promise_ = ++asked_;
  content.known_durable = saved_mark_ = durable_;
  metadata.save(content, *this);
}

void LogHost::turn() {
  if (completed_.empty()) {
    before_event();
    if (completed_.empty() && !scheduler_.run_one()) violate("nothing happens any more");
    after_event();
  }
  while (!completed_.empty()) {
    const auto [operation, result] = completed_.front();
    completed_.pop_front();
    operation->state = Operation::State::idle;
    operation->complete(*operation, result);
  }
}

void LogHost::before_event() {
  ++events_;
  if (events_ >= life_.dies_at) die(life_.power);
  if (events_ >= life_.fault_at && !struck_ && !dead_) strike();
}

void LogHost::strike() {
  DiskLaw& law = disk_.law;
  switch (life_.fault) {
    case CrashFault::kill: struck_ = true; return die(false);
    case CrashFault::power: struck_ = true; return die(true);
    case CrashFault::error_once: law.errors = kAlways; return;
    case CrashFault::error_for_ever: struck_ = true; return disk_.fail_always(true);
    case CrashFault::sync_error: struck_ = true; return disk_.fail_next_sync();
    case CrashFault::lost_write: law.lost_writes = kAlways; return;
    case CrashFault::misdirected: law.misdirected_writes = kAlways; return;
    case CrashFault::bit_flip: law.bit_flips = kAlways; return;
  }
}

std::uint64_t LogHost::harm() const {
  const DiskCounts& counts = disk_.counts();
  return counts.lost_writes + counts.misdirected_writes + counts.bit_flips;
}

std::uint64_t LogHost::errors() const {
  return disk_.counts().errors + disk_.counts().sticky_errors;
}

/// A fault of one operation has struck when the disk has counted it.
void LogHost::after_event() {
  DiskLaw& law = disk_.law;
  const bool harmed = harm() > harm_before_;
  if (harmed || (law.errors > 0 && errors() > errors_before_)) {
    struck_ = true;
    law.errors = law.lost_writes = law.misdirected_writes = law.bit_flips = 0;
  }
  harmed_ = harmed_ || harmed;
}

void LogHost::die(bool power) {
  if (dead_) return;
  dead_ = true;
  if (power) {
    disk_.power_loss();
  } else {
    disk_.abandon(*this);
  }
}

void LogHost::restart() {
  disk_.fail_always(false);
  disk_.law.errors = disk_.law.lost_writes = disk_.law.misdirected_writes = 0;
  disk_.law.bit_flips = 0;
  files_ = disk_.make_files(*this, Draw(draw_.bits()));
  completed_.clear();
  harm_before_ = harm();
  errors_before_ = errors();
  dead_ = failed_ = log_failed_ = struck_ = false;
  events_ = 0;
}

bool LogHost::recover(log::MetadataFile& metadata, Recovered& recovered) {
  log::BlockingFiles blocking(*files_, [this] { turn(); });
  log::FrameCollector found;
  const bool looks_first = draw_.chance(300);
  const std::uint64_t harm_before = harm();
  Recovered seen;
  if (looks_first) seen = examine(blocking);
  if (dead_) return false;
  log::Recovery recovery(blocking, metadata, kDirectory, 0, found);
  Result<Recovered> result = recovery.run();
  if (!result) {
    ++refusals;
    last_error = result.error().text;
    return false;
  }
  recovered = *result;
  if (dead_) return false;
  judge_promise(recovered, metadata);
  const bool same_disk = errors() == errors_before_ && harm() == harm_before;
  if (looks_first && same_disk) judge_examined(seen, recovered);
  judge(recovered, found.frames);
  found_ = found.frames.size();
  if (recovered.state == RecoveryState::fault && life_.cuts) return errors() == errors_before_;
  if (recovered.state != RecoveryState::none) return recovered.state == RecoveryState::whole;
  log::Metadata content;
  content.storage = {0x1234, draw_.bits()};
  if (!log::create_log(blocking, kDirectory, content)) return false;
  result = log::Recovery(blocking, metadata, kDirectory, 0, found).run();
  if (!result || result->state != RecoveryState::whole) return false;
  recovered = *result;
  return !dead_;
}

bool LogHost::save(log::MetadataFile& metadata, log::Metadata content) {
  saved_ = false;
  saving_promise_ = content.promised_number;
  metadata.save(content, *this);
  while (!saved_) turn();
  return !failed_ && !dead_;
}

void LogHost::append_some(log::LogWriter& writer, std::uint32_t& left) {
  while (left > 0 && !draw_.chance(300)) {
    const log::LogEnd end = history_.empty() ? base_ : log::end_after(history_.back());
    const auto records = static_cast<std::size_t>(8 * draw_.magnitude(1, 700));
    LogFrame frame = log::make_frame(end, {epoch_, 7}, records);
    if (writer.append(frame.header, frame.pieces()) != log::Admission::taken) break;
    history_.push_back(std::move(frame));
    --left;
  }
  writer.flush(scheduler_.now());
}

/// At the end of any frame that was found, and of none.
void LogHost::begin_cut(log::WriteStart& start, log::Metadata& content) {
  before_cut_ = history_;
  before_cut_base_ = base_;
  before_cut_durable_ = durable_;
  cut_open_ = true;
  cut_anew_ = false;
  cut_settled_ = false;
  history_.resize(static_cast<std::size_t>(
      draw_.between(0, static_cast<std::int64_t>(found_))));
  const std::uint32_t crc = start.end.unit_crc;
  start.end = history_.empty() ? base_ : log::end_after(history_.back());
  start.end.unit_crc = crc;
  start.cut = true;
  durable_ = start.end.position;
  // What states more from now on may be gone at any moment.
  marked_ = std::min(marked_, durable_);
  content.known_durable = std::min<Position>(content.known_durable, durable_);
  saved_mark_ = content.known_durable;
}

void LogHost::settle_cut(const log::LogWriter& writer) {
  if (dead_ || failed_ || !cut_open_ || cut_settled_) return;
  if (writer.state() != log::LogWriter::State::ready) return;
  cut_settled_ = true;
  ++truncations;
}

/// Gives the segment that was made ahead the content of an older one.
void LogHost::reuse(const log::LogWriter& writer) {
  while (!writer.idle() && !dead_ && !failed_) turn();
  if (dead_ || failed_) return;
  std::vector<std::string> paths;
  const Result<std::vector<std::string>> names = files_->list(kDirectory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (log::segment_number(name) > 0) paths.push_back(kDirectory + "/" + name);
  }
  if (paths.size() < 2) return;
  const auto last = static_cast<std::int64_t>(paths.size()) - 1;
  const auto from = static_cast<std::size_t>(draw_.between(0, last - 1));
  reused += disk_.take_over(paths[from], paths.back()) ? 1 : 0;
}

void LogHost::write(log::MetadataFile& metadata, const Recovered& recovered) {
  log::Metadata content = metadata.latest();
  content.flags = 0;
  content.oldest_segment = std::max(content.oldest_segment, recovered.oldest_segment);
  log::WriteStart start = recovered.start;
  if (life_.cuts) {
    begin_cut(start, content);
  } else if (life_.restarts) {
    begin_anew(start);
  }
  if (!save(metadata, content)) return;
  log::SegmentCollector collector(*files_, kDirectory, *this);
  log::LogWriter writer(*files_, kDirectory, options_, start, *this);
  writer.start();
  ++epoch_;
  if (!start.anew || settle_anew(writer, metadata, start.last_segment + 1)) {
    if (life_.restarts && !collector.start(metadata.latest().oldest_segment)) failed_ = true;
    write_frames(writer, metadata);
  }
  writer.stop();
  collector.stop();
  while (!writer.idle() || metadata.saving() || !collector.idle()) turn();
  const bool whole = !dead_ && !failed_;
  if (!whole || !life_.closes) return;
  content = metadata.latest();
  content.flags = log::kClosed;
  content.known_durable = saved_mark_ = durable_;
  static_cast<void>(save(metadata, content));
}

void LogHost::write_frames(log::LogWriter& writer, log::MetadataFile& metadata) {
  std::uint32_t left = life_.frames;
  std::uint64_t rounds = 0;
  while (!dead_ && !failed_ && (left > 0 || writer.durable() < writer.end())) {
    if (life_.reuses && draw_.chance(150)) reuse(writer);
    append_some(writer, left);
    promise(metadata);
    // A log that has done all it was given waits for the next frame, not for its disk.
    if (!writer.idle() || metadata.saving()) turn();
    ++rounds;
    if (!dead_ && !failed_) marked_ = std::max(marked_, writer.marked());
    settle_cut(writer);
    if (meanwhile) meanwhile(writer);
    if (rounds > kRoundsMax) violate("it hangs");
    if (!violation_.empty()) break;
  }
}

void LogHost::live(const LogLife& life) {
  restart();
  life_ = life;
  {
    log::MetadataFile metadata(*files_, kDirectory);
    Recovered recovered;
    if (recover(metadata, recovered)) write(metadata, recovered);
  }
  die(life.power);
  completed_.clear();
}

void LogHost::look() {
  LogLife life;
  life.frames = 0;
  live(life);
}

}  // namespace quorate::simulation
