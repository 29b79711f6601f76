#include "log/write_machine.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::log {

WriteMachine::WriteMachine(const LogLimits& limits, bool syncs)
    : limits_(limits), syncs_(syncs), units_(limits.units_in_flight + 1), covered_(units_.size()) {
  CHECK(limits.units_in_flight > 0 && limits.units_in_flight <= kUnitsInFlightMax);
  CHECK(limits.unit_bytes_max % kBlockBytes == 0 && limits.unit_bytes_max <= kUnitBytesMax);
  CHECK(limits.segment_bytes % kBlockBytes == 0 && limits.segment_bytes <= kSegmentBytesMax);
  CHECK(limits.segment_bytes >= limits.unit_bytes_max + kBlockBytes && limits.eager_units > 0);
}

void WriteMachine::begin_segment(std::uint64_t offset, Position position) {
  CHECK(drained() && offset % kBlockBytes == 0);
  offset_ = offset;
  position_ = durable_ = position;
}

Admission WriteMachine::admit(std::uint32_t frame_bytes) {
  const std::uint64_t alone = blocks_up(std::uint64_t{kHeaderBytes} + frame_bytes);
  if (alone > limits_.unit_bytes_max) return Admission::too_large;
  if (open_exists()) {
    const Unit& open = unit(unsealed_);
    const std::uint64_t grown = blocks_up(kHeaderBytes + std::uint64_t{open.body_bytes} +
                                          frame_bytes);
    const bool fits = grown <= limits_.unit_bytes_max &&
                      offset_ + grown <= limits_.segment_bytes;
    if (fits && !full_) return Admission::taken;
    full_ = true;
    return Admission::busy;
  }
  if (offset_ + alone > limits_.segment_bytes) return Admission::segment_full;
  return next_ - oldest_ < units_.size() ? Admission::taken : Admission::busy;
}

Unit& WriteMachine::place() {
  if (!open_exists()) {
    Unit& open = unit(next_);
    open = Unit{};
    open.state = Unit::State::open;
    open.number = next_++;
    open.first = open.end = position_;
    full_ = false;
  }
  return unit(unsealed_);
}

void WriteMachine::add(std::uint32_t frame_bytes, Position end) {
  Unit& open = unit(unsealed_);
  DCHECK(open.state == Unit::State::open && end > open.end);
  open.body_bytes += frame_bytes;
  ++open.frames;
  open.end = position_ = end;
}

Unit* WriteMachine::next_write() {
  if (!open_exists() || in_flight() >= limits_.units_in_flight) return nullptr;
  // In flight for certain, or complete and waiting for one before it: only the former count.
  std::uint32_t busy = 0;
  for (std::uint64_t n = oldest_; n < unsealed_; ++n) {
    busy += unit(n).state != Unit::State::durable ? 1 : 0;
  }
  if (!full_ && busy >= limits_.eager_units) return nullptr;
  Unit& open = unit(unsealed_++);
  open.state = Unit::State::writing;
  open.offset = offset_;
  open.durable_before = QUORATE_MUTANT(mark_ahead) ? open.first : durable_;
  offset_ += open.unit_bytes();
  full_ = false;
  return &open;
}

bool WriteMachine::on_written(std::uint64_t number, std::uint32_t bytes) {
  Unit& done = unit(number);
  CHECK(done.state == Unit::State::writing && bytes <= done.unit_bytes() - done.written_bytes);
  done.written_bytes += bytes;
  if (done.written_bytes < done.unit_bytes()) return false;
  const bool waits = syncs_ && !QUORATE_MUTANT(sync_left_out);
  done.state = waits ? Unit::State::written : Unit::State::durable;
  settle();
  return true;
}

bool WriteMachine::begin_sync() {
  if (!syncs_ || syncing_) return false;
  bool any = false;
  for (std::size_t slot = 0; slot < units_.size(); ++slot) {
    covered_[slot] = units_[slot].state == Unit::State::written ? 1 : 0;
    any = any || covered_[slot] != 0;
  }
  syncing_ = any;
  return any;
}

void WriteMachine::on_synced() {
  CHECK(syncing_);
  syncing_ = false;
  for (std::size_t slot = 0; slot < units_.size(); ++slot) {
    const bool later = QUORATE_MUTANT(sync_covers_later) &&
                       units_[slot].state == Unit::State::written;
    if (covered_[slot] != 0 || later) units_[slot].state = Unit::State::durable;
  }
  settle();
}

void WriteMachine::settle() {
  for (; oldest_ < unsealed_ && unit(oldest_).state == Unit::State::durable; ++oldest_) {
    Unit& done = unit(oldest_);
    durable_ = std::max(durable_, done.end);
    marked_ = std::max(marked_, done.durable_before);
    done.state = Unit::State::free;
  }
  for (std::uint64_t n = oldest_; QUORATE_MUTANT(durable_over_a_gap) && n < unsealed_; ++n) {
    if (unit(n).state == Unit::State::durable) durable_ = std::max(durable_, unit(n).end);
  }
}

}  // namespace quorate::log
