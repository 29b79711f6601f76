#include "shard/stream_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::shard {

namespace {

/// How often space is looked for, segments are given up, and what is known is saved.
constexpr std::int64_t kHouse_ns = kSecond_ns / 4;
/// A disk that has not ended a write for so long is told of.
constexpr std::int64_t kStall_ns = 2 * kSecond_ns;

}  // namespace

StreamLog::StreamLog(reactor::Reactor& reactor, const OpenedLog& opened,
                     const log::LogOptions& options, Owner& owner)
    : reactor_(reactor),
      directory_(opened.directory),
      options_(options),
      start_(opened.found.start),
      owner_(owner),
      metadata_(reactor.files(), opened.directory),
      index_(opened.found.segments, opened.found.index, opened.found.start.offset),
      writer_(std::make_unique<log::LogWriter>(reactor.files(), directory_, options_, start_,
                                               *this)),
      retention_(opened.retention, reactor.now()),
      limit_(start_.parts()),
      collector_(reactor.files(), opened.directory, *this),
      // What was made ahead is not begun, and is made again.
      last_segment_(start_.parts() ? start_.last_segment : start_.segment),
      recycled_from_(start_.last_segment + 1),
      promised_{opened.metadata.promised_number, opened.metadata.promised_incarnation},
      wanted_promise_(promised_),
      committed_(opened.metadata.known_committed) {
  metadata_.go_on(opened.metadata);
  oldest_kept_ = opened.metadata.oldest_segment;
}

StreamLog::~StreamLog() { CHECK(idle()); }

bool StreamLog::idle() const noexcept {
  return writer_->idle() && !metadata_.saving() && collector_.idle() &&
         (!finder_ || finder_->idle());
}

void StreamLog::start() {
  // Before the writer: it may find at once that it needs another segment.
  static_cast<void>(judge(reactor_.now()));
  writer_->start();
  if (auto started = collector_.start(oldest_kept_); !started) fail(started.error());
}

bool StreamLog::append(const wire::FrameHeader& header,
                       std::span<const std::span<const std::byte>> pieces) {
  if (failed_ || phase_ != Phase::open || cutting()) return false;
  if (full()) retain(reactor_.now());
  if (!limit_.takes()) return false;
  switch (writer_->append(header, pieces)) {
    case log::Admission::taken: return true;
    case log::Admission::busy:
    case log::Admission::segment_full: return false;
    case log::Admission::too_large: break;
  }
  fail(Error(Errc::too_large, "log: a frame is larger than a unit of the log"));
  return false;
}

void StreamLog::flush() {
  const Instant now = reactor_.now();
  writer_->flush(now);
  cut_step();
  // At once, so that the file of the one that goes is there when the next one is made.
  const bool due = retention_due_ || full() || (limit_.holds() && writer_->wants_segment());
  if (due && !failed_ && phase_ == Phase::open && !cutting()) retain(now);
  tell_full();
}

std::unique_ptr<log::LogReader> StreamLog::make_reader(log::LogReader::Listener& listener) const {
  return std::make_unique<log::LogReader>(reactor_.files(), directory_, start_.identity, index_,
                                          options_.limits.unit_bytes_max, listener);
}

std::optional<Position> StreamLog::unit_around(Position position) const {
  const auto place = index_.place_of(position);
  if (!place) return std::nullopt;
  return place->position;
}

// What is remembered.

void StreamLog::keep_house(Instant now) {
  if (now < house_at_ || failed_ || phase_ != Phase::open) return;
  house_at_ = now + kHouse_ns;
  // Also while the log is cut: the segment that is to begin there may be what lacks space.
  if (lacks_space()) writer_->try_again();
  const Instant since = writer_->oldest_write_since();
  const bool stalled = since != kNever && now - since >= kStall_ns;
  if (std::exchange(stalled_, stalled) != stalled) owner_.on_log_changed();
  if (cutting()) return;
  retain(now);
  if (!metadata_.saving() && committed_ > metadata_.latest().known_committed) save(remembered());
}

log::RetentionVerdict StreamLog::judge(Instant now) {
  const log::RetentionNeeds needs{owner_.log_needed_from(),
                                  std::min(committed_, owner_.log_firm_from())};
  const log::RetentionVerdict verdict = retention_.decide(index_.ranges(), needs, now);
  retention_state_ = verdict.state;
  limit_.on_verdict(verdict, committed_, owner_.log_waits_for_commit());
  writer_->hold(limit_.holds());
  return verdict;
}

