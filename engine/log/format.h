#pragma once

// What the log writes to disk: fixed layouts, little-endian, node-local. Frames are kept as they
// are on the wire; everything here is around them.
//
// A segment: a block with the segment's header, then write units back to back, then zeros.
// A unit: UnitHeader (128 bytes), whole frames, zeros up to the next block.
// The metadata file: kMetadataCopies blocks, two generations of two copies each.
//
// Each bit of a segment and of a metadata copy is covered by a checksum or must be zero, so that
// every flip is noticed. Nothing here is asserted: what decodes has been checked field by field.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "quorate/types.h"

namespace quorate::log {

static_assert(std::endian::native == std::endian::little, "layouts are copied, not converted");

/// Alignment of everything on disk.
inline constexpr std::size_t kBlockBytes = 4096;
inline constexpr std::size_t kHeaderBytes = 128;
inline constexpr std::uint64_t kSegmentBytesMax = 1u << 30;
inline constexpr std::uint32_t kUnitBytesMax = 64u << 20;
inline constexpr std::uint32_t kUnitsInFlightMax = 64;

inline constexpr std::uint32_t kSegmentMagic = 0x31535251;   // "QRS1"
inline constexpr std::uint32_t kUnitMagic = 0x31555251;      // "QRU1"
inline constexpr std::uint32_t kMetadataMagic = 0x314D5251;  // "QRM1"
inline constexpr std::uint16_t kFormatVersion = 1;

/// Drawn once, when a directory is made: bytes of another storage are never taken for this one's.
struct StorageId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend constexpr bool operator==(const StorageId&, const StorageId&) = default;
};

/// Segment flag: the log was cut at first_position. Whatever earlier segments hold at or behind it
/// counts no more; their bytes stay as they are. The chain of units begins anew, so that
/// previous_unit_crc says nothing about the unit before.
inline constexpr std::uint16_t kCut = 1;
/// Segment flag: the log begins here anew. Nothing of any earlier segment counts, and what ends at
/// first_position need never have been in this log: a copy of all before it was installed. The
/// chain of units begins anew as well, with whatever previous_unit_crc says. Never with kCut.
inline constexpr std::uint16_t kAnew = 2;

struct SegmentHeader {
  std::uint32_t magic = kSegmentMagic;           //   0
  std::uint16_t version = kFormatVersion;        //   4
  std::uint16_t flags = 0;                       //   6
  StorageId storage;                             //   8
  std::uint64_t number = 0;                      //  24  from 1, without gaps
  std::uint64_t first_position = 0;              //  32  all before it is durable: see recovery.h
  std::uint64_t segment_bytes = 0;               //  40  of the file
  std::uint32_t stream = 0;                      //  48
  std::uint32_t unit_bytes_max = 0;              //  52  of units of this segment
  std::uint32_t units_in_flight = 0;             //  56  at most, at any moment
  std::uint32_t previous_unit_crc = 0;           //  60  header_crc of the unit before
  std::uint64_t previous_epoch_number = 0;       //  64  of the frame that ends at first_position
  std::uint64_t previous_epoch_incarnation = 0;  //  72
  std::uint32_t previous_frame_checksum = 0;     //  80
  std::uint32_t reserved = 0;                    //  84
  std::array<std::uint64_t, 4> reserved2{};      //  88
  std::uint32_t reserved3 = 0;                   // 120
  std::uint32_t header_crc = 0;                  // 124  CRC32C of the 124 bytes before
};
static_assert(sizeof(SegmentHeader) == kHeaderBytes && offsetof(SegmentHeader, header_crc) == 124);

struct UnitHeader {
  std::uint32_t magic = kUnitMagic;          //   0
  std::uint16_t version = kFormatVersion;    //   4
  std::uint16_t flags = 0;                   //   6
  StorageId storage;                         //   8
  std::uint64_t segment = 0;                 //  24
  std::uint64_t offset = 0;                  //  32  in the segment
  std::uint64_t first_position = 0;          //  40
  std::uint64_t end_position = 0;            //  48
  std::uint64_t durable_before = 0;          //  56  known durable when the unit was built
  std::uint32_t stream = 0;                  //  64
  std::uint32_t frame_count = 0;             //  68
  std::uint32_t body_bytes = 0;              //  72  of the frames
  std::uint32_t unit_bytes = 0;              //  76  header, frames and zeros
  std::uint32_t previous_unit_crc = 0;       //  80  header_crc of the unit before: the chain
  std::uint32_t body_crc = 0;                //  84  CRC32C of frames and zeros
  std::array<std::uint64_t, 4> reserved{};   //  88
  std::uint32_t reserved2 = 0;               // 120
  std::uint32_t header_crc = 0;              // 124  CRC32C of the 124 bytes before
};
static_assert(sizeof(UnitHeader) == kHeaderBytes && offsetof(UnitHeader, header_crc) == 124);

