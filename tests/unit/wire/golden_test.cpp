// The golden files of each wire version: today's encoding yields exactly these bytes, and decoding
// the files yields the fields. QUORATE_REWRITE_GOLDEN=1 writes the files anew (wire/README.md).

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "tests/unit/wire/golden_file.h"
#include "tests/unit/wire/golden_units.h"
#include "transport/codec.h"
#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"
#include "wire/version.h"

namespace quorate::wire {
namespace {

std::string path_of(const std::string& name) {
  return QUORATE_GOLDEN_DIR "/v" + std::to_string(kVersionMax) + "/" + name + ".hex";
}

bool same(const Envelope& a, const Envelope& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// The body of a golden file, once its envelope was found to be the one expected.
class Golden : public testing::Test {
 protected:
  std::span<const std::byte> body(const std::string& name, MessageType type) {
    const auto file = read_golden(path_of(name));
    EXPECT_TRUE(file.has_value()) << path_of(name);
    unit_ = file.value_or(std::vector<std::byte>(kEnvelopeBytes));
    EXPECT_EQ(decode_envelope(std::span<const std::byte>(unit_).first<kEnvelopeBytes>(), envelope_),
              DecodeError::none);
    const auto rest = std::span<const std::byte>(unit_).subspan(kEnvelopeBytes);
    EXPECT_EQ(envelope_.body_bytes, rest.size());
    // A frame has checksums of its own.
    EXPECT_EQ(envelope_.body_crc, type == MessageType::batch ? 0 : crc32c(rest));
    Envelope expected = golden_envelope(type);
    expected.flags = envelope_.flags;
    expected.body_bytes = envelope_.body_bytes;
    expected.body_crc = envelope_.body_crc;
    expected.header_crc = envelope_.header_crc;
    EXPECT_TRUE(same(envelope_, expected));
    return rest;
  }

  Envelope envelope_;

 private:
  std::vector<std::byte> unit_;
};

TEST_F(Golden, EncodingYieldsExactlyTheseBytes) {
  const bool rewrite = std::getenv("QUORATE_REWRITE_GOLDEN") != nullptr;
  for (const GoldenUnit& unit : golden_units()) {
    const std::string path = path_of(unit.name);
    ASSERT_TRUE(!rewrite || write_golden(path, unit.bytes)) << path;
    const auto file = read_golden(path);
    ASSERT_TRUE(file.has_value()) << path;
    EXPECT_EQ(to_hex(*file), to_hex(unit.bytes)) << path;
  }
}

TEST_F(Golden, EveryMessageTypeHasAFile) {
  std::size_t types = 0;
  for (const GoldenUnit& unit : golden_units())
    types |= std::size_t{1} << static_cast<int>(unit.type);
  EXPECT_EQ(types, (std::size_t{2} << kMessageTypeMax) - 2);
}

TEST_F(Golden, Hello) {
  core::Hello read;
  ASSERT_TRUE(transport::decode_hello(body("hello", MessageType::hello), read));
  const core::Hello expected = golden_hello();
  EXPECT_EQ(read.cluster, expected.cluster);
  EXPECT_EQ(read.node, expected.node);
  EXPECT_EQ(read.role, expected.role);
  EXPECT_EQ(read.version_min, expected.version_min);
  EXPECT_EQ(read.version_max, expected.version_max);
  EXPECT_EQ(read.capabilities, expected.capabilities);
  EXPECT_EQ(read.loop, expected.loop);
  EXPECT_EQ(read.incarnation, expected.incarnation);
  EXPECT_EQ(read.heartbeat_ms, expected.heartbeat_ms);
  EXPECT_EQ(read.ring_bytes, expected.ring_bytes);
}

TEST_F(Golden, Welcome) {
  core::Welcome read;
  ASSERT_TRUE(transport::decode_welcome(body("welcome", MessageType::welcome), read));
  const core::Welcome expected = golden_welcome();
  EXPECT_EQ(read.session, expected.session);
  EXPECT_EQ(read.version, expected.version);
  EXPECT_EQ(read.capabilities, expected.capabilities);
  EXPECT_EQ(read.epoch, expected.epoch);
  EXPECT_EQ(read.loops, expected.loops);
  EXPECT_EQ(read.streams, expected.streams);
  EXPECT_EQ(read.ring_bytes, expected.ring_bytes);
  EXPECT_EQ(read.frame_bytes_max, expected.frame_bytes_max);
  EXPECT_EQ(read.heartbeat_ms, expected.heartbeat_ms);
  EXPECT_EQ(read.peer_timeout_ms, expected.peer_timeout_ms);
  EXPECT_EQ(read.node, expected.node);
}

TEST_F(Golden, Resume) {
  std::vector<core::ResumeClaim> read;
  ASSERT_TRUE(transport::decode_resume(body("resume", MessageType::resume), read));
  const auto expected = golden_claims();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].stream, expected[i].stream);
    EXPECT_EQ(read[i].epoch, expected[i].epoch);
    EXPECT_EQ(read[i].position, expected[i].position);
    EXPECT_EQ(read[i].checksum, expected[i].checksum);
    EXPECT_EQ(read[i].incarnation, expected[i].incarnation);
    EXPECT_EQ(read[i].credit_limit, expected[i].credit_limit);
    EXPECT_EQ(read[i].frames, expected[i].frames);
    EXPECT_EQ(read[i].frame_limit, expected[i].frame_limit);
  }
}

