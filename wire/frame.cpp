#include "wire/frame.h"

#include <algorithm>
#include <cstring>

#include "wire/crc32c.h"

namespace quorate::wire {

const char* to_string(DecodeError error) noexcept {
  switch (error) {
    case DecodeError::none: return "none";
    case DecodeError::bad_magic: return "bytes are not of this protocol (magic differs)";
    case DecodeError::bad_version: return "header version is not spoken here";
    case DecodeError::bad_checksum: return "header checksum differs";
    case DecodeError::bad_type: return "unknown message type";
    case DecodeError::bad_encoding: return "unknown encoding";
    case DecodeError::bad_length: return "length is outside the limit of this message";
    case DecodeError::bad_range: return "positions of the frame contradict each other";
  }
  return "?";
}

void encode_envelope(Envelope envelope, std::span<std::byte, kEnvelopeBytes> out) noexcept {
  std::memcpy(out.data(), &envelope, kEnvelopeBytes);
  const std::uint32_t crc = crc32c(out.first<60>());
  std::memcpy(out.data() + 60, &crc, sizeof crc);
}

DecodeError decode_envelope(std::span<const std::byte, kEnvelopeBytes> bytes,
                            Envelope& envelope) noexcept {
  Envelope read;
  std::memcpy(&read, bytes.data(), kEnvelopeBytes);
  if (read.magic != kEnvelopeMagic) return DecodeError::bad_magic;
  if (crc32c(bytes.first<60>()) != read.header_crc) return DecodeError::bad_checksum;
  if (read.version != kEnvelopeVersion) return DecodeError::bad_version;
  const auto type = static_cast<std::uint8_t>(read.type);
  if (type == 0 || type > kMessageTypeMax) return DecodeError::bad_type;
  if (read.encoding != kEncodingIdentity) return DecodeError::bad_encoding;
  const std::uint64_t limit =
      read.type == MessageType::batch ? kFramePrologueBytes + kFrameRecordsMax : kBodyMax[type];
  if (read.body_bytes > limit || read.body_bytes % 8 != 0) return DecodeError::bad_length;
  envelope = read;
  return DecodeError::none;
}

std::uint32_t encode_frame_header(FrameHeader header,
                                  std::span<std::byte, kFrameHeaderBytes> out) noexcept {
  std::memcpy(out.data(), &header, kFrameHeaderBytes);
  const std::uint32_t crc = crc32c(out.first<92>());
  std::memcpy(out.data() + 92, &crc, sizeof crc);
  return crc;
}

DecodeError decode_frame_header(std::span<const std::byte, kFrameHeaderBytes> bytes,
                                std::uint64_t records_max, FrameHeader& header) noexcept {
  FrameHeader read;
  std::memcpy(&read, bytes.data(), kFrameHeaderBytes);
  if (read.magic != kFrameMagic) return DecodeError::bad_magic;
  if (crc32c(bytes.first<92>()) != read.header_crc) return DecodeError::bad_checksum;
  if (read.version != kFrameVersion) return DecodeError::bad_version;
  if (read.type != 1) return DecodeError::bad_type;
  if (read.prefix_bytes != kBatchPrefixBytes) return DecodeError::bad_length;
  if (read.end <= read.begin || read.begin % 8 != 0 || read.end % 8 != 0) {
    return DecodeError::bad_range;
  }
  const std::uint64_t records = read.end - read.begin;
  if (records > std::min(records_max, kFrameRecordsMax)) return DecodeError::bad_length;
  if (read.body_bytes != kBatchPrefixBytes + records) return DecodeError::bad_range;
  if (read.record_count == 0 || read.record_count > records / 8) return DecodeError::bad_range;
  header = read;
  return DecodeError::none;
}

}  // namespace quorate::wire
