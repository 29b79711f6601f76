#include "tests/simulation/world/units.h"

#include <algorithm>

#include "wire/crc32c.h"

namespace quorate::simulation {

std::vector<std::byte> make_unit(wire::Envelope envelope, std::span<const std::byte> body) {
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  // A batch has its checksum in its frame.
  if (envelope.type != wire::MessageType::batch) envelope.body_crc = wire::crc32c(body);
  std::vector<std::byte> bytes(wire::kEnvelopeBytes + body.size());
  wire::encode_envelope(envelope, std::span(bytes).first<wire::kEnvelopeBytes>());
  std::copy(body.begin(), body.end(), bytes.begin() + wire::kEnvelopeBytes);
  return bytes;
}

}  // namespace quorate::simulation
