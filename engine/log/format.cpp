#include "log/format.h"

#include <algorithm>
#include <cstring>

#include "wire/crc32c.h"

namespace quorate::log {

namespace {

constexpr std::size_t kCrcAt = kHeaderBytes - sizeof(std::uint32_t);

template <typename Header>
std::uint32_t put(const Header& header, std::byte* out) noexcept {
  std::memcpy(out, &header, kHeaderBytes);
  const std::uint32_t crc = wire::crc32c({out, kCrcAt});
  std::memcpy(out + kCrcAt, &crc, sizeof crc);
  return crc;
}

/// What all headers have in common.
template <typename Header>
Flaw get(std::span<const std::byte, kHeaderBytes> bytes, std::uint32_t magic,
         Header& header) noexcept {
  std::memcpy(&header, bytes.data(), kHeaderBytes);
  if (header.magic == 0 && is_zero(bytes)) return Flaw::zero;
  if (header.magic != magic) return Flaw::bad_magic;
  if (wire::crc32c(bytes.template first<kCrcAt>()) != header.header_crc) return Flaw::bad_checksum;
  if (header.version != kFormatVersion) return Flaw::bad_version;
  return Flaw::none;
}

template <typename Words>
bool all_zero(const Words& words) noexcept {
  return std::all_of(words.begin(), words.end(), [](std::uint64_t word) { return word == 0; });
}

bool is_blocks(std::uint64_t bytes) noexcept { return bytes > 0 && bytes % kBlockBytes == 0; }

}  // namespace

std::string_view to_string(Flaw flaw) noexcept {
  switch (flaw) {
    case Flaw::none: return "none";
    case Flaw::zero: return "nothing was written here";
    case Flaw::unreadable: return "cannot be read";
    case Flaw::bad_magic: return "magic differs";
    case Flaw::bad_checksum: return "header checksum differs";
    case Flaw::bad_version: return "version is not known";
    case Flaw::bad_reserved: return "bytes are set that must be zero";
    case Flaw::bad_length: return "length is outside its limit";
    case Flaw::bad_range: return "positions contradict each other";
    case Flaw::other_storage: return "belongs to another storage";
    case Flaw::other_stream: return "belongs to another stream";
    case Flaw::other_place: return "was written for another place";
    case Flaw::other_position: return "does not begin where the unit before it ends";
    case Flaw::bad_chain: return "follows another unit";
    case Flaw::bad_body: return "checksum of the frames differs";
    case Flaw::bad_frame: return "frames do not follow each other";
    case Flaw::stale: return "is of an older segment";
  }
  return "?";
}

bool is_zero(std::span<const std::byte> bytes) noexcept {
  // Comparing with itself, one byte further, is as fast as memcmp is.
  if (bytes.empty()) return true;
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::uint32_t encode_segment_header(SegmentHeader header, Block out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  return put(header, out.data());
}

std::uint32_t encode_metadata(Metadata metadata, Block out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  return put(metadata, out.data());
}

std::uint32_t seal_unit(const UnitHeader& header, std::span<std::byte> unit) noexcept {
  return seal_unit(header, unit, wire::crc32c(unit.subspan(kHeaderBytes, header.body_bytes)));
}

std::uint32_t seal_unit(UnitHeader header, std::span<std::byte> unit,
                        std::uint32_t frames_crc) noexcept {
  const std::span<std::byte> padding = unit.subspan(kHeaderBytes + header.body_bytes);
  std::fill(padding.begin(), padding.end(), std::byte{0});
  header.unit_bytes = static_cast<std::uint32_t>(unit.size());
  header.body_crc = wire::crc32c(padding, frames_crc);
  return put(header, unit.data());
}

Flaw decode_segment_header(ConstBlock block, SegmentHeader& header) noexcept {
  SegmentHeader read;
  const Flaw flaw = get(block.first<kHeaderBytes>(), kSegmentMagic, read);
  const bool rest_is_zero = is_zero(block.subspan<kHeaderBytes>());
  if (flaw == Flaw::zero && !rest_is_zero) return Flaw::bad_magic;
  if (flaw != Flaw::none) return flaw;
  if (!rest_is_zero || read.flags > kAnew || read.reserved != 0 ||
      !all_zero(read.reserved2) || read.reserved3 != 0) {
    return Flaw::bad_reserved;
  }
  const bool lengths_fit = is_blocks(read.segment_bytes) && is_blocks(read.unit_bytes_max) &&
                           read.unit_bytes_max <= kUnitBytesMax &&
                           read.segment_bytes <= kSegmentBytesMax &&
                           read.unit_bytes_max + kBlockBytes <= read.segment_bytes &&
                           read.units_in_flight > 0 && read.units_in_flight <= kUnitsInFlightMax;
  if (!lengths_fit) return Flaw::bad_length;
  if (read.number == 0 || read.first_position % 8 != 0) return Flaw::bad_range;
  header = read;
  return Flaw::none;
}

Flaw decode_metadata(ConstBlock block, Metadata& metadata) noexcept {
  Metadata read;
  const Flaw flaw = get(block.first<kHeaderBytes>(), kMetadataMagic, read);
  if (flaw != Flaw::none) return flaw;
  if (!is_zero(block.subspan<kHeaderBytes>()) || (read.flags & ~kClosed) != 0 ||
      !all_zero(read.reserved) || read.reserved2 != 0) {
    return Flaw::bad_reserved;
  }
  if (read.sequence == 0 || read.oldest_segment == 0) return Flaw::bad_range;
  metadata = read;
  return Flaw::none;
}

Flaw decode_unit_header(std::span<const std::byte, kHeaderBytes> bytes,
                        UnitHeader& header) noexcept {
  UnitHeader read;
  const Flaw flaw = get(bytes, kUnitMagic, read);
  if (flaw != Flaw::none) return flaw;
  if (read.flags != 0 || !all_zero(read.reserved) || read.reserved2 != 0) {
    return Flaw::bad_reserved;
  }
  if (read.body_bytes > kUnitBytesMax || read.unit_bytes > kUnitBytesMax ||
      read.unit_bytes != blocks_up(kHeaderBytes + read.body_bytes)) {
    return Flaw::bad_length;
  }
  if (read.offset < kBlockBytes || read.offset % kBlockBytes != 0 || read.frame_count == 0 ||
      read.end_position <= read.first_position || read.durable_before > read.first_position) {
    return Flaw::bad_range;
  }
  header = read;
  return Flaw::none;
}

bool check_unit_body(const UnitHeader& header, std::span<const std::byte> unit) noexcept {
  return unit.size() == header.unit_bytes &&
         wire::crc32c(unit.subspan(kHeaderBytes)) == header.body_crc;
}

}  // namespace quorate::log