void StreamLog::tell_full() {
  if (limit_.update_full(writer_->wants_segment())) owner_.on_log_changed();
}

/// A reader begins nothing that metadata does not count any more, and then it goes.
void StreamLog::retain(Instant now) {
  retention_due_ = false;
  const log::RetentionVerdict verdict = judge(now);
  if (verdict.oldest_to_keep > oldest_kept_) {
    oldest_kept_ = verdict.oldest_to_keep;
    index_.drop_before(oldest_kept_);
    if (QUORATE_MUTANT(given_up_unsaved)) collector_.collect(oldest_kept_);
  }
  if (oldest_kept_ > metadata_.latest().oldest_segment && !metadata_.saving()) save(remembered());
}

void StreamLog::promise(const Epoch& epoch) {
  wanted_promise_ = std::max(wanted_promise_, epoch);
  if (!metadata_.saving() && !failed_ && wanted_promise_ > promised_) save(remembered());
}

/// A save never takes back what an earlier one said, but for a cut. While the header of a log that
/// begins anew is in flight, it is the old log that has to be there.
log::Metadata StreamLog::remembered() const noexcept {
  const Position reached = cut_ == Cut::starting ? durable() : writer_->durable();
  log::Metadata metadata = metadata_.latest();
  metadata.promised_number = wanted_promise_.number;
  metadata.promised_incarnation = wanted_promise_.incarnation;
  metadata.known_durable = std::max<Position>(metadata.known_durable, reached);
  metadata.known_committed =
      std::max<Position>(metadata.known_committed, std::min(committed_, reached));
  metadata.oldest_segment = std::max(metadata.oldest_segment, oldest_kept_);
  return metadata;
}

void StreamLog::on_saved(const Status& status) {
  if (!status) return fail(status.error());
  const log::Metadata& latest = metadata_.latest();
  promised_ = {latest.promised_number, latest.promised_incarnation};
  if (phase_ == Phase::saving && (latest.flags & log::kClosed) != 0) {
    phase_ = Phase::closed;
  } else if (cut_ == Cut::saving && latest.known_durable == cut_end_.position) {
    cut_ = Cut::stopping;
  } else if (cut_ == Cut::remembering && latest.oldest_segment == oldest_kept_ &&
             phase_ == Phase::open && !failed_) {
    collector_.collect(oldest_kept_);
    tell_cut();
  } else if (!failed_ && wanted_promise_ > promised_) {
    save(remembered());
  } else if (phase_ == Phase::open && !failed_) {
    collector_.collect(latest.oldest_segment);
    // Retention went on while that was being saved.
    if (oldest_kept_ > latest.oldest_segment && !cutting()) save(remembered());
  }
  owner_.on_log_changed();
  cut_step();
  close_step();
}

// What the writer tells.

void StreamLog::on_durable(Position durable) {
  owner_.on_log_durable(durable);
  // The writer is not replaced from within its own completion.
  if (cut_ == Cut::draining) cut_step();
  close_step();
}

void StreamLog::on_segment_begun(const log::SegmentHeader& header) {
  limit_.on_segment_begun();
  last_segment_ = header.number;
  retention_due_ = true;
  if (header.flags != 0) recycled_from_ = header.number;
  if ((header.flags & log::kAnew) != 0) return on_segment_anew(header);
  index_.on_segment(header.number, header.first_position, header.segment_bytes);
  retention_.on_segment(header.number, reactor_.now());
  if (cut_ == Cut::starting) tell_cut();
}

/// From here on recovery finds the new log; that no damage brings the old one back is what the
/// metadata is for.
void StreamLog::on_segment_anew(const log::SegmentHeader& header) {
  index_.begin_anew(header.number, header.first_position, header.segment_bytes);
  retention_.on_segment(header.number, reactor_.now());
  oldest_kept_ = header.number;
  if (cut_ != Cut::starting) return;
  cut_ = Cut::remembering;
  cut_step();
}

void StreamLog::on_log_failed(const Error& error) { fail(error); }

void StreamLog::on_log_space(const Error& error) {
  no_space_ = error;
  owner_.on_log_changed();
}

/// It takes space and nothing else; the next collection tries again.
void StreamLog::on_not_collected(const Error& error) { owner_.on_log_trouble(error); }

