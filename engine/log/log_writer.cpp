#include "log/log_writer.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "wire/crc32c.h"

namespace quorate::log {

namespace {

using reactor::File;
using reactor::OpenMode;
using reactor::Operation;

/// Up to here a write is so short that it pays to have zeros there before: see SegmentMaker.
constexpr std::uint32_t kSmallUnit_bytes = 16u << 10;
constexpr std::uint32_t kTriesMax = 8;  ///< of a write that the kernel asks to repeat
/// From here on it is cheaper to combine checksums than to go over the bytes.
constexpr std::size_t kCombined_bytes = 8u << 10;

/// The checksum of a unit's frames when this one follows. Of its body the frame's own is taken: it
/// was made or checked when the body came, so what happens to bytes on their way into the unit is
/// noticed when they are read.
std::uint32_t frames_crc(std::uint32_t before, const wire::FrameHeader& header,
                         std::span<const std::byte> frame) {
  const std::uint32_t crc = wire::crc32c(frame.first(wire::kFrameHeaderBytes), before);
  const std::span<const std::byte> body = frame.subspan(wire::kFrameHeaderBytes);
  if (body.size() < kCombined_bytes) return wire::crc32c(body, crc);
  return wire::crc32c_combine(crc, header.body_crc, body.size());
}

}  // namespace

LogWriter::LogWriter(reactor::Files& files, const std::string& directory,
                     const LogOptions& options, const WriteStart& start, Listener& listener)
    : files_(files),
      directory_(directory),
      options_(options),
      start_(start),
      listener_(listener),
      direct_(options.direct),
      machine_(options.limits, !options.direct),
      maker_(files, directory, options.limits.segment_bytes, options.direct,
             start.identity, *this),
      staging_(machine_.slots() * options.limits.unit_bytes_max),
      slots_(machine_.slots()),
      units_(machine_.slots()),
      end_(start.end),
      sealed_crc_(start.end.unit_crc) {
  bind<&LogWriter::on_control>(control_, *this);
  bind<&LogWriter::on_sync>(sync_, *this);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].writer = this;
    slots_[i].buffer = staging_.data() + i * options.limits.unit_bytes_max;
    slots_[i].operation.owner = &slots_[i];
    slots_[i].operation.complete = [](Operation& done, std::int32_t result) {
      Slot& slot = *static_cast<Slot*>(done.owner);
      slot.writer->on_write(slot, result);
    };
  }
}

LogWriter::~LogWriter() {
  CHECK(idle());
  for (NamedFile* each : {&segment_, &next_segment_}) {
    if (each->file.valid()) files_.close(each->file);
  }
}

void LogWriter::start() {
  machine_.begin_segment(kBlockBytes, end_.position);
  told_durable_ = end_.position;
  // No file that is there already is gone on with or replaced then.
  segment_number_ = start_.parts() ? start_.last_segment : start_.segment;
  // A segment says how large a window may be torn in it. With another window, a new one is begun.
  const bool goes_on = !start_.parts() && start_.segment != 0 &&
                       start_.header.segment_bytes == options_.limits.segment_bytes &&
                       start_.header.unit_bytes_max == options_.limits.unit_bytes_max &&
                       start_.header.units_in_flight == options_.limits.units_in_flight;
  maker_.make(segment_number_ + 1);
  if (!goes_on) {
    rotation_ = Rotation::wanted;
    // A log that is new may take its time; one that goes on is waited for.
    start_.segment == 0 ? maker_.allow(options_.limits.segment_bytes) : maker_.finish();
    return;
  }
  small_bytes_ = start_.offset;  // as far as is known
  segment_.path = segment_path(directory_, segment_number_);
  files_.open(control_, segment_.path.c_str(), OpenMode::write, direct_);
}

LogWriter::State LogWriter::state() const noexcept {
  if (failed_) return State::failed;
  if (lacks_space_ && rotation_ != Rotation::none) return State::no_space;
  return ready_ ? State::ready : State::starting;
}

bool LogWriter::idle() const noexcept {
  return writing_ == 0 && !control_.in_flight() && !sync_.in_flight() && !maker_.in_flight();
}

void LogWriter::stop() noexcept {
  stopped_ = true;
  maker_.stop();
}

void LogWriter::hold(bool held) {
  if (std::exchange(held_, held) && !held) pump();
}

void LogWriter::on_opened(std::int32_t result) {
  if (result == -EINVAL && direct_) {
    // Written durably all the same, through the page cache.
    direct_ = false;
    files_.open(control_, segment_.path.c_str(), OpenMode::write, false);
    return;
  }
  if (result < 0) return fail(file_error("open", segment_.path, result));
  segment_.file = File{result};
  machine_.begin_segment(start_.offset, end_.position);
  ready_ = true;
  pump();
}

