#include "tests/support/log_frames.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

namespace quorate::log {

std::vector<std::span<const std::byte>> LogFrame::pieces() const {
  const std::span<const std::byte> all(bytes);
  return {all.first(wire::kFrameHeaderBytes),
          all.subspan(wire::kFrameHeaderBytes, wire::kBatchPrefixBytes),
          all.subspan(wire::kFramePrologueBytes)};
}

LogFrame make_frame(const LogEnd& end, const Epoch& epoch, std::size_t records_bytes,
                    StreamId stream) {
  std::vector<std::byte> records(records_bytes);
  base::Random random(end.position ^ epoch.number << 40 ^ epoch.incarnation << 52);
  for (std::size_t at = 0; at < records_bytes; at += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(records.data() + at, &word, sizeof word);
  }
  return frame_of(end, epoch, records, 1, stream);
}

LogFrame frame_of(const LogEnd& end, const Epoch& epoch, std::span<const std::byte> records,
                  std::uint32_t count, StreamId stream) {
  const std::size_t records_bytes = records.size();
  LogFrame frame;
  frame.bytes.resize(wire::kFramePrologueBytes + records_bytes);
  std::span<std::byte> all(frame.bytes);
  std::copy(records.begin(), records.end(), all.subspan(wire::kFramePrologueBytes).begin());
  wire::write_batch_prefix(
      all.subspan<wire::kFrameHeaderBytes, wire::kBatchPrefixBytes>(), count, 1, records_bytes);
  wire::FrameHeader& header = frame.header;
  header.body_bytes = static_cast<std::uint32_t>(wire::kBatchPrefixBytes + records_bytes);
  header.stream = stream;
  header.record_count = count;
  header.epoch_number = epoch.number;
  header.epoch_incarnation = epoch.incarnation;
  header.begin = end.position;
  header.end = end.position + records_bytes;
  header.previous_epoch_number = end.epoch.number;
  header.previous_epoch_incarnation = end.epoch.incarnation;
  header.previous_checksum = end.frame_checksum;
  header.body_crc = wire::crc32c(all.subspan(wire::kFrameHeaderBytes));
  header.header_crc = wire::encode_frame_header(header, all.first<wire::kFrameHeaderBytes>());
  return frame;
}

LogEnd end_after(const LogFrame& frame, std::uint32_t unit_crc) {
  return {frame.header.end, unit_crc,
          {frame.header.epoch_number, frame.header.epoch_incarnation}, frame.header.header_crc};
}

}  // namespace quorate::log