TEST_F(Golden, ResumeReply) {
  std::vector<core::ResumeVerdict> read;
  ASSERT_TRUE(
      transport::decode_resume_reply(body("resume_reply", MessageType::resume_reply), read));
  const auto expected = golden_verdicts();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].stream, expected[i].stream);
    EXPECT_EQ(read[i].verdict, expected[i].verdict);
    EXPECT_EQ(read[i].position, expected[i].position);
  }
}

TEST_F(Golden, Acknowledgements) {
  std::vector<core::Acknowledgement> read;
  ASSERT_TRUE(transport::decode_acknowledgements(
      body("acknowledgements", MessageType::acknowledgements), read));
  const auto expected = golden_acknowledgements();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].stream, expected[i].stream);
    EXPECT_EQ(read[i].epoch, expected[i].epoch);
    EXPECT_EQ(read[i].incarnation, expected[i].incarnation);
    EXPECT_EQ(read[i].received, expected[i].received);
    EXPECT_EQ(read[i].durable, expected[i].durable);
    EXPECT_EQ(read[i].applied, expected[i].applied);
    EXPECT_EQ(read[i].credit_limit, expected[i].credit_limit);
    EXPECT_EQ(read[i].frame_limit, expected[i].frame_limit);
  }
}

TEST_F(Golden, Heartbeat) {
  std::vector<core::Commit> read;
  bool applied_awaited = false;
  ASSERT_TRUE(transport::decode_heartbeat(body("heartbeat", MessageType::heartbeat), read,
                                          applied_awaited));
  EXPECT_TRUE(applied_awaited);
  const auto expected = golden_commits();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].stream, expected[i].stream);
    EXPECT_EQ(read[i].committed, expected[i].committed);
  }
}

TEST_F(Golden, StatusRequest) {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
  ASSERT_TRUE(transport::decode_status_request(body("status_request", MessageType::status_request),
                                               begin, count));
  EXPECT_EQ(begin, 256u);
  EXPECT_EQ(count, 128u);
}

void expect_equal(const ReplicaStatus& read, const ReplicaStatus& expected) {
  EXPECT_EQ(read.name, expected.name);
  EXPECT_EQ(read.state, expected.state);
  EXPECT_EQ(read.sent, expected.sent);
  EXPECT_EQ(read.received, expected.received);
  EXPECT_EQ(read.durable, expected.durable);
  EXPECT_EQ(read.applied, expected.applied);
  EXPECT_EQ(read.lag_bytes, expected.lag_bytes);
  EXPECT_DOUBLE_EQ(read.lag_seconds, expected.lag_seconds);
}

