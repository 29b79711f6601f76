#include "log/read_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/crc32c.h"

namespace quorate::log {

void ReadBuffer::begin(const ReadPlace& place, Position until, std::uint64_t bytes_end) {
  DCHECK(state_ == State::free || state_ == State::loading);
  state_ = State::loading;
  place_ = place;
  until_ = until;
  // A block at least: a file that has less says so when it is read.
  const std::uint64_t left = std::max(bytes_end, place.offset + kBlockBytes) - place.offset;
  wanted_ = static_cast<std::size_t>(std::min<std::uint64_t>(memory_.size(), left));
  wanted_ -= wanted_ % kBlockBytes;
  filled_ = units_end_ = at_ = 0;
  flaw_ = Flaw::none;
  before_.reset();
  in_unit_ = has_frame_ = false;
  handed_ = 0;
}

/// What was read was durable then already, and is never written again.
void ReadBuffer::carry(const ReadBuffer& before) noexcept {
  const bool goes_on = before.place_.segment == place_.segment &&
                       before.place_.offset + before.units_end_ == place_.offset &&
                       before.filled_ > before.units_end_;
  if (!goes_on) return;
  filled_ = std::min(before.filled_ - before.units_end_, wanted_);
  std::memcpy(memory_.data(), before.memory_.data() + before.units_end_, filled_);
}

std::span<std::byte> ReadBuffer::missing() const noexcept {
  return memory_.span().first(wanted_).subspan(filled_);
}

Flaw ReadBuffer::read_header(const LogIdentity& identity, ReadPlace& place) {
  SegmentHeader header;
  if (filled_ < kBlockBytes) return Flaw::unreadable;
  const Flaw flaw = decode_segment_header(ConstBlock(memory_.data(), kBlockBytes), header);
  if (flaw != Flaw::none) return flaw;
  if (header.storage != identity.storage) return Flaw::other_storage;
  if (header.stream != identity.stream) return Flaw::other_stream;
  if (header.number != place.segment) return Flaw::other_place;
  if (header.first_position != place.position) return Flaw::other_position;
  before_ = LogEnd{header.first_position, header.previous_unit_crc,
                   {header.previous_epoch_number, header.previous_epoch_incarnation},
                   header.previous_frame_checksum};
  place.offset = kBlockBytes;
  place.unit_crc = header.previous_unit_crc;
  units_end_ = at_ = kBlockBytes;
  return Flaw::none;
}

/// The header of the unit at units_end_. `whole`: all of it is here.
Flaw ReadBuffer::read_unit(const LogIdentity& identity, ReadPlace& place, bool& whole) {
  const auto left = std::span<const std::byte>(memory_.span()).first(filled_).subspan(units_end_);
  whole = left.size() >= kBlockBytes;
  if (!whole) return Flaw::none;
  UnitHeader unit;
  const Flaw flaw = decode_unit_header(left.first<kHeaderBytes>(), unit);
  if (flaw != Flaw::none) return flaw;
  if (unit.storage != identity.storage) return Flaw::other_storage;
  if (unit.stream != identity.stream) return Flaw::other_stream;
  if (unit.segment != place.segment || unit.offset != place.offset) return Flaw::other_place;
  if (unit.first_position != place.position) return Flaw::other_position;
  if (place.unit_crc && unit.previous_unit_crc != *place.unit_crc) return Flaw::bad_chain;
  unit_ = unit;
  whole = left.size() >= unit.unit_bytes;
  if (!whole) return Flaw::none;
  units_end_ += unit.unit_bytes;
  place.offset += unit.unit_bytes;
  place.position = unit.end_position;
  place.unit_crc = unit.header_crc;
  return Flaw::none;
}

bool ReadBuffer::finish(const LogIdentity& identity, ReadPlace& behind) {
  behind = place_;
  stream_ = identity.stream;
  flaw_ = place_.offset == 0 ? read_header(identity, behind) : Flaw::none;
  bool whole = true;
  unit_.unit_bytes = 0;
  while (flaw_ == Flaw::none && whole && behind.position < until_) {
    flaw_ = read_unit(identity, behind, whole);
  }
  const bool stuck = !whole && behind.offset == place_.offset;
  if (stuck && filled_ == memory_.size() && unit_.unit_bytes > filled_) {
    // Written with other limits than those of today.
    memory_ = AlignedBuffer(unit_.unit_bytes);
    return false;
  }
  // What is counted as durable must be here as a whole, unless the buffer ends before it does.
  if (!whole && (stuck || filled_ < memory_.size())) flaw_ = Flaw::unreadable;
  state_ = State::loaded;
  return true;
}

ReadBuffer::Next ReadBuffer::spoil(Flaw flaw) noexcept {
  flaw_ = flaw;
  units_end_ = at_;
  in_unit_ = has_frame_ = false;
  return Next::flaw;
}

/// The segment's header names what it follows. False: not this chain.
bool ReadBuffer::join(FrameChain& chain) {
  const LogEnd before = *before_;
  before_.reset();
  const bool same = before.epoch == chain.epoch && before.frame_checksum == chain.checksum;
  if (chain.known && chain.position == before.position) return same;
  chain = {before.position, true, before.epoch, before.frame_checksum};
  return true;
}

/// Next::frame: the unit at at_ is whole, or was passed over.
ReadBuffer::Next ReadBuffer::enter_unit(Position position, FrameChain& chain) {
  const auto bytes = std::span<const std::byte>(memory_.span()).first(units_end_).subspan(at_);
  const Flaw flaw = decode_unit_header(bytes.first<kHeaderBytes>(), unit_);
  if (flaw != Flaw::none || unit_.unit_bytes > bytes.size()) return spoil(Flaw::bad_length);
  if (unit_.end_position <= position) {
    at_ += unit_.unit_bytes;
    return Next::frame;
  }
  if (!check_unit_body(unit_, bytes.first(unit_.unit_bytes))) return spoil(Flaw::bad_body);
  if (chain.position != unit_.first_position) chain = {unit_.first_position, false, {}, 0};
  body_ = bytes.subspan(kHeaderBytes, unit_.body_bytes);
  frames_left_ = unit_.frame_count;
  in_unit_ = true;
  return Next::frame;
}

bool ReadBuffer::read_frame(const FrameChain& chain) {
  constexpr std::size_t kHeader = wire::kFrameHeaderBytes;
  if (body_.size() < kHeader) return false;
  const wire::DecodeError error = wire::decode_frame_header(body_.first<kHeader>(),
                                                            wire::kFrameRecordsMax, frame_);
  if (error != wire::DecodeError::none || frame_.body_bytes > body_.size() - kHeader) return false;
  if (frame_.stream != stream_ || frame_.begin != chain.position) return false;
  const Epoch epoch{frame_.epoch_number, frame_.epoch_incarnation};
  const Epoch previous{frame_.previous_epoch_number, frame_.previous_epoch_incarnation};
  if (chain.known && (previous != chain.epoch || frame_.previous_checksum != chain.checksum)) {
    return false;
  }
  return epoch >= previous &&
         wire::crc32c(body_.subspan(kHeader, frame_.body_bytes)) == frame_.body_crc;
}

void ReadBuffer::pass(FrameChain& chain) {
  chain = {frame_.end, true, {frame_.epoch_number, frame_.epoch_incarnation}, frame_.header_crc};
  body_ = body_.subspan(wire::kFrameHeaderBytes + frame_.body_bytes);
  --frames_left_;
  has_frame_ = false;
}

ReadBuffer::Next ReadBuffer::find(Position position, FrameChain& chain) {
  DCHECK(state_ == State::loaded);
  if (before_ && !join(chain)) return spoil(Flaw::bad_chain);
  for (;;) {
    if (has_frame_) {
      if (frame_.end > position) return frame_.begin == position ? Next::frame : Next::no_frame;
      pass(chain);
    } else if (!in_unit_) {
      if (at_ == units_end_) return flaw_ == Flaw::none ? Next::end : Next::flaw;
      if (enter_unit(position, chain) == Next::flaw) return Next::flaw;
    } else if (frames_left_ > 0) {
      has_frame_ = read_frame(chain);
      if (!has_frame_) return spoil(Flaw::bad_frame);
    } else {
      if (!body_.empty() || chain.position != unit_.end_position) return spoil(Flaw::bad_frame);
      at_ += unit_.unit_bytes;
      in_unit_ = false;
    }
  }
}

std::span<const std::byte> ReadBuffer::frame_bytes() const noexcept {
  return body_.first(wire::kFrameHeaderBytes + frame_.body_bytes);
}

void ReadBuffer::take(FrameChain& chain) {
  handed_ = frame_.end;
  pass(chain);
}

void ReadBuffer::leave(Position released) noexcept {
  state_ = State::held;
  release(released);
}

void ReadBuffer::release(Position released) noexcept {
  if (state_ == State::held && handed_ <= released) state_ = State::free;
}

}  // namespace quorate::log