/// Metadata flag: the log was closed in order, so nothing can be torn. known_durable is its end.
inline constexpr std::uint16_t kClosed = 1;

struct Metadata {
  std::uint32_t magic = kMetadataMagic;     //   0
  std::uint16_t version = kFormatVersion;   //   4
  std::uint16_t flags = 0;                  //   6
  StorageId storage;                        //   8
  std::uint64_t sequence = 0;               //  24  of this content; the greatest counts
  std::uint64_t promised_number = 0;        //  32  nothing older is answered any more
  std::uint64_t promised_incarnation = 0;   //  40
  std::uint64_t known_committed = 0;        //  48  never cut below
  std::uint64_t known_durable = 0;          //  56  what is missing before it is a fault
  std::uint64_t oldest_segment = 1;         //  64  what is missing from here on is a fault
  std::uint32_t stream = 0;                 //  72
  std::uint32_t previous_crc = 0;           //  76  of the content before
  std::array<std::uint64_t, 5> reserved{};  //  80
  std::uint32_t reserved2 = 0;              // 120
  std::uint32_t header_crc = 0;             // 124  CRC32C of the 124 bytes before
};
static_assert(sizeof(Metadata) == kHeaderBytes && offsetof(Metadata, header_crc) == 124);

/// Two generations, so that a save never touches the latest; two copies of each, so that damage to
/// one copy of the latest does not bring the one before back to life.
inline constexpr std::size_t kMetadataCopies = 4;
inline constexpr std::uint64_t kMetadataFileBytes = 128u << 10;
/// The copies of one generation are far apart.
[[nodiscard]] constexpr std::uint64_t metadata_offset(std::uint64_t sequence, std::size_t copy) {
  return copy * (kMetadataFileBytes / 2) + sequence % 2 * kBlockBytes;
}

/// What is wrong with bytes that were read.
enum class Flaw : std::uint8_t {
  none,
  zero,            ///< nothing was written here
  unreadable,      ///< the operating system refused
  bad_magic,
  bad_checksum,
  bad_version,
  bad_reserved,    ///< something is set that must be zero
  bad_length,
  bad_range,
  other_storage,
  other_stream,
  other_place,     ///< written for another segment or offset
  other_position,  ///< does not begin where the unit before it ends
  bad_chain,       ///< follows another unit
  bad_body,
  bad_frame,       ///< the unit is whole, what it carries is not a sequence of frames
  stale,           ///< of an older segment, whose file this one took over
};
[[nodiscard]] std::string_view to_string(Flaw flaw) noexcept;

using Block = std::span<std::byte, kBlockBytes>;
using ConstBlock = std::span<const std::byte, kBlockBytes>;

[[nodiscard]] constexpr std::uint64_t blocks_up(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}
[[nodiscard]] bool is_zero(std::span<const std::byte> bytes) noexcept;

/// Writes the checksum, and zeros behind it. Returns the checksum.
std::uint32_t encode_segment_header(SegmentHeader header, Block out) noexcept;
std::uint32_t encode_metadata(Metadata metadata, Block out) noexcept;
/// Of `unit`, header and frames are not touched beyond the header: the caller put the frames
/// there. Fills in lengths and both checksums, and zeros behind the frames. `unit` is as long as
/// blocks_up(kHeaderBytes + body_bytes). Returns the header's checksum, the next link of the chain.
std::uint32_t seal_unit(const UnitHeader& header, std::span<std::byte> unit) noexcept;
/// The same for who knows the checksum of the frames.
std::uint32_t seal_unit(UnitHeader header, std::span<std::byte> unit,
                        std::uint32_t frames_crc) noexcept;

Flaw decode_segment_header(ConstBlock block, SegmentHeader& header) noexcept;
Flaw decode_metadata(ConstBlock block, Metadata& metadata) noexcept;
/// Only the header: the body's checksum is check_unit_body().
Flaw decode_unit_header(std::span<const std::byte, kHeaderBytes> bytes,
                        UnitHeader& header) noexcept;
/// `unit`: header.unit_bytes bytes.
[[nodiscard]] bool check_unit_body(const UnitHeader& header,
                                   std::span<const std::byte> unit) noexcept;

}  // namespace quorate::log