void LogWriter::on_control(std::int32_t result) {
  if (rotation_ == Rotation::header) return on_header(result);
  on_opened(result);
}

Admission LogWriter::append(const wire::FrameHeader& header,
                            std::span<const std::span<const std::byte>> pieces) {
  CHECK(header.begin == end_.position);
  if (!ready_ || failed_ || stopped_ || rotation_ != Rotation::none) return Admission::busy;
  const auto bytes =
      static_cast<std::uint32_t>(wire::kFrameHeaderBytes + header.body_bytes);
  Admission admission = machine_.admit(bytes);
  if (admission == Admission::busy) {
    pump();
    admission = machine_.admit(bytes);
  }
  if (admission == Admission::segment_full) {
    rotation_ = Rotation::wanted;
    maker_.finish();
    pump();
    return Admission::busy;
  }
  if (admission != Admission::taken) return admission;
  const Unit& unit = machine_.place();
  Slot& slot = slots_[machine_.slot_of(unit.number)];
  std::byte* out = slot.buffer + kHeaderBytes + unit.body_bytes;
  std::size_t copied = 0;
  for (const std::span<const std::byte> piece : pieces) {
    std::memcpy(out + copied, piece.data(), piece.size());
    copied += piece.size();
  }
  CHECK(copied == bytes);
  slot.frames_crc = frames_crc(unit.frames == 0 ? 0 : slot.frames_crc, header, {out, bytes});
  machine_.add(bytes, header.end);
  end_.position = header.end;
  end_.epoch = {header.epoch_number, header.epoch_incarnation};
  end_.frame_checksum = header.header_crc;
  return Admission::taken;
}

void LogWriter::flush(Instant now) {
  pump();
  stamp(now);
}

void LogWriter::stamp(Instant now) {
  const std::uint64_t oldest = machine_.oldest();
  for (std::uint64_t number = oldest; number < oldest + machine_.in_flight(); ++number) {
    Slot& slot = slots_[machine_.slot_of(number)];
    if (slot.since == kNever) slot.since = now;
  }
  const bool writes_header = rotation_ == Rotation::header || rotation_ == Rotation::header_sync;
  if (writes_header && header_since_ == kNever) header_since_ = now;
}

Instant LogWriter::oldest_write_since() const noexcept {
  // No unit is in flight while a header is.
  if (machine_.in_flight() == 0) return header_since_;
  return slots_[machine_.slot_of(machine_.oldest())].since;
}

void LogWriter::pump() {
  if (failed_ || stopped_) return;
  if (ready_) {
    if (rotation_ == Rotation::wanted) machine_.hurry();
    while (Unit* unit = machine_.next_write()) start_write(*unit);
    if (!sync_.in_flight() && rotation_ != Rotation::header && machine_.begin_sync()) {
      files_.sync(sync_, segment_.file);
    }
  }
  const bool drained = machine_.drained() && writing_ == 0 && !sync_.in_flight();
  const bool may_begin = maker_.state() == SegmentMaker::State::made && !held_;
  if (rotation_ == Rotation::wanted && drained && may_begin) begin_rotation();
}

void LogWriter::start_write(Unit& unit) {
  const std::size_t at = machine_.slot_of(unit.number);
  Slot& slot = slots_[at];
  UnitHeader header;
  header.storage = start_.identity.storage;
  header.stream = start_.identity.stream;
  header.segment = segment_number_;
  header.offset = unit.offset;
  header.first_position = unit.first;
  header.end_position = unit.end;
  header.durable_before = unit.durable_before;
  header.frame_count = unit.frames;
  header.body_bytes = unit.body_bytes;
  header.previous_unit_crc = sealed_crc_;
  sealed_crc_ = seal_unit(header, {slot.buffer, unit.unit_bytes()}, slot.frames_crc);
  const std::uint64_t used = unit.offset + unit.unit_bytes();
  // Of small writes alone, the next segment is there when half of this one is used. Among large
  // ones there are zeros for what they take, or the disk would write everything twice for them.
  if (unit.unit_bytes() <= kSmallUnit_bytes) maker_.allow(2 * (small_bytes_ += unit.unit_bytes()));
  if (used > options_.limits.segment_bytes / 4 * 3) maker_.finish();
  units_[at] = &unit;
  slot.number = unit.number;
  slot.tries = 0;
  slot.since = kNever;
  ++writing_;
  write_rest(slot);
}

void LogWriter::write_rest(Slot& slot) {
  const Unit& unit = *units_[machine_.slot_of(slot.number)];
  slot.vector = {slot.buffer + unit.written_bytes, unit.unit_bytes() - unit.written_bytes};
  files_.write(slot.operation, segment_.file, {&slot.vector, 1}, unit.offset + unit.written_bytes,
               options_.direct && !QUORATE_MUTANT(write_unsynced));
}

