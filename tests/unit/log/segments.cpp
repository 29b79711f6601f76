#include "segments.h"

#include <cstring>

namespace quorate::log {

SegmentBuilder::SegmentBuilder(std::uint64_t segment_bytes, std::uint64_t number)
    : content(segment_bytes) {
  header.storage = kIdentity.storage;
  header.stream = kIdentity.stream;
  header.number = number;
  header.segment_bytes = segment_bytes;
  header.unit_bytes_max = 8u << 10;
  header.units_in_flight = 3;
  seal();
}

void SegmentBuilder::seal() {
  encode_segment_header(header, Block(content.data(), kBlockBytes));
}

void SegmentBuilder::begin_at(const LogEnd& at, std::uint16_t flags) {
  header.flags = flags;
  header.first_position = at.position;
  header.previous_unit_crc = at.unit_crc;
  header.previous_epoch_number = at.epoch.number;
  header.previous_epoch_incarnation = at.epoch.incarnation;
  header.previous_frame_checksum = at.frame_checksum;
  begin = end = at;
  seal();
}

void SegmentBuilder::add(const std::vector<std::size_t>& records, Position durable_before) {
  UnitHeader unit;
  unit.storage = kIdentity.storage;
  unit.stream = kIdentity.stream;
  unit.segment = header.number;
  unit.offset = offset;
  unit.first_position = end.position;
  unit.durable_before = durable_before;
  unit.previous_unit_crc = end.unit_crc;
  unit.frame_count = static_cast<std::uint32_t>(records.size());
  std::size_t at = offset + kHeaderBytes;
  for (const std::size_t bytes : records) {
    frames.push_back(make_frame(end, epoch, bytes, kIdentity.stream));
    const LogFrame& frame = frames.back();
    std::memcpy(content.data() + at, frame.bytes.data(), frame.bytes.size());
    at += frame.bytes.size();
    end = end_after(frame, end.unit_crc);
  }
  unit.end_position = end.position;
  unit.body_bytes = static_cast<std::uint32_t>(at - offset - kHeaderBytes);
  const std::size_t bytes = blocks_up(kHeaderBytes + unit.body_bytes);
  end.unit_crc = seal_unit(unit, content.span().subspan(offset, bytes));
  offsets.push_back(offset);
  offset += bytes;
}

SegmentScan SegmentBuilder::scan(FrameVisitor& visitor) const {
  return scan_units(kIdentity, header, content.span(), begin, visitor);
}

TailVerdict SegmentBuilder::judge(Position floor, bool closed) const {
  FrameCollector ignored;
  return judge_tail(kIdentity, header, content.span(), scan(ignored), floor, closed);
}

}  // namespace quorate::log
