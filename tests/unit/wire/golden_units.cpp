#include "tests/unit/wire/golden_units.h"

#include <cstring>
#include <string_view>

#include "transport/codec.h"
#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::wire {

namespace {

constexpr Epoch kEpoch{7, 0xE1E2E3E4E5E6E7E8};

std::vector<std::byte> control_unit(MessageType type, std::span<const std::byte> body) {
  Envelope envelope = golden_envelope(type);
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  envelope.body_crc = crc32c(body);
  std::vector<std::byte> unit(kEnvelopeBytes + body.size());
  encode_envelope(envelope, std::span(unit).first<kEnvelopeBytes>());
  std::memcpy(unit.data() + kEnvelopeBytes, body.data(), body.size());
  return unit;
}

void append_record(std::vector<std::byte>& bytes, std::string_view text, RecordKind kind) {
  const RecordWord word{static_cast<std::uint32_t>(text.size()), kind, 0};
  const std::size_t at = bytes.size();
  bytes.resize(at + padded_record_bytes(word.length));
  std::memcpy(bytes.data() + at, &word, sizeof word);
  if (!text.empty()) std::memcpy(bytes.data() + at + sizeof word, text.data(), text.size());
}

std::vector<std::byte> batch_unit() {
  const auto records = golden_records();
  std::array<std::byte, kBatchPrefixBytes> prefix;
  write_batch_prefix(prefix, 4, kGoldenSealedAt_ns, records.size());
  FrameHeader header = golden_frame();
  header.body_bytes = static_cast<std::uint32_t>(prefix.size() + records.size());
  header.end = header.begin + records.size();
  header.body_crc = crc32c(records, crc32c(prefix));
  Envelope envelope = golden_envelope(MessageType::batch);
  envelope.flags = kAppliedAwaited;
  envelope.body_bytes = static_cast<std::uint32_t>(kFramePrologueBytes + records.size());
  std::vector<std::byte> unit(kEnvelopeBytes + kFrameHeaderBytes);
  encode_envelope(envelope, std::span(unit).first<kEnvelopeBytes>());
  encode_frame_header(header, std::span(unit).subspan<kEnvelopeBytes, kFrameHeaderBytes>());
  unit.insert(unit.end(), prefix.begin(), prefix.end());
  unit.insert(unit.end(), records.begin(), records.end());
  return unit;
}

}  // namespace

Envelope golden_envelope(MessageType type) {
  Envelope envelope;
  envelope.type = type;
  envelope.session = 0x5152535455565758;
  envelope.sequence = 0x100 + static_cast<std::uint64_t>(type);
  envelope.epoch_number = kEpoch.number;
  envelope.epoch_incarnation = kEpoch.incarnation;
  envelope.committed = 0x2000;
  return envelope;
}

FrameHeader golden_frame() {
  FrameHeader header;
  header.stream = 3;
  header.record_count = 4;
  header.epoch_number = kEpoch.number;
  header.epoch_incarnation = kEpoch.incarnation;
  header.begin = 0x3000;
  header.previous_epoch_number = 6;
  header.previous_epoch_incarnation = 0xD1D2D3D4D5D6D7D8;
  header.previous_checksum = 0xC1C2C3C4;
  return header;
}

std::vector<std::byte> golden_records() {
  std::vector<std::byte> bytes;
  append_record(bytes, "first", RecordKind::data);
  append_record(bytes, std::string(20, '\0'), RecordKind::padding);
  append_record(bytes, "", RecordKind::data);
  append_record(bytes, "the last record", RecordKind::data);
  return bytes;
}

core::Hello golden_hello() {
  return {"orders",           "replica-b", core::Role::replica, 1,   2,
          0xA1A2A3A4A5A6A7A8, 5,           0xB1B2B3B4B5B6B7B8,  500, 1u << 22};
}

core::Welcome golden_welcome() {
  return {0x5152535455565758, 1, 0xA1A2A3A4A5A6A7A8, kEpoch, 4, 100, 1u << 22, 1u << 20, 500, 3000,
          "primary-a"};
}