TEST_F(Golden, Status) {
  std::uint32_t total = 0;
  std::vector<StreamStatus> read;
  ASSERT_TRUE(transport::decode_status(body("status", MessageType::status), total, read));
  EXPECT_EQ(total, 100u);
  const auto expected = golden_streams();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].stream, expected[i].stream);
    EXPECT_EQ(read[i].epoch, expected[i].epoch);
    EXPECT_EQ(read[i].appended, expected[i].appended);
    EXPECT_EQ(read[i].committed, expected[i].committed);
    ASSERT_EQ(read[i].replicas.size(), expected[i].replicas.size());
    for (std::size_t r = 0; r < read[i].replicas.size(); ++r) {
      expect_equal(read[i].replicas[r], expected[i].replicas[r]);
    }
  }
}

TEST_F(Golden, Goodbye) {
  core::Goodbye read;
  ASSERT_TRUE(transport::decode_goodbye(body("goodbye", MessageType::goodbye), read));
  EXPECT_EQ(read.reason, golden_goodbye().reason);
  EXPECT_EQ(read.text, golden_goodbye().text);
}

TEST_F(Golden, SnapshotBegin) {
  core::SnapshotHead read;
  ASSERT_TRUE(transport::decode_snapshot_begin(body("snapshot_begin", MessageType::snapshot_begin),
                                               read));
  EXPECT_EQ(read, golden_snapshot());
}

TEST_F(Golden, SnapshotRequest) {
  core::SnapshotRequest read;
  ASSERT_TRUE(transport::decode_snapshot_request(
      body("snapshot_request", MessageType::snapshot_request), read));
  EXPECT_EQ(read.stream, golden_snapshot_request().stream);
  EXPECT_EQ(read.id, golden_snapshot_request().id);
  EXPECT_EQ(read.offset, golden_snapshot_request().offset);
}

TEST_F(Golden, SnapshotChunk) {
  transport::SnapshotChunk read;
  ASSERT_TRUE(transport::decode_snapshot_chunk(body("snapshot_chunk", MessageType::snapshot_chunk),
                                               read));
  EXPECT_EQ(read.id, golden_snapshot().id);
  EXPECT_EQ(read.offset, 0xF000u);
  EXPECT_EQ(to_hex(read.bytes), to_hex(golden_piece()));
}

TEST_F(Golden, StatusOfSnapshots) {
  std::uint32_t total = 0;
  std::vector<StreamStatus> read;
  ASSERT_TRUE(
      transport::decode_status(body("status_snapshots", MessageType::status), total, read));
  const auto expected = golden_snapshot_streams();
  ASSERT_EQ(read.size(), expected.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].snapshot_position, expected[i].snapshot_position);
    EXPECT_EQ(read[i].snapshot_bytes, expected[i].snapshot_bytes);
    EXPECT_EQ(read[i].snapshot_wanted, expected[i].snapshot_wanted);
    EXPECT_EQ(read[i].snapshot_error, expected[i].snapshot_error);
  }
}

TEST_F(Golden, Batch) {
  const auto frame = body("batch", MessageType::batch);
  EXPECT_EQ(envelope_.flags, kAppliedAwaited);
  ASSERT_GT(frame.size(), kFramePrologueBytes);
  FrameHeader header;
  ASSERT_EQ(decode_frame_header(frame.first<kFrameHeaderBytes>(), 4096, header), DecodeError::none);
  const auto prefix = frame.subspan<kFrameHeaderBytes, kBatchPrefixBytes>();
  const auto records = frame.subspan(kFramePrologueBytes);
  FrameHeader expected = golden_frame();
  expected.end = expected.begin + records.size();
  expected.body_bytes = static_cast<std::uint32_t>(kBatchPrefixBytes + records.size());
  expected.body_crc = crc32c(records, crc32c(prefix));
  expected.header_crc = header.header_crc;
  EXPECT_EQ(std::memcmp(&header, &expected, sizeof header), 0);
  const auto view = view_batch_prefix(prefix, records.size());
  EXPECT_TRUE(view.ok);
  EXPECT_EQ(view.record_count, 4u);
  EXPECT_EQ(view.sealed_at_ns, kGoldenSealedAt_ns);
  EXPECT_EQ(count_records(records), 4);
  EXPECT_EQ(to_hex(records), to_hex(golden_records()));
}

}  // namespace
}  // namespace quorate::wire
