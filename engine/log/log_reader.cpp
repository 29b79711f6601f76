#include "log/log_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "log/segment_maker.h"

namespace quorate::log {

namespace {

using reactor::File;
using reactor::OpenMode;

constexpr std::size_t kBufferBytes = 1u << 20;
constexpr std::size_t kPartBytesMin = 128u << 10;
constexpr std::uint32_t kTriesMax = 8;

std::size_t buffer_bytes(std::uint32_t unit_bytes_max) {
  return std::max<std::size_t>(kBufferBytes, blocks_up(unit_bytes_max));
}

}  // namespace

LogReader::LogReader(reactor::Files& files, std::string directory, const LogIdentity& identity,
                     const SegmentIndex& index, std::uint32_t unit_bytes_max, Listener& listener)
    : files_(files),
      directory_(std::move(directory)),
      identity_(identity),
      index_(index),
      listener_(listener),
      buffers_{ReadBuffer(buffer_bytes(unit_bytes_max)), ReadBuffer(buffer_bytes(unit_bytes_max))} {
  bind<&LogReader::on_opened>(open_, *this);
  for (Part& part : part_) {
    part.reader = this;
    part.operation.owner = &part;
    part.operation.complete = [](reactor::Operation& done, std::int32_t result) {
      Part& ended = *static_cast<Part*>(done.owner);
      ended.reader->on_part_read(ended, result);
    };
  }
}

LogReader::~LogReader() {
  CHECK(idle());
  if (file_.file.valid()) files_.close(file_.file);
}

void LogReader::start(Position from) {
  CHECK(!started_);
  started_ = true;
  position_ = released_ = from;
  generation_ = index_.generation();
  pump();
}

bool LogReader::next(Position limit, Frame& frame) {
  if (failed() || stopped_ || !started_ || is_gone()) return false;
  if (was_cut()) {
    fail({Errc::fenced, directory_ + ": cut before " + std::to_string(position_)});
    return false;
  }
  const bool found = find_frame();
  pump();
  if (!found || failed()) return false;
  ReadBuffer& buffer = buffers_[front_];
  if (buffer.frame().end > std::min(limit, counted_end(buffer.segment()))) return false;
  const std::span<const std::byte> bytes = buffer.frame_bytes();
  frame.header = buffer.frame();
  frame.prologue = bytes.first(wire::kFramePrologueBytes);
  frame.records = bytes.subspan(wire::kFramePrologueBytes);
  position_ = frame.header.end;
  handed_segment_ = buffer.segment();
  buffer.take(chain_);
  return true;
}

/// What lies in the buffers may not be what the log that began anew has there.
bool LogReader::is_gone() {
  if (generation_ == index_.generation()) return false;
  fail({Errc::needs_full_copy, directory_ + ": begins anew at " + std::to_string(index_.first()) +
                                   ", read up to " + std::to_string(position_)});
  return true;
}

bool LogReader::was_cut() const noexcept {
  return handed_segment_ != 0 && counted_end(handed_segment_) < position_;
}

/// Of a segment that was dropped nothing counts that lies behind the beginning of what is left: it
/// may have been cut before it was dropped.
Position LogReader::counted_end(std::uint64_t segment) const noexcept {
  const SegmentRange* range = index_.range_of(segment);
  return range != nullptr ? range->end : index_.first();
}

/// True: the front buffer has the frame at position_.
bool LogReader::find_frame() {
  while (buffers_[front_].state() == ReadBuffer::State::loaded) {
    ReadBuffer& buffer = buffers_[front_];
    // The rest of a segment that was cut does not count.
    if (position_ >= counted_end(buffer.segment())) {
      leave_front();
      continue;
    }
    switch (buffer.find(position_, chain_)) {
      case ReadBuffer::Next::frame: return true;
      case ReadBuffer::Next::end: leave_front(); break;
      case ReadBuffer::Next::flaw: fail_flaw(buffer); return false;
      case ReadBuffer::Next::no_frame:
        fail({Errc::corrupt, directory_ + ": no frame begins at " + std::to_string(position_)});
        return false;
    }
  }
  return false;
}

void LogReader::leave_front() {
  buffers_[front_].leave(released_);
  front_ ^= 1;
}

void LogReader::release(Position up_to) {
  released_ = std::max(released_, up_to);
  for (ReadBuffer& buffer : buffers_) buffer.release(released_);
  pump();
}

void LogReader::pump() {
  const bool may_begin = started_ && !failed() && !stopped_ && !at_flaw_ && idle();
  if (may_begin && buffers_[load_].state() == ReadBuffer::State::free && locate()) begin_load();
}

bool LogReader::place_first() {
  if (position_ < index_.first()) {
    fail_dropped();
    return false;
  }
  if (position_ > index_.end()) {
    fail({Errc::corrupt, directory_ + ": ends before " + std::to_string(position_)});
    return false;
  }
  const std::optional<IndexEntry> entry = index_.place_of(position_);
  if (!entry) return false;
  place_ = {entry->segment, entry->offset, entry->position, std::nullopt};
  return true;
}

/// Goes on to the segment in which the next unit is. False: it is not durable yet.
bool LogReader::locate() {
  if (is_gone()) return false;
  if (place_.segment == 0 && !place_first()) return false;
  for (;;) {
    const SegmentRange* range = index_.range_of(place_.segment);
    if (range != nullptr && place_.position < range->end) return true;
    if (range == nullptr && place_.position < index_.first()) {
      fail_dropped();
      return false;
    }
    const SegmentRange* next = range != nullptr ? index_.range_after(place_.segment)
                                                : &index_.ranges().front();
    if (next == nullptr) return false;
    place_ = {next->number, 0, next->first, std::nullopt};
  }
}

void LogReader::begin_load() {
  const SegmentRange& range = *index_.range_of(place_.segment);
  buffers_[load_].begin(place_, range.end, index_.readable_bytes(range));
  buffers_[load_].carry(buffers_[load_ ^ 1]);
  tries_ = 0;
  if (file_segment_ == place_.segment) return read();
  if (file_.file.valid()) files_.close(std::exchange(file_.file, File{}));
  file_.path = segment_path(directory_, place_.segment);
  file_segment_ = place_.segment;
  open();
}

void LogReader::open() {
  files_.open(open_, file_.path.c_str(), OpenMode::read, direct_);
}

void LogReader::read() {
  const std::span<std::byte> missing = buffers_[load_].missing();
  if (missing.empty()) return on_loaded();
  const std::size_t share = blocks_up((missing.size() + kPartsMax - 1) / kPartsMax);
  const std::size_t step = std::max(kPartBytesMin, share);
  parts_begun_ = parts_ = (missing.size() + step - 1) / step;
  const std::uint64_t offset = buffers_[load_].missing_offset();
  for (std::size_t i = 0; i < parts_begun_; ++i) {
    const std::size_t begin = i * step;
    part_[i].vector = {missing.data() + begin, std::min(step, missing.size() - begin)};
    files_.read(part_[i].operation, file_.file, {&part_[i].vector, 1}, offset + begin);
  }
}

void LogReader::on_part_read(Part& part, std::int32_t result) {
  part.result = result;
  if (--parts_ > 0 || stopped_ || failed()) return;
  const std::int32_t read_bytes = read_in_a_row();
  if (is_passing(read_bytes) && ++tries_ <= kTriesMax) return read();
  on_read(read_bytes);
}

/// What lies behind a part that ended early counts no more than if it had not been asked for.
std::int32_t LogReader::read_in_a_row() const noexcept {
  std::int32_t bytes = 0;
  for (std::size_t i = 0; i < parts_begun_; ++i) {
    const std::int32_t result = part_[i].result;
    if (result < 0) return bytes > 0 ? bytes : result;
    bytes += result;
    if (static_cast<std::size_t>(result) < part_[i].vector.iov_len) break;
  }
  return bytes;
}

void LogReader::on_opened(std::int32_t result) {
  if (result >= 0) file_.file = File{result};
  if (stopped_ || failed()) return;
  if (is_passing(result) && ++tries_ <= kTriesMax) return open();
  if (result == -EINVAL && direct_) {
    direct_ = false;
    return open();
  }
  if (result >= 0) {
    tries_ = 0;
    return read();
  }
  Error error = file_error("open", file_.path, result);
  if (result == -ENOENT) error.code = Errc::needs_full_copy;
  fail(std::move(error));
  listener_.on_readable();
}

void LogReader::on_read(std::int32_t result) {
  if (result < 0) {
    fail(file_error("read", file_.path, result));
    return listener_.on_readable();
  }
  // Direct reads go on at whole blocks: what lies behind is read again.
  const auto blocks = static_cast<std::size_t>(result) / kBlockBytes * kBlockBytes;
  buffers_[load_].add(blocks);
  if (blocks > 0) tries_ = 0;
  const bool ends = result == 0 || (blocks == 0 && ++tries_ > kTriesMax);
  if (!ends && !buffers_[load_].missing().empty()) return read();
  on_loaded();
}

void LogReader::on_loaded() {
  ReadPlace behind;
  if (!buffers_[load_].finish(identity_, behind)) {
    return locate() ? begin_load() : listener_.on_readable();
  }
  at_flaw_ = buffers_[load_].flaw() != Flaw::none;
  place_ = behind;
  load_ ^= 1;
  pump();
  listener_.on_readable();
}

void LogReader::fail(Error error) {
  if (!failed()) error_ = std::move(error);
}

void LogReader::fail_dropped() {
  fail({Errc::needs_full_copy, directory_ + ": begins at " + std::to_string(index_.first()) +
                                   ", behind " + std::to_string(position_)});
}

/// The file of a segment that was dropped may have been used again.
void LogReader::fail_flaw(const ReadBuffer& buffer) {
  if (index_.range_of(buffer.segment()) == nullptr) return fail_dropped();
  fail({Errc::corrupt, segment_path(directory_, buffer.segment()) + " at " +
                           std::to_string(buffer.flaw_offset()) + ": " +
                           std::string(to_string(buffer.flaw()))});
}

}  // namespace quorate::log
