#include "shard/program_feed.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/mutant.h"
#include "shard/stream_log.h"
#include "wire/records.h"

namespace quorate::shard {

namespace {

Position record_end(const std::byte* record, Position begin) {
  return begin + wire::padded_record_bytes(wire::read_record_word(record).length);
}

}  // namespace

ProgramFeed::ProgramFeed(const StreamLog& log, const Rings& rings, Position from,
                         Position received, std::function<void()> wake)
    : log_(log),
      rings_(rings),
      wake_(std::move(wake)),
      shown_(from),
      copied_(from),
      floor_(received),
      checked_(from == 0 || from == received) {}

void ProgramFeed::on_placed(Position end) noexcept {
  if (end > rings_.bytes) floor_ = std::max(floor_, end - rings_.bytes);
}

/// After a cut other frames come where some were copied that were not to be seen yet.
void ProgramFeed::on_received(Position begin, Position end) {
  if (!checked_) check_begin(rings_.received + offset(begin), begin, end);
  if (QUORATE_MUTANT(cut_copies_kept)) return;
  copied_ = std::max(shown_, std::min(copied_, begin));
}

/// What the program says it has applied must be the end of a record, or what comes behind it would
/// be read as what it is not.
void ProgramFeed::check_begin(const std::byte* records, Position begin, Position end) {
  if (shown_ < begin || shown_ > end) return;
  checked_ = wire::is_record_boundary(records, shown_ - begin);
  if (!checked_) {
    failure_ = "resume_after or a snapshot: no record ends at position " + std::to_string(shown_);
  }
}

void ProgramFeed::begin_anew(Position from, Position received) {
  if (reader_) reader_->stop();
  shown_ = copied_ = from;
  floor_ = received;
  checked_ = from == received;
}

void ProgramFeed::hold(Position from) {
  held_ = true;
  if (shown_ == from) return;
  shown_ = copied_ = from;
  checked_ = from == floor_;
}

bool ProgramFeed::feed(Position visible, Position received, Position read) {
  full_ = held_ || visible > read + rings_.bytes;
  if (stopped_ || held_ || !failure_.empty()) return false;
  const Position before = shown_;
  if (copied_ < floor_ && visible > copied_) read_log(visible, read);
  // Behind what the log gave the ring may go on.
  if (copied_ >= floor_ && checked_ && failure_.empty()) {
    if (reader_) reader_->stop();
    copy(received, read);
  }
  show(visible);
  return shown_ != before;
}

void ProgramFeed::copy(Position received, Position read) {
  const Position end = std::min(received, read + rings_.bytes);
  if (end > copied_) place(rings_.received + offset(copied_), copied_, end);
}

/// Whole records: what was copied may end within one.
void ProgramFeed::show(Position visible) {
  if (!checked_ || !failure_.empty()) return;
  if (visible <= copied_) {
    shown_ = std::max(shown_, visible);
    return;
  }
  while (shown_ + sizeof(wire::RecordWord) <= copied_) {
    const Position next = record_end(rings_.shown + offset(shown_), shown_);
    if (next > copied_) break;
    shown_ = next;
  }
}

void ProgramFeed::place(const std::byte* bytes, Position begin, Position end) {
  std::memcpy(rings_.shown + offset(begin), bytes, end - begin);
  copied_ = end;
}

/// One reader after another: the one before is stopped when the ring takes over.
bool ProgramFeed::begin_reading() {
  if (reader_ && !reader_->idle()) return false;
  const auto from = log_.unit_around(copied_);
  if (!from) {
    failure_ = "position " + std::to_string(copied_) + " is wanted, the log holds what follows " +
               std::to_string(log_.first());
    return false;
  }
  reader_ = log_.make_reader(*this);
  reader_->start(*from);
  return true;
}

void ProgramFeed::read_log(Position visible, Position read) {
  // Frames as they are in the log may want more room than there is for a while.
  full_ = full_ || (copied_ > read && copied_ - read > rings_.bytes / 2);
  const bool begins = !reader_ || reader_->stopped();
  if (begins && !begin_reading()) return;
  const Position limit = std::min(visible, read + rings_.bytes);
  log::LogReader::Frame frame;
  while (copied_ < floor_ && reader_->next(limit, frame)) {
    const Position begin = frame.header.begin;
    if (!checked_) check_begin(frame.records.data(), begin, frame.header.end);
    if (!failure_.empty()) return;
    if (frame.header.end > copied_) {
      place(frame.records.data() + (std::max(begin, copied_) - begin), std::max(begin, copied_),
            frame.header.end);
    }
    reader_->release(frame.header.end);
  }
  if (reader_->failed()) failure_ = reader_->error().text;
}

void ProgramFeed::stop() noexcept {
  stopped_ = true;
  if (reader_) reader_->stop();
}

}  // namespace quorate::shard
