// Envelope, frame header, batch prefix and records, each from the bytes as they come.

#include <cstring>
#include <memory>

#include "base/check.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/units.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/records.h"

namespace {

using namespace quorate::wire;

constexpr std::uint64_t kRecordsMax = 1u << 16;

void try_records(std::span<const std::byte> bytes) {
  const auto count = count_records(bytes);
  CHECK(count >= -1 && count <= static_cast<std::int64_t>(bytes.size() / 8));
}

void try_frame(std::span<const std::byte> bytes) {
  if (bytes.size() < kFramePrologueBytes) return;
  FrameHeader header;
  const auto error = decode_frame_header(bytes.first<kFrameHeaderBytes>(), kRecordsMax, header);
  if (error == DecodeError::none) {
    CHECK(header.end > header.begin && header.end - header.begin <= kRecordsMax);
    CHECK(header.record_count <= (header.end - header.begin) / 8);
  }
  const auto prefix = bytes.subspan<kFrameHeaderBytes, kBatchPrefixBytes>();
  const auto records = bytes.subspan(kFramePrologueBytes);
  std::uint32_t length;
  std::memcpy(&length, prefix.data() + kBatchPrefixBytes - sizeof length, sizeof length);
  CHECK(!view_batch_prefix(prefix, std::uint64_t{length} + 1).ok);
  static_cast<void>(view_batch_prefix(prefix, length));
  try_records(records);
}

void try_unit(std::span<const std::byte> bytes) {
  if (bytes.size() < kEnvelopeBytes) return;
  Envelope envelope;
  if (decode_envelope(bytes.first<kEnvelopeBytes>(), envelope) == DecodeError::none) {
    CHECK(envelope.body_bytes % 8 == 0);
    CHECK(envelope.type == MessageType::batch ||
          envelope.body_bytes <= kBodyMax[static_cast<std::size_t>(envelope.type)]);
  }
  try_frame(bytes.subspan(kEnvelopeBytes));
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  std::vector<FuzzInput> seeds;
  for (const auto& stream : {quorate::fuzz::batches(1), quorate::fuzz::all_units()}) {
    for (std::uint8_t repair = 0; repair < 2; ++repair) {
      FuzzInput input{repair};
      for (const std::byte b : stream) input.push_back(std::to_integer<std::uint8_t>(b));
      seeds.push_back(input);
    }
  }
  return seeds;
}

/// The first byte says whether checksums are repaired.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto memory = std::make_unique<std::byte[]>(size - 1);
  if (size > 1) std::memcpy(memory.get(), data + 1, size - 1);
  const std::span<std::byte> bytes(memory.get(), size - 1);
  if (data[0] & 1) quorate::fuzz::repair(bytes);
  try_unit(bytes);
  try_frame(bytes);
  try_records(bytes);
  return 0;
}