std::vector<core::ResumeClaim> golden_claims() {
  return {{5, kEpoch, 0x3000, 0xC1C2C3C4, 0xB1B2B3B4B5B6B7B8, 0x403000, 0xFFFFFF00, 0xF00},
          {9, {}, 0, 0, 1, 0x1000, 0, 512}};
}

std::vector<core::ResumeVerdict> golden_verdicts() {
  return {{5, core::Verdict::resumed, 0x3000},
          {9, core::Verdict::from_start, 0},
          {13, core::Verdict::needs_full_copy, 0x8000}};
}

std::vector<core::Acknowledgement> golden_acknowledgements() {
  return {{5, kEpoch, 0xB1B2B3B4B5B6B7B8, 0x3058, 0x3000, 0x2000, 0x402000, 0xF08},
          {9, kEpoch, 1, 0, 0, 0, 0, 512}};
}

std::vector<core::Commit> golden_commits() {
  return {{5, 0x3000}, {9, 0x8000000000000000}};
}

std::vector<StreamStatus> golden_streams() {
  const ReplicaStatus b{
      "replica-b", ReplicaStatus::State::streaming, 0x3058, 0x3000, 0x2000, 0x1000, 0x58, 0.25};
  const ReplicaStatus c{"c", ReplicaStatus::State::needs_full_copy, 0, 0, 0, 0, 0x3058, 86400};
  return {{5, kEpoch, 0x3058, 0x2000, {b, c}}, {9, kEpoch, 0, 0, {}}};
}

core::Goodbye golden_goodbye() {
  return {core::GoodbyeReason::needs_full_copy, "position 4096 is no longer held"};
}

core::SnapshotHead golden_snapshot() {
  return {5,      0x9192939495969798, 0x3000,     kEpoch, 0xC1C2C3C4,
          0x3058, 0x123456789A,       0xD1D2D3D4, true};
}

core::SnapshotRequest golden_snapshot_request() { return {5, 0x9192939495969798, 0xF000}; }

std::vector<std::byte> golden_piece() {
  std::vector<std::byte> piece(21);
  for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<std::byte>(i * 7);
  return piece;
}

std::vector<StreamStatus> golden_snapshot_streams() {
  StreamStatus ready;
  ready.stream = 5;
  ready.epoch = kEpoch;
  ready.snapshot_position = 0x3058;
  ready.snapshot_bytes = 0x123456789A;
  StreamStatus wanted;
  wanted.stream = 9;
  wanted.epoch = kEpoch;
  wanted.snapshot_wanted = true;
  wanted.snapshot_error = "open of s: No such file or directory";
  return {ready, wanted};
}

std::vector<GoldenUnit> golden_units() {
  transport::Encoder encoder;
  std::vector<GoldenUnit> units;
  const auto add = [&](const char* name, MessageType type, std::span<const std::byte> body) {
    units.push_back({name, type, control_unit(type, body)});
  };
  using enum MessageType;
  add("hello", hello, encoder.hello(golden_hello()));
  add("welcome", welcome, encoder.welcome(golden_welcome()));
  add("resume", resume, encoder.resume(golden_claims()));
  add("resume_reply", resume_reply, encoder.resume_reply(golden_verdicts()));
  units.push_back({"batch", batch, batch_unit()});
  add("acknowledgements", acknowledgements, encoder.acknowledgements(golden_acknowledgements()));
  add("heartbeat", heartbeat, encoder.heartbeat(0x1122334455667788, golden_commits(), true));
  add("status_request", status_request, encoder.status_request(256, 128));
  add("status", status, encoder.status("primary-a", 100, golden_streams()));
  const core::Goodbye bye = golden_goodbye();
  add("goodbye", goodbye, transport::encode_goodbye(bye.reason, bye.text));
  add("snapshot_begin", snapshot_begin, encoder.snapshot_begin(golden_snapshot()));
  add("snapshot_request", snapshot_request, encoder.snapshot_request(golden_snapshot_request()));
  add("snapshot_chunk", snapshot_chunk,
      encoder.snapshot_chunk(golden_snapshot().id, 0xF000, golden_piece()));
  add("status_snapshots", status, encoder.status("primary-a", 100, golden_snapshot_streams()));
  return units;
}

}  // namespace quorate::wire