void LogWriter::on_write(Slot& slot, std::int32_t result) {
  if (failed_ || (stopped_ && result <= 0)) {
    --writing_;
    return;
  }
  if (QUORATE_MUTANT(write_error_ignored) && result < 0) {
    result = static_cast<std::int32_t>(slot.vector.iov_len);
  }
  if (is_passing(result) && ++slot.tries <= kTriesMax) return write_rest(slot);
  if (result <= 0) {
    --writing_;
    return fail(file_error("write", segment_.path, result));
  }
  // Direct writes go on at whole blocks: what lies behind is written again.
  auto bytes = static_cast<std::uint32_t>(result);
  if (bytes < slot.vector.iov_len) bytes -= bytes % std::uint32_t{kBlockBytes};
  if (bytes == 0 && ++slot.tries > kTriesMax) {
    --writing_;
    return fail(file_error("write", segment_.path, 0));
  }
  if (!machine_.on_written(slot.number, bytes)) return write_rest(slot);
  --writing_;
  tell_durable();
  pump();
}

void LogWriter::on_sync(std::int32_t result) {
  if (failed_) return;
  const bool of_header = rotation_ == Rotation::header_sync;
  const std::string& path = of_header ? next_segment_.path : segment_.path;
  if (result < 0 && !QUORATE_MUTANT(sync_error_ignored)) {
    return fail(file_error("sync", path, result));
  }
  if (of_header) return end_rotation();
  machine_.on_synced();
  tell_durable();
  pump();
}

void LogWriter::tell_durable() {
  if (machine_.durable() == told_durable_) return;
  for (; told_units_ < machine_.oldest(); ++told_units_) {
    const Unit& unit = machine_.unit_at(told_units_);
    listener_.on_unit_durable(
        {segment_number_, unit.offset, unit.unit_bytes(), unit.first, unit.end});
  }
  told_durable_ = machine_.durable();
  listener_.on_durable(told_durable_);
}

SegmentHeader LogWriter::next_header() const {
  SegmentHeader header;
  header.storage = start_.identity.storage;
  header.stream = start_.identity.stream;
  header.number = maker_.number();
  if (start_.parts() && header.number == start_.last_segment + 1) {
    header.flags = start_.anew ? kAnew : kCut;
  }
  header.first_position = end_.position;
  header.segment_bytes = options_.limits.segment_bytes;
  header.unit_bytes_max = options_.limits.unit_bytes_max;
  header.units_in_flight = options_.limits.units_in_flight;
  header.previous_unit_crc = sealed_crc_;
  header.previous_epoch_number = end_.epoch.number;
  header.previous_epoch_incarnation = end_.epoch.incarnation;
  header.previous_frame_checksum = end_.frame_checksum;
  return header;
}

/// Only when all before is durable: a segment that has a header proves that the one before it is
/// whole, and no window of writes in flight lies across two segments.
void LogWriter::begin_rotation() {
  rotation_ = Rotation::header;
  next_segment_header_ = next_header();
  next_segment_ = maker_.take();
  encode_segment_header(next_segment_header_, Block(header_block_.data(), kBlockBytes));
  header_vector_ = {header_block_.data(), kBlockBytes};
  files_.write(control_, next_segment_.file, {&header_vector_, 1}, 0, options_.direct);
}

void LogWriter::on_header(std::int32_t result) {
  if (failed_) return;
  // A block that was written in part is written again as a whole.
  const bool again = is_passing(result) || (result > 0 && result < std::int32_t{kBlockBytes});
  if (again && !stopped_) {
    files_.write(control_, next_segment_.file, {&header_vector_, 1}, 0, options_.direct);
    return;
  }
  if (again) return;
  if (result <= 0) return fail(file_error("write", next_segment_.path, result));
  if (options_.direct) return end_rotation();
  rotation_ = Rotation::header_sync;
  files_.sync(sync_, next_segment_.file);
}

void LogWriter::end_rotation() {
  if (segment_.file.valid()) files_.close(segment_.file);
  segment_ = std::exchange(next_segment_, NamedFile{});
  segment_number_ = maker_.number();
  direct_ = segment_.direct;
  rotation_ = Rotation::none;
  header_since_ = kNever;
  ready_ = true;
  machine_.begin_segment(kBlockBytes, end_.position);
  listener_.on_segment_begun(next_segment_header_);
  small_bytes_ = 0;
  if (!stopped_) maker_.make(segment_number_ + 1);
  pump();
}

void LogWriter::on_segment_made() {
  if (std::exchange(lacks_space_, false)) listener_.on_log_space(Error());
  pump();
}

void LogWriter::on_segment_no_space(const Error& error) {
  if (!std::exchange(lacks_space_, true)) listener_.on_log_space(error);
}

void LogWriter::fail(const Error& error) {
  if (failed_) return;
  failed_ = true;
  maker_.stop();
  listener_.on_log_failed(error);
}

}  // namespace quorate::log
