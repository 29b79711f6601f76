// Every message survives the way through the schema, up to its limits.

#include <gtest/gtest.h>

#include <limits>

#include "transport/codec.h"
#include "wire/verify.h"

namespace quorate::transport {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::size_t limit(wire::MessageType type) { return wire::kBodyMax[static_cast<std::size_t>(type)]; }

TEST(Codec, Hello) {
  Encoder encoder;
  const core::Hello hello{std::string(wire::kNameBytesMax, 'c'),
                          "n",
                          core::Role::client,
                          1,
                          65535,
                          kHuge,
                          7,
                          kHuge - 1,
                          250,
                          kHuge - 2};
  const auto body = encoder.hello(hello);
  EXPECT_LE(body.size(), limit(wire::MessageType::hello));
  EXPECT_EQ(body.size() % 8, 0u);
  core::Hello out;
  ASSERT_TRUE(decode_hello(body, out));
  EXPECT_EQ(out.cluster, hello.cluster);
  EXPECT_EQ(out.node, hello.node);
  EXPECT_EQ(out.role, hello.role);
  EXPECT_EQ(out.version_min, hello.version_min);
  EXPECT_EQ(out.version_max, hello.version_max);
  EXPECT_EQ(out.capabilities, hello.capabilities);
  EXPECT_EQ(out.loop, hello.loop);
  EXPECT_EQ(out.incarnation, hello.incarnation);
  EXPECT_EQ(out.heartbeat_ms, hello.heartbeat_ms);
  EXPECT_EQ(out.ring_bytes, hello.ring_bytes);
}

TEST(Codec, NamesAreNeitherEmptyNorLong) {
  Encoder encoder;
  core::Hello out;
  core::Hello hello;
  hello.cluster = "c";
  EXPECT_FALSE(decode_hello(encoder.hello(hello), out));
  hello.node = std::string(wire::kNameBytesMax + 1, 'n');
  EXPECT_FALSE(decode_hello(encoder.hello(hello), out));
  hello.node = "n";
  EXPECT_TRUE(decode_hello(encoder.hello(hello), out));
  hello.role = core::Role{3};
  EXPECT_FALSE(decode_hello(encoder.hello(hello), out));
}

TEST(Codec, Welcome) {
  Encoder encoder;
  const core::Welcome welcome{1, 2, kHuge, {4, 5}, 6, 7, 8, 9, 10, 11, "primary"};
  core::Welcome out;
  ASSERT_TRUE(decode_welcome(encoder.welcome(welcome), out));
  EXPECT_EQ(out.session, 1u);
  EXPECT_EQ(out.version, 2u);
  EXPECT_EQ(out.capabilities, kHuge);
  EXPECT_EQ(out.epoch, (Epoch{4, 5}));
  EXPECT_EQ(out.loops, 6u);
  EXPECT_EQ(out.streams, 7u);
  EXPECT_EQ(out.ring_bytes, 8u);
  EXPECT_EQ(out.frame_bytes_max, 9u);
  EXPECT_EQ(out.heartbeat_ms, 10u);
  EXPECT_EQ(out.peer_timeout_ms, 11u);
  EXPECT_EQ(out.node, "primary");
}

TEST(Codec, ResumeUpToItsLimit) {
  Encoder encoder;
  std::vector<core::ResumeClaim> claims;
  for (std::uint32_t i = 0; i < kEntriesPerMessage; ++i) {
    claims.push_back({i, {i + 1, i + 2}, kHuge - i, i + 4, i + 5, i + 6, i + 7, i + 8});
  }
  const auto body = encoder.resume(claims);
  EXPECT_LE(body.size(), limit(wire::MessageType::resume));
  std::vector<core::ResumeClaim> out(3);
  ASSERT_TRUE(decode_resume(body, out));
  ASSERT_EQ(out.size(), claims.size());
  EXPECT_EQ(out[9].stream, 9u);
  EXPECT_EQ(out[9].epoch, (Epoch{10, 11}));
  EXPECT_EQ(out[9].position, kHuge - 9);
  EXPECT_EQ(out[9].checksum, 13u);
  EXPECT_EQ(out[9].incarnation, 14u);
  EXPECT_EQ(out[9].credit_limit, 15u);
  EXPECT_EQ(out[9].frames, 16u);
  EXPECT_EQ(out[9].frame_limit, 17u);
  claims.push_back({});
  EXPECT_FALSE(decode_resume(encoder.resume(claims), out));
  ASSERT_TRUE(decode_resume(encoder.resume({}), out));
  EXPECT_TRUE(out.empty());
}

TEST(Codec, ResumeReplyUpToItsLimit) {
  Encoder encoder;
  std::vector<core::ResumeVerdict> verdicts(kEntriesPerMessage,
                                            {3, core::Verdict::needs_full_copy, kHuge});
  const auto body = encoder.resume_reply(verdicts);
  EXPECT_LE(body.size(), limit(wire::MessageType::resume_reply));
  std::vector<core::ResumeVerdict> out;
  ASSERT_TRUE(decode_resume_reply(body, out));
  ASSERT_EQ(out.size(), kEntriesPerMessage);
  EXPECT_EQ(out[999].stream, 3u);
  EXPECT_EQ(out[999].verdict, core::Verdict::needs_full_copy);
  EXPECT_EQ(out[999].position, kHuge);
  verdicts[500].verdict = core::Verdict{6};
  EXPECT_FALSE(decode_resume_reply(encoder.resume_reply(verdicts), out));
  verdicts[500].verdict = core::Verdict::resumed;
  verdicts.push_back({});
  EXPECT_FALSE(decode_resume_reply(encoder.resume_reply(verdicts), out));
}

TEST(Codec, AcknowledgementsUpToTheirLimit) {
  Encoder encoder;
  std::vector<core::Acknowledgement> acks;
  for (std::uint32_t i = 0; i < kEntriesPerMessage; ++i) {
    acks.push_back({i, {i + 1, i + 2}, i + 3, kHuge - i, i + 5, i + 6, i + 7, i + 8});
  }
  const auto body = encoder.acknowledgements(acks);
  EXPECT_LE(body.size(), limit(wire::MessageType::acknowledgements));
  std::vector<core::Acknowledgement> out;
  ASSERT_TRUE(decode_acknowledgements(body, out));
  ASSERT_EQ(out.size(), acks.size());
  EXPECT_EQ(out[8].stream, 8u);
  EXPECT_EQ(out[8].epoch, (Epoch{9, 10}));
  EXPECT_EQ(out[8].incarnation, 11u);
  EXPECT_EQ(out[8].received, kHuge - 8);
  EXPECT_EQ(out[8].durable, 13u);
  EXPECT_EQ(out[8].applied, 14u);
  EXPECT_EQ(out[8].credit_limit, 15u);
  EXPECT_EQ(out[8].frame_limit, 16u);
  acks.push_back({});
  EXPECT_FALSE(decode_acknowledgements(encoder.acknowledgements(acks), out));
}

TEST(Codec, HeartbeatUpToItsLimit) {
  Encoder encoder;
  std::vector<core::Commit> commits(wire::kCommitsMax, {5, kHuge});
  std::vector<core::Commit> out;
  for (const bool awaited : {true, false}) {
    const auto body = encoder.heartbeat(1, commits, awaited);
    EXPECT_LE(body.size(), limit(wire::MessageType::heartbeat));
    bool read = !awaited;
    ASSERT_TRUE(decode_heartbeat(body, out, read));
    EXPECT_EQ(read, awaited);
    ASSERT_EQ(out.size(), wire::kCommitsMax);
    EXPECT_EQ(out[1].stream, 5u);
    EXPECT_EQ(out[1].committed, kHuge);
  }
  commits.push_back({});
  bool read = false;
  EXPECT_FALSE(decode_heartbeat(encoder.heartbeat(1, commits, true), out, read));
}

TEST(Codec, StatusRequest) {
  Encoder encoder;
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
  ASSERT_TRUE(decode_status_request(encoder.status_request(3, ~0u), begin, count));
  EXPECT_EQ(begin, 3u);
  EXPECT_EQ(count, ~0u);
}

TEST(Codec, StatusAnswersAreAppended) {
  Encoder encoder;
  StreamStatus stream;
  stream.stream = 9;
  stream.epoch = {1, 2};
  stream.appended = 30;
  stream.committed = 20;
  stream.replicas.push_back(
      {"b", ReplicaStatus::State::needs_full_copy, 1, 2, 3, 4, 5, 1.5});
  std::vector<StreamStatus> out;
  std::uint32_t total = 0;
  ASSERT_TRUE(decode_status(encoder.status("p", 12, std::vector{stream, stream}), total, out));
  ASSERT_TRUE(decode_status(encoder.status("p", 12, std::vector{stream}), total, out));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(total, 12u);
  EXPECT_EQ(out[2].stream, 9u);
  EXPECT_EQ(out[2].epoch, (Epoch{1, 2}));
  EXPECT_EQ(out[2].appended, 30u);
  EXPECT_EQ(out[2].committed, 20u);
  const ReplicaStatus& replica = out[2].replicas.at(0);
  EXPECT_EQ(replica.name, "b");
  EXPECT_EQ(replica.state, ReplicaStatus::State::needs_full_copy);
  EXPECT_EQ(replica.sent, 1u);
  EXPECT_EQ(replica.received, 2u);
  EXPECT_EQ(replica.durable, 3u);
  EXPECT_EQ(replica.applied, 4u);
  EXPECT_EQ(replica.lag_bytes, 5u);
  EXPECT_DOUBLE_EQ(replica.lag_seconds, 1.5);
  stream.replicas[0].state = ReplicaStatus::State{5};
  EXPECT_FALSE(decode_status(encoder.status("p", 12, std::vector{stream}), total, out));
}

TEST(Codec, GoodbyeClipsItsText) {
  core::Goodbye out;
  ASSERT_TRUE(decode_goodbye(
      encode_goodbye(core::GoodbyeReason::internal, std::string(5000, 't')), out));
  EXPECT_EQ(out.reason, core::GoodbyeReason::internal);
  EXPECT_EQ(out.text, std::string(wire::kTextBytesMax, 't'));
  EXPECT_FALSE(decode_goodbye(encode_goodbye(core::GoodbyeReason{15}, "new"), out));
}

TEST(Codec, FrameInfoNamesTheFrameByItsHeader) {
  wire::FrameHeader header;
  header.stream = 1;
  header.epoch_number = 2;
  header.epoch_incarnation = 3;
  header.begin = 8;
  header.end = 16;
  header.previous_epoch_number = 4;
  header.previous_epoch_incarnation = 5;
  header.previous_checksum = 6;
  header.body_crc = 7;
  header.header_crc = 9;
  const core::FrameInfo info = frame_info(header);
  EXPECT_EQ(info.stream, 1u);
  EXPECT_EQ(info.epoch, (Epoch{2, 3}));
  EXPECT_EQ(info.begin, 8u);
  EXPECT_EQ(info.end, 16u);
  EXPECT_EQ(info.previous_epoch, (Epoch{4, 5}));
  EXPECT_EQ(info.previous_checksum, 6u);
  EXPECT_EQ(info.checksum, 9u);
}

}  // namespace
}  // namespace quorate::transport