void StreamLog::fail(const Error& error) {
  if (std::exchange(failed_, true)) return;
  failure_ = error;
  writer_->stop();
  collector_.stop();
  if (phase_ != Phase::open) phase_ = Phase::closed;
  owner_.on_log_changed();
}

// Cutting.

void StreamLog::cut(Position position) {
  if (failed_ || cutting() || phase_ != Phase::open) return;
  cut_ = Cut::draining;
  anew_ = false;
  cut_at_ = position;
  cut_step();
}

void StreamLog::begin_anew(const log::LogEnd& at) {
  if (failed_ || cutting() || phase_ != Phase::open) return;
  DCHECK(at.position > taken());
  anew_ = true;
  cut_end_ = at;
  cut_ = Cut::stopping;
  stop_writer();
}

/// Another one follows. What this one lacks nobody needs any more, and only it would say so.
void StreamLog::stop_writer() {
  writer_->stop();
  if (lacks_space()) on_log_space(Error());
}

void StreamLog::cut_step() {
  if (failed_ || phase_ != Phase::open) return;
  if (cut_ == Cut::draining) {
    writer_->flush(reactor_.now());
    if (writer_->durable() < writer_->end()) return;
    stop_writer();
    cut_ = Cut::finding;
    if (cut_at_ >= writer_->end()) return on_tail_found(writer_->log_end());
    finder_ = std::make_unique<TailFinder>(
        reactor_.files(), directory_, start_.identity, index_, options_.limits.unit_bytes_max,
        [this](const Result<log::LogEnd>& end) { on_tail_found(end); });
    return finder_->start(cut_at_);
  }
  if (cut_ == Cut::stopping && idle()) return begin_behind_cut();
  if (cut_ == Cut::remembering && !metadata_.saving()) return save(remembered());
  if (cut_ != Cut::saving || metadata_.saving()) return;
  log::Metadata metadata = remembered();
  metadata.known_durable = cut_end_.position;
  if (metadata.known_committed > metadata.known_durable) {
    return fail(Error(Errc::corrupt, "log: was to be cut below what is known to be committed"));
  }
  save(metadata);
}

void StreamLog::on_tail_found(const Result<log::LogEnd>& end) {
  if (!end) return fail(end.error());
  cut_end_ = end.value();
  cut_ = QUORATE_MUTANT(cut_forgotten) ? Cut::stopping : Cut::saving;
  cut_step();
}

/// Old frames stay where they are until retention gives them up: a segment that says that it cuts
/// is what ends them.
void StreamLog::begin_behind_cut() {
  log::WriteStart start = start_;
  start.end = cut_end_;
  start.cut = !anew_;
  start.anew = anew_;
  start.last_segment = last_segment_;
  durable_before_ = writer_->durable();
  cut_ = Cut::starting;
  limit_.on_parting();
  finder_.reset();
  writer_ =
      std::make_unique<log::LogWriter>(reactor_.files(), directory_, options_, start, *this);
  writer_->start();
}

/// A promise that was asked for while the end was being saved has waited.
void StreamLog::tell_cut() {
  cut_ = Cut::none;
  if (wanted_promise_ > promised_ && !metadata_.saving()) save(remembered());
  owner_.on_log_cut(cut_end_);
}

// Closing.

/// What was received or released is not lost by being shut down. It is a ring at most in each life,
/// as a log that is opened beyond its limit takes nothing before.
void StreamLog::lift_limit() {
  limit_.lift();
  writer_->hold(limit_.holds());
  tell_full();
}

void StreamLog::close() {
  if (phase_ != Phase::open) return;
  phase_ = Phase::draining;
  collector_.stop();
  // What was taken waits for nothing but the disk; without space for it there is no waiting.
  if (failed_ || lacks_space() || cutting()) phase_ = Phase::closed;
  if (phase_ == Phase::closed) writer_->stop();
  close_step();
}

void StreamLog::close_step() {
  if (phase_ != Phase::draining) return;
  writer_->flush(reactor_.now());
  if (writer_->durable() < writer_->end() && !QUORATE_MUTANT(closed_early)) return;
  writer_->stop();
  if (metadata_.saving()) return;
  phase_ = Phase::saving;
  log::Metadata metadata = remembered();
  metadata.flags |= log::kClosed;
  save(metadata);
}

}  // namespace quorate::shard
