// Each view function: what it accepts and where its limits lie.

#include "wire/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/unit/wire/messages.h"
#include "wire/frame.h"

namespace quorate::wire {
namespace {

using flatbuffers::FlatBufferBuilder;

/// What the builder holds, 8-aligned and padded to `size` or to the next multiple of 8.
Exact finished(FlatBufferBuilder& fbb, std::size_t size = 0) {
  std::vector<std::byte> bytes(std::max<std::size_t>(size, (fbb.GetSize() + 7) / 8 * 8));
  std::memcpy(bytes.data(), fbb.GetBufferPointer(), fbb.GetSize());
  return Exact(bytes);
}

bool accepts_hello(const std::string& cluster, const std::string& node, int role = 0,
                   std::size_t size = 0) {
  FlatBufferBuilder fbb;
  const auto c = fbb.CreateString(cluster);
  const auto n = fbb.CreateString(node);
  fbb.Finish(fb::CreateHello(fbb, c, n, static_cast<fb::Role>(role)));
  return view_hello(finished(fbb, size).bytes()) != nullptr;
}

bool accepts_goodbye(std::size_t text_bytes, int reason) {
  FlatBufferBuilder fbb;
  const auto text = fbb.CreateString(std::string(text_bytes, 't'));
  fbb.Finish(fb::CreateGoodbye(fbb, static_cast<fb::GoodbyeReason>(reason), text));
  return view_goodbye(finished(fbb).bytes()) != nullptr;
}

template <typename Struct, typename Create, typename View>
bool accepts_list(std::size_t entries, Create create, View view) {
  FlatBufferBuilder fbb;
  const auto list = fbb.CreateVectorOfStructs(std::vector<Struct>(entries));
  fbb.Finish(create(fbb, list));
  return view(finished(fbb).bytes()) != nullptr;
}

/// `streams` streams that share one list of `replicas` replicas.
bool accepts_status(std::size_t streams, std::size_t replicas, const std::string& name = "r",
                    int state = 0) {
  FlatBufferBuilder fbb;
  const auto replica =
      fb::CreateReplicaState(fbb, fbb.CreateString(name), static_cast<std::uint8_t>(state));
  const auto list = fbb.CreateVector(std::vector(replicas, replica));
  const auto stream = fb::CreateStreamState(fbb, 0, 0, 0, 0, 0, list);
  const auto all = fbb.CreateVector(std::vector(streams, stream));
  fbb.Finish(fb::CreateStatus(fbb, fbb.CreateString("a"), 0, all));
  return view_status(finished(fbb).bytes()) != nullptr;
}

TEST(Verify, ValidMessagesAreAcceptedByTheirOwnView) {
  for (const Message& message : valid_messages()) {
    const Exact body(message.body);
    EXPECT_TRUE(message.accepts(body.bytes())) << message.name;
    EXPECT_TRUE(message.read(body.bytes())) << message.name;
  }
}

TEST(Verify, NamesHaveOneTo64Bytes) {
  EXPECT_FALSE(accepts_hello("", "n"));
  EXPECT_FALSE(accepts_hello("c", ""));
  EXPECT_TRUE(accepts_hello("c", "n"));
  EXPECT_TRUE(accepts_hello(std::string(64, 'c'), std::string(64, 'n')));
  EXPECT_FALSE(accepts_hello(std::string(65, 'c'), "n"));
  EXPECT_FALSE(accepts_hello("c", std::string(65, 'n')));
  for (const std::size_t size : {0u, 1u, 64u, 65u}) {
    FlatBufferBuilder fbb;
    fbb.Finish(fb::CreateWelcome(fbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                 fbb.CreateString(std::string(size, 'n'))));
    EXPECT_EQ(view_welcome(finished(fbb).bytes()) != nullptr, size == 1 || size == 64) << size;
  }
  EXPECT_FALSE(accepts_status(1, 1, ""));
  EXPECT_TRUE(accepts_status(1, 1, std::string(64, 'r')));
  EXPECT_FALSE(accepts_status(1, 1, std::string(65, 'r')));
}

TEST(Verify, TextOfAGoodbyeHas512BytesAtMost) {
  EXPECT_TRUE(accepts_goodbye(0, 0));
  EXPECT_TRUE(accepts_goodbye(512, 0));
  EXPECT_FALSE(accepts_goodbye(513, 0));
}

TEST(Verify, EnumsAreOfTheSchema) {
  EXPECT_TRUE(accepts_hello("c", "n", 2));
  EXPECT_FALSE(accepts_hello("c", "n", 3));
  EXPECT_FALSE(accepts_hello("c", "n", 255));
  EXPECT_TRUE(accepts_goodbye(1, static_cast<int>(fb::GoodbyeReason::caught_up)));
  EXPECT_FALSE(accepts_goodbye(1, static_cast<int>(fb::GoodbyeReason::caught_up) + 1));
  EXPECT_TRUE(accepts_status(1, 1, "r", 4));
  EXPECT_FALSE(accepts_status(1, 1, "r", 5));
}

TEST(Verify, EveryVerdictOfAResumeReplyIsChecked) {
  for (const int verdict : {0, 5, 6, 255}) {
    FlatBufferBuilder fbb;
    std::vector<fb::ResumeVerdict> verdicts(3);
    verdicts[2] = fb::ResumeVerdict(0, 0, static_cast<fb::Verdict>(verdict), 0, 0);
    fbb.Finish(fb::CreateResumeReply(fbb, fbb.CreateVectorOfStructs(verdicts)));
    EXPECT_EQ(view_resume_reply(finished(fbb).bytes()) != nullptr, verdict <= 5) << verdict;
  }
}

TEST(Verify, ListsHaveAsManyEntriesAsAllowed) {
  const auto heartbeat = [](auto& fbb, auto list) { return fb::CreateHeartbeat(fbb, 0, list); };
  for (const std::size_t entries : {std::size_t{0}, kEntriesMax, kEntriesMax + 1}) {
    const bool fits = entries <= kEntriesMax;
    EXPECT_EQ(accepts_list<fb::ResumeEntry>(entries, &fb::CreateResume, view_resume), fits);
    EXPECT_EQ(accepts_list<fb::ResumeVerdict>(entries, &fb::CreateResumeReply, view_resume_reply),
              fits);
  }
  // 1,000 acknowledgements of 64 bytes.
  EXPECT_TRUE(accepts_list<fb::Acknowledgement>(kEntriesMax, &fb::CreateAcknowledgements,
                                                view_acknowledgements));
  EXPECT_FALSE(accepts_list<fb::Acknowledgement>(kEntriesMax + 1, &fb::CreateAcknowledgements,
                                                 view_acknowledgements));
  EXPECT_TRUE(accepts_list<fb::Commit>(kCommitsMax, heartbeat, view_heartbeat));
  EXPECT_FALSE(accepts_list<fb::Commit>(kCommitsMax + 1, heartbeat, view_heartbeat));
}

TEST(Verify, StatusHasAsManyStreamsAndReplicasAsAllowed) {
  EXPECT_TRUE(accepts_status(0, 0));
  EXPECT_TRUE(accepts_status(kStatusStreamsMax, kStatusReplicasMax));
  EXPECT_FALSE(accepts_status(kStatusStreamsMax + 1, 1));
  EXPECT_FALSE(accepts_status(1, kStatusReplicasMax + 1));
}

TEST(Verify, SharedTablesDoNotMultiplyTheWork) {
  // A few kilobytes that stand for a million tables.
  EXPECT_FALSE(accepts_status(1000, 1000));
}

TEST(Verify, BodyIsNoLargerThanItsTypeAllows) {
  const std::size_t limit = kBodyMax[static_cast<std::size_t>(MessageType::hello)];
  EXPECT_TRUE(accepts_hello("c", "n", 0, limit));
  EXPECT_FALSE(accepts_hello("c", "n", 0, limit + 8));
}

TEST(Verify, MissingRequiredFieldIsRefused) {
  FlatBufferBuilder fbb;
  const auto start = fbb.StartTable();
  fbb.Finish(flatbuffers::Offset<fb::Goodbye>(fbb.EndTable(start)));
  const Exact body = finished(fbb);
  EXPECT_EQ(view_goodbye(body.bytes()), nullptr);
  EXPECT_EQ(view_hello(body.bytes()), nullptr);
  EXPECT_EQ(view_resume(body.bytes()), nullptr);
  EXPECT_EQ(view_status(body.bytes()), nullptr);
  // A message without required fields may be empty.
  EXPECT_NE(view_status_request(body.bytes()), nullptr);
}

bool accepts_begin(std::uint64_t id, std::uint64_t position, std::uint64_t program,
                   std::uint64_t bytes, std::uint32_t crc, bool has_file) {
  flatbuffers::FlatBufferBuilder fbb;
  fbb.Finish(fb::CreateSnapshotBegin(fbb, 1, id, position, 1, 1, 1, program, bytes, crc, has_file));
  return view_snapshot_begin(finished(fbb).bytes()) != nullptr;
}

TEST(Verify, ASnapshotIsOfferedWithinItsLimits) {
  EXPECT_TRUE(accepts_begin(1, 104, 104, kSnapshotBytesMax, 1, true));
  EXPECT_TRUE(accepts_begin(1, 104, 104 + kFrameRecordsMax, 0, 0, true));
  EXPECT_TRUE(accepts_begin(1, 104, 104, 0, 0, false));
  EXPECT_FALSE(accepts_begin(0, 104, 104, 0, 0, true));
  EXPECT_FALSE(accepts_begin(1, 104, 104, kSnapshotBytesMax + 1, 1, true));
  EXPECT_FALSE(accepts_begin(1, 104, 96, 0, 0, true));
  EXPECT_FALSE(accepts_begin(1, 104, 112 + kFrameRecordsMax, 0, 0, true));
  EXPECT_FALSE(accepts_begin(1, 104, 104, 8, 0, false));
  EXPECT_FALSE(accepts_begin(1, 104, 104, 0, 8, false));
  EXPECT_FALSE(accepts_begin(1, 100, 104, 0, 0, true));
  EXPECT_FALSE(accepts_begin(1, 104, 108, 0, 0, true));
  EXPECT_FALSE(accepts_begin(1, 1ull << 63, 1ull << 63, 0, 0, true));
}

TEST(Verify, ASnapshotsOffsetsAreWithinItsLimits) {
  flatbuffers::FlatBufferBuilder fbb;
  fbb.Finish(fb::CreateSnapshotRequest(fbb, 1, 1, kSnapshotBytesMax));
  EXPECT_NE(view_snapshot_request(finished(fbb).bytes()), nullptr);
  fbb.Clear();
  fbb.Finish(fb::CreateSnapshotRequest(fbb, 1, 1, kSnapshotBytesMax + 1));
  EXPECT_EQ(view_snapshot_request(finished(fbb).bytes()), nullptr);
}

bool accepts_chunk(std::size_t bytes, std::uint64_t offset) {
  flatbuffers::FlatBufferBuilder fbb;
  const std::vector<std::uint8_t> content(bytes);
  fbb.Finish(fb::CreateSnapshotChunk(fbb, 1, offset, fbb.CreateVector(content)));
  return view_snapshot_chunk(finished(fbb).bytes()) != nullptr;
}

TEST(Verify, ASnapshotsPieceIsWithinItsLimits) {
  EXPECT_TRUE(accepts_chunk(1, 0));
  EXPECT_TRUE(accepts_chunk(kSnapshotChunkBytesMax, kSnapshotBytesMax));
  EXPECT_FALSE(accepts_chunk(0, 0));
  EXPECT_FALSE(accepts_chunk(kSnapshotChunkBytesMax + 1, 0));
  EXPECT_FALSE(accepts_chunk(1, kSnapshotBytesMax + 1));
}

}  // namespace
}  // namespace quorate::wire
