#include "shard/program_feed.h"

#include <algorithm>
#include <cstring>
#include <utility>

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
      floor_(received),
      checked_(from == 0 || from == received) {}

void ProgramFeed::on_placed(Position end) noexcept {
  if (end > rings_.bytes) floor_ = std::max(floor_, end - rings_.bytes);
}

void ProgramFeed::on_received(Position begin, Position end) {
  if (!checked_) check_begin(rings_.received + offset(begin), begin, end);
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
  shown_ = from;
  floor_ = received;
  checked_ = from == received;
}

void ProgramFeed::hold(Position from) {
  held_ = true;
  if (shown_ == from) return;
  shown_ = from;
  checked_ = from == floor_;
}

bool ProgramFeed::feed(Position visible, Position read) {
  full_ = held_;
  if (stopped_ || held_ || !failure_.empty() || visible <= shown_) return false;
  const Position before = shown_;
  if (shown_ < floor_) read_log(visible, read);
  // Behind what the log gave the ring may go on.
  if (shown_ >= floor_ && checked_ && failure_.empty()) {
    if (reader_) reader_->stop();
    copy(visible, read);
  }
  return shown_ != before;
}

/// Whole records, as many as there is room for.
void ProgramFeed::copy(Position visible, Position read) {
  const Position room_end = read + rings_.bytes;
  Position end = visible;
  full_ = end > room_end;
  if (full_) {
    end = shown_;
    while (end < visible) {
      const Position next = record_end(rings_.received + offset(end), end);
      if (next > room_end) break;
      end = next;
    }
  }
  if (end > shown_) place(rings_.received + offset(shown_), shown_, end);
}

void ProgramFeed::place(const std::byte* bytes, Position begin, Position end) {
  std::memcpy(rings_.shown + offset(begin), bytes, end - begin);
  shown_ = end;
}

/// One reader after another: the one before is stopped when the ring takes over.
bool ProgramFeed::begin_reading() {
  if (reader_ && !reader_->idle()) return false;
  const auto from = log_.unit_around(shown_);
  if (!from) {
    failure_ = "position " + std::to_string(shown_) + " is wanted, the log holds what follows " +
               std::to_string(log_.first());
    return false;
  }
  reader_ = log_.make_reader(*this);
  reader_->start(*from);
  return true;
}

void ProgramFeed::read_log(Position visible, Position read) {
  // Frames as they are in the log may want more room than there is for a while.
  full_ = shown_ > read && shown_ - read > rings_.bytes / 2;
  const bool begins = !reader_ || reader_->stopped();
  if (begins && !begin_reading()) return;
  const Position limit = std::min(visible, read + rings_.bytes);
  log::LogReader::Frame frame;
  while (shown_ < floor_ && reader_->next(limit, frame)) {
    const Position begin = frame.header.begin;
    if (!checked_) check_begin(frame.records.data(), begin, frame.header.end);
    if (!failure_.empty()) return;
    if (frame.header.end > shown_) {
      place(frame.records.data() + (std::max(begin, shown_) - begin), std::max(begin, shown_),
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
