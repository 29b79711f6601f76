#pragma once

// Fixed layouts, little-endian. What belongs to a connection is the envelope; what belongs to the
// stream is the frame behind it, which is the same bytes in memory, on the wire and on disk.
//
// A unit on the wire: Envelope (64 bytes), then body_bytes bytes:
//   batch:     FrameHeader (96), batch prefix (kBatchPrefixBytes), records
//   otherwise: one FlatBuffers table, padded to 8 bytes
// Every unit is a multiple of 8 bytes.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quorate::wire {

static_assert(std::endian::native == std::endian::little, "layouts are copied, not converted");

enum class MessageType : std::uint8_t {
  hello = 1,
  welcome = 2,
  resume = 3,
  resume_reply = 4,
  batch = 5,
  acknowledgements = 6,
  heartbeat = 7,
  status_request = 8,
  status = 9,
  goodbye = 10,
  snapshot_begin = 11,
  snapshot_request = 12,
  snapshot_chunk = 13,
};
inline constexpr std::uint8_t kMessageTypeMax = 13;

inline constexpr std::size_t kEnvelopeBytes = 64;
inline constexpr std::size_t kFrameHeaderBytes = 96;
inline constexpr std::size_t kBatchPrefixBytes = 48;
inline constexpr std::size_t kFramePrologueBytes = kFrameHeaderBytes + kBatchPrefixBytes;

inline constexpr std::uint32_t kEnvelopeMagic = 0x31455251;  // "QRE1"
inline constexpr std::uint32_t kFrameMagic = 0x31465251;     // "QRF1"
inline constexpr std::uint8_t kEnvelopeVersion = 1;
inline constexpr std::uint16_t kFrameVersion = 1;
inline constexpr std::uint8_t kEncodingIdentity = 0;

/// Envelope flag of a batch: somebody awaits level applied on this stream.
inline constexpr std::uint8_t kAppliedAwaited = 1;
/// Envelope flag of a batch: nobody awaits level received on this stream. A replica with a log may
/// tell of it together with what is durable.
inline constexpr std::uint8_t kReceivedNotAwaited = 2;

/// Largest body of each control message, by type.
inline constexpr std::array<std::uint32_t, kMessageTypeMax + 1> kBodyMax = {
    0,       4096,    4096,  // none, hello, welcome
    65472,   65472,          // resume, resume_reply
    0,                       // batch: limited by what the peers agreed on
    65472,   65472,          // acknowledgements, heartbeat
    4096,    1u << 20, 4096, // status_request, status, goodbye
    4096,    4096,    65472  // snapshot_begin, snapshot_request, snapshot_chunk
};
inline constexpr std::uint64_t kFrameRecordsMax = 256u << 20;  ///< one record may be a whole frame

struct Envelope {
  std::uint32_t magic = kEnvelopeMagic;       //  0
  std::uint8_t version = kEnvelopeVersion;    //  4
  MessageType type = MessageType::heartbeat;  //  5
  std::uint8_t encoding = kEncodingIdentity;  //  6  of what follows
  std::uint8_t flags = 0;                     //  7
  std::uint32_t body_bytes = 0;               //  8  bytes that follow
  std::uint32_t body_crc = 0;                 // 12  CRC32C of them; 0 for batch: in the frame
  std::uint64_t session = 0;                  // 16
  std::uint64_t sequence = 0;                 // 24  units sent before on this connection
  std::uint64_t epoch_number = 0;             // 32  the sender's epoch: what fencing checks
  std::uint64_t epoch_incarnation = 0;        // 40
  std::uint64_t committed = 0;                // 48  of the batch's stream
  std::uint32_t reserved = 0;                 // 56
  std::uint32_t header_crc = 0;               // 60  CRC32C of the 60 bytes before
};
static_assert(sizeof(Envelope) == kEnvelopeBytes && offsetof(Envelope, header_crc) == 60);

struct FrameHeader {
  std::uint32_t magic = kFrameMagic;             //  0
  std::uint16_t version = kFrameVersion;         //  4
  std::uint8_t type = 1;                         //  6  1: batch
  std::uint8_t flags = 0;                        //  7
  std::uint32_t body_bytes = 0;                  //  8  prefix and records
  std::uint32_t prefix_bytes = kBatchPrefixBytes;// 12
  std::uint32_t stream = 0;                      // 16
  std::uint32_t record_count = 0;                // 20  padding records included
  std::uint64_t epoch_number = 0;                // 24  origin: who sealed it
  std::uint64_t epoch_incarnation = 0;           // 32
  std::uint64_t begin = 0;                       // 40
  std::uint64_t end = 0;                         // 48
  std::uint64_t previous_epoch_number = 0;       // 56  of the frame that ends at begin
  std::uint64_t previous_epoch_incarnation = 0;  // 64
  std::uint32_t previous_checksum = 0;           // 72  its header_crc
  std::uint32_t body_crc = 0;                    // 76  CRC32C of prefix and records
  std::uint64_t reserved = 0;                    // 80
  std::uint32_t reserved2 = 0;                   // 88
  std::uint32_t header_crc = 0;                  // 92  CRC32C of the 92 bytes before
};
static_assert(sizeof(FrameHeader) == kFrameHeaderBytes && offsetof(FrameHeader, header_crc) == 92);

enum class DecodeError : std::uint8_t {
  none,
  bad_magic,
  bad_version,
  bad_checksum,
  bad_type,
  bad_encoding,
  bad_length,
  bad_range,
};
const char* to_string(DecodeError error) noexcept;

/// Writes the checksum, then the bytes.
void encode_envelope(Envelope envelope, std::span<std::byte, kEnvelopeBytes> out) noexcept;
DecodeError decode_envelope(std::span<const std::byte, kEnvelopeBytes> bytes,
                            Envelope& envelope) noexcept;

/// Returns the header's checksum, by which the next frame names this one.
std::uint32_t encode_frame_header(FrameHeader header,
                                  std::span<std::byte, kFrameHeaderBytes> out) noexcept;
/// `records_max`: the largest frame the peers agreed on.
DecodeError decode_frame_header(std::span<const std::byte, kFrameHeaderBytes> bytes,
                                std::uint64_t records_max, FrameHeader& header) noexcept;

}  // namespace quorate::wire
