#include "tests/fuzz/units.h"

#include <algorithm>
#include <cstring>

#include "tests/unit/wire/golden_units.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

namespace quorate::fuzz {

namespace {

void repair_frame(std::span<std::byte> frame) {
  if (frame.size() < wire::kFramePrologueBytes) return;
  wire::FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  header.body_crc = wire::crc32c(frame.subspan(wire::kFrameHeaderBytes));
  wire::encode_frame_header(header, frame.first<wire::kFrameHeaderBytes>());
}

}  // namespace

void repair(std::span<std::byte> stream) {
  for (std::uint64_t sequence = 0; stream.size() >= wire::kEnvelopeBytes; ++sequence) {
    wire::Envelope envelope;
    std::memcpy(&envelope, stream.data(), sizeof envelope);
    envelope.magic = wire::kEnvelopeMagic;
    envelope.version = wire::kEnvelopeVersion;
    envelope.sequence = sequence;
    const std::size_t size =
        std::min<std::size_t>(envelope.body_bytes, stream.size() - wire::kEnvelopeBytes);
    const auto body = stream.subspan(wire::kEnvelopeBytes, size);
    if (envelope.type == wire::MessageType::batch) {
      repair_frame(body);
    } else {
      envelope.body_crc = wire::crc32c(body);
    }
    wire::encode_envelope(envelope, stream.first<wire::kEnvelopeBytes>());
    stream = stream.subspan(wire::kEnvelopeBytes + size);
  }
}

std::vector<std::byte> all_units() {
  std::vector<std::byte> stream;
  for (const auto& unit : wire::golden_units()) {
    stream.insert(stream.end(), unit.bytes.begin(), unit.bytes.end());
  }
  repair(stream);
  return stream;
}

std::vector<std::byte> batches(std::size_t count) {
  const auto units = wire::golden_units();
  const auto unit = std::find_if(units.begin(), units.end(), [](const auto& one) {
    return one.type == wire::MessageType::batch;
  });
  std::vector<std::byte> stream;
  for (std::size_t i = 0; i < count; ++i) {
    stream.insert(stream.end(), unit->bytes.begin(), unit->bytes.end());
  }
  repair(stream);
  return stream;
}

}  // namespace quorate::fuzz
