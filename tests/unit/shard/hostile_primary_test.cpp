// A primary that means harm, and offers snapshots to a replica.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shard/snapshot_files.h"
#include "tests/unit/shard/hostile_rig.h"
#include "transport/codec.h"
#include "wire/limits.h"

namespace quorate::shard {
namespace {

using core::SnapshotHead;
using core::Verdict;
using wire::MessageType;

constexpr std::size_t kPiece = 60'000;

/// Sanitizers keep what was freed, so memory says nothing under them.
#ifdef QUORATE_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Of this process.
std::uint64_t resident_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages << 12;
}

class HostilePrimaryTest : public AfterAnHonestPrimary {
 protected:
  /// Of a file of that size.
  [[nodiscard]] std::span<const std::byte> piece_at(std::uint64_t offset,
                                                    std::uint64_t size) const {
    return std::span(bytes()).subspan(offset, std::min<std::uint64_t>(kPiece, size - offset));
  }
};
INSTANTIATE_TEST_SUITE_P(On, HostilePrimaryTest,
                         testing::Values(Backend::io_uring, Backend::epoll),
                         [](const testing::TestParamInfo<Backend>& backend) {
                           return backend.param == Backend::epoll ? "epoll" : "io_uring";
                         });

TEST_P(HostilePrimaryTest, AHeadThatLiesIsRefused) {
  struct Lie {
    const char* what;
    const char* answer;
    std::function<void(SnapshotHead&)> tell;
  };
  constexpr auto kViolation = "protocol_violation";
  constexpr auto kBad = "bad_frame";
  const Position held = end_;
  const std::vector<Lie> lies = {
      {"2^63 bytes", kBad, [](SnapshotHead& head) { head.bytes = 1ull << 63; }},
      {"2^62 bytes", kBad, [](SnapshotHead& head) { head.bytes = 1ull << 62; }},
      {"a byte too many", kBad, [](SnapshotHead& h) { h.bytes = wire::kSnapshotBytesMax + 1; }},
      {"bytes of no file", kBad, [](SnapshotHead& head) { head.has_file = false; }},
      {"no id", kBad, [](SnapshotHead& head) { head.id = 0; }},
      {"an uneven position", kBad, [](SnapshotHead& head) { head.program = ++head.position; }},
      {"a program behind", kBad, [](SnapshotHead& head) { head.program -= 8; }},
      {"a program far away", kBad, [](SnapshotHead& head) { head.program += 1ull << 40; }},
      {"2^63", kBad, [](SnapshotHead& head) { head.program = head.position = 1ull << 63; }},
      {"the end of numbers", kBad, [](SnapshotHead& h) { h.program = h.position = ~7ull; }},
      {"another stream", kViolation, [](SnapshotHead& head) { head.stream = 1; }},
      {"no such stream", kViolation, [](SnapshotHead& head) { head.stream = ~0u; }},
      {"position 0", kViolation, [](SnapshotHead& head) { head.program = head.position = 0; }},
      {"what is held", kViolation, [=](SnapshotHead& h) { h.program = h.position = held; }},
      {"before what is held", kViolation,
       [=](SnapshotHead& head) { head.program = head.position = held - 8; }},
      {"an epoch to come", kViolation, [](SnapshotHead& head) { ++head.epoch.number; }},
      {"no epoch", kViolation, [](SnapshotHead& head) { head.epoch = {}; }},
  };
  HostilePrimary& hostile = begin_hostile();
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.what);
    SnapshotHead head = good_head();
    lie.tell(head);
    HostileSession session = hostile.catch_up(good_head().position);
    session.say_verdict(Verdict::snapshot, head.position);
    session.say_begin(head);
    expect_refused(std::move(session), lie.answer);
  }
  EXPECT_EQ(snapshot_files().count, 0u);
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, AnotherPositionThanPromisedIsRefused) {
  HostilePrimary& hostile = begin_hostile();
  for (const std::int64_t off : {-8, 8}) {
    HostileSession session = hostile.catch_up(good_head().position);
    session.say_verdict(Verdict::snapshot, good_head().position + static_cast<Position>(off));
    session.say_begin(good_head());
    expect_refused(std::move(session), "protocol_violation");
  }
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, WhatIsOutOfTurnIsRefused) {
  HostilePrimary& hostile = begin_hostile();
  const SnapshotHead head = good_head();
  const std::span<const std::byte> piece = std::span(bytes()).first(100);
  {
    HostileSession session = hostile.catch_up(head.position);
    session.say_begin(head);
    SCOPED_TRACE("a head without a verdict");
    expect_refused(std::move(session), "protocol_violation");
  }
  {
    HostileSession session = promised(head.position);
    session.say_chunk(head.id, 0, piece);
    SCOPED_TRACE("a piece before the head");
    expect_refused(std::move(session), "protocol_violation");
  }
  for (const std::uint64_t id : {head.id, head.id + 1}) {
    HostileSession session = asked(head);
    SnapshotHead other = head;
    other.id = id;
    session.say_begin(other);
    SCOPED_TRACE("two heads");
    expect_refused(std::move(session), "protocol_violation");
  }
  for (const MessageType type :
       {MessageType::hello, MessageType::welcome, MessageType::snapshot_request,
        MessageType::acknowledgements}) {
    HostileSession session = asked(head);
    session.say(type, transport::Encoder().snapshot_request({0, head.id, 0}));
    SCOPED_TRACE("what a primary does not say");
    expect_refused(std::move(session), "protocol_violation");
  }
  EXPECT_LE(snapshot_files().count, 2u);
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, WhatIsNoTableIsRefused) {
  HostilePrimary& hostile = begin_hostile();
  const SnapshotHead head = good_head();
  for (const MessageType type :
       {MessageType::resume_reply, MessageType::snapshot_begin, MessageType::snapshot_chunk}) {
    for (const std::size_t size : {0u, 8u, 64u, 4096u}) {
      HostileSession session = type == MessageType::resume_reply
                                   ? hostile.catch_up(head.position)
                               : type == MessageType::snapshot_begin ? promised(head.position)
                                                                     : asked(head);
      session.say(type, test::Bytes(size, std::byte{0xFF}));
      SCOPED_TRACE(std::to_string(static_cast<int>(type)) + " of " + std::to_string(size));
      expect_refused(std::move(session), "bad_frame");
    }
  }
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, PiecesThatWereNotAskedForAreRefused) {
  struct Lie {
    const char* what;
    const char* answer;
    std::uint64_t id;
    std::uint64_t offset;
    std::size_t bytes;
  };
  constexpr auto kViolation = "protocol_violation";
  constexpr auto kBad = "bad_frame";
  constexpr std::size_t kMost = wire::kSnapshotChunkBytesMax;
  begin_hostile();
  const SnapshotHead head = good_head();
  // Each comes behind a piece of 1000 bytes that was asked for.
  const std::vector<Lie> lies = {
      {"of another offer", kViolation, head.id + 1, 1000, 1000},
      {"again", kViolation, head.id, 0, 1000},
      {"overlapping", kViolation, head.id, 999, 1000},
      {"a gap", kViolation, head.id, 1001, 1000},
      {"out of order", kViolation, head.id, 2000, 1000},
      {"at the end", kViolation, head.id, head.bytes, 1000},
      {"far behind the end", kViolation, head.id, 1ull << 48, 1000},
      {"beyond all limits", kBad, head.id, 1ull << 63, 1000},
      {"an end that wraps", kBad, head.id, ~std::uint64_t{0} - 99, 1000},
      {"empty", kBad, head.id, 1000, 0},
      {"too large", kBad, head.id, 1000, kMost + 1},
  };
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.what);
    HostileSession session = asked(head);
    session.say_chunk(head.id, 0, std::span(bytes()).first(1000));
    session.say_chunk(lie.id, lie.offset, std::span(bytes()).first(lie.bytes));
    expect_refused(std::move(session), lie.answer);
    EXPECT_LE(snapshot_files().bytes, head.bytes);
  }
  HostileSession session = asked(head);
  std::uint64_t at = 0;
  for (; at + kMost < head.bytes; at += kMost) {
    session.say_chunk(head.id, at, std::span(bytes()).subspan(at, kMost));
  }
  session.say_chunk(head.id, at, std::span(bytes()).first(head.bytes - at + 8));
  SCOPED_TRACE("past the end");
  expect_refused(std::move(session), kViolation);
  EXPECT_LE(snapshot_files().bytes, head.bytes);
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, AFileThatIsNotWhatTheHeadSaysIsNotInstalled) {
  begin_hostile();
  SnapshotHead head = good_head();
  head.crc ^= 1;
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, head.bytes}) {
    SCOPED_TRACE(size);
    ++head.id;
    head.bytes = size;
    HostileSession session = size > 0 ? asked(head) : promised(head.position);
    if (size == 0) session.say_begin(head);
    for (std::uint64_t at = 0; at < size; at += kPiece) {
      session.say_chunk(head.id, at, piece_at(at, size));
    }
    expect_refused(std::move(session), "");
    EXPECT_TRUE(eventually([&] { return snapshot_files().count == 0; }));
  }
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, PiecesWithoutEndAreNoMoreThanWasAnnounced) {
  HostilePrimary& hostile = begin_hostile();
  SnapshotHead head = good_head();
  head.crc ^= 1;
  {
    HostileSession session = asked(head);
    bool takes = true;
    for (std::uint64_t at = 0; takes && !session.closed(); at += kPiece) {
      takes = session.say_chunk(head.id, at, piece_at(at % (4 * kPiece), head.bytes));
      ASSERT_LE(snapshot_files().bytes, head.bytes);
    }
  }
  expect_held(hostile.claim());
  EXPECT_LE(snapshot_files().bytes, head.bytes);
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, WhatIsAnnouncedTakesNoSpaceBeforeItComes) {
  begin_hostile();
  SnapshotHead head = good_head();
  head.bytes = wire::kSnapshotBytesMax;
  HostileSession session = asked(head);
  EXPECT_EQ(snapshot_files().bytes, 0u);
  const std::uint64_t before_bytes = resident_bytes();
  constexpr std::size_t kMost = wire::kSnapshotChunkBytesMax;
  std::uint64_t at = 0;
  for (; at < 16u << 20; at += kMost) {
    ASSERT_TRUE(session.say_chunk(head.id, at, std::span(bytes()).first(kMost)));
    ASSERT_LE(snapshot_files().bytes, at + kMost);
  }
  EXPECT_TRUE(eventually([&] { return snapshot_files().bytes > at - 8 * kMost; }));
  EXPECT_TRUE(kSanitized || resident_bytes() < before_bytes + (8u << 20));
  session.say_chunk(head.id, 0, std::span(bytes()).first(8));
  expect_refused(std::move(session), "protocol_violation");
  expect_unharmed();
  EXPECT_TRUE(eventually([&] { return snapshot_files().count == 0; }))
      << "the space of what nobody offers any more";
}

TEST_P(HostilePrimaryTest, OfferAfterOfferLeavesOneFile) {
  begin_hostile();
  SnapshotHead head = good_head();
  for (int i = 0; i < 20; ++i) {
    ++head.id;
    head.bytes = bytes().size() + static_cast<std::uint64_t>(i);
    HostileSession session = asked(head);
    for (std::uint64_t at = 0; at < 4 * kPiece; at += kPiece) {
      session.say_chunk(head.id, at, piece_at(at, head.bytes));
    }
    session.say_chunk(head.id, 0, std::span(bytes()).first(8));
    expect_refused(std::move(session), "protocol_violation");
    EXPECT_LE(snapshot_files().count, 2u);
    EXPECT_LE(snapshot_files().bytes, head.bytes);
  }
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, ACutInEachMessageHarmsNothing) {
  HostilePrimary& hostile = begin_hostile();
  const SnapshotHead head = good_head();
  transport::Encoder encoder;
  const auto keep = [](std::span<const std::byte> body) {
    return test::Bytes(body.begin(), body.end());
  };
  const core::ResumeVerdict verdict{0, Verdict::snapshot, head.position};
  std::vector<std::pair<MessageType, test::Bytes>> script;
  script.emplace_back(MessageType::resume_reply, keep(encoder.resume_reply({&verdict, 1})));
  script.emplace_back(MessageType::snapshot_begin, keep(encoder.snapshot_begin(head)));
  for (std::uint64_t at = 0; at + kPiece < head.bytes; at += kPiece) {
    const auto piece = std::span(bytes()).subspan(at, kPiece);
    script.emplace_back(MessageType::snapshot_chunk,
                        keep(encoder.snapshot_chunk(head.id, at, piece)));
  }
  const core::SnapshotRequest kNothing{0, 0, 1};
  for (std::size_t cut = 0; cut <= script.size(); ++cut) {
    for (const std::size_t bytes_of_it : {0u, 1u, 64u, 100u}) {
      SCOPED_TRACE("cut in message " + std::to_string(cut));
      {
        HostileSession session = hostile.catch_up(head.position);
        for (std::size_t i = 0; i < cut; ++i) {
          // Of what was written before, or with the rest of that in the way, it is cut here.
          if (i == 2 && session.hear_request().value_or(kNothing).offset != 0) break;
          session.say(script[i].first, script[i].second);
        }
        if (cut < script.size()) {
          session.say_some(script[cut].first, script[cut].second, bytes_of_it);
        }
      }
      expect_held(hostile.claim());
    }
  }
  // And the live connection as well.
  hostile.live().say_some(MessageType::resume_reply, script[0].second, 70);
  hostile.disconnect();
  hostile.meet_again();
  expect_held(hostile.claim());
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, ASnapshotOverTheLiveConnectionIsRefused) {
  HostilePrimary& hostile = begin_hostile();
  for (const bool begins : {true, false}) {
    if (begins) {
      hostile.live().say_begin(good_head());
    } else {
      hostile.live().say_chunk(99, 0, std::span(bytes()).first(100));
    }
    EXPECT_EQ(hostile.live().until_closed(), "protocol_violation");
    hostile.disconnect();
    hostile.meet_again();
    expect_held(hostile.claim());
  }
  expect_unharmed();
}

TEST_P(HostilePrimaryTest, TheIdOfTheSnapshotThatTheLogBeganWithIsNotTakenAgain) {
  take_honest_snapshot();
  const auto before = snapshot_files();
  ASSERT_EQ(before.count, 2u);
  std::uint64_t id = 0;
  for (const auto& entry : std::filesystem::directory_iterator(stream_directory())) {
    id = std::max(id, snapshot_id(entry.path().filename().string()));
  }
  begin_hostile();
  SnapshotHead head = good_head();
  head.id = id;
  HostileSession session = promised(head.position);
  session.say_begin(head);
  expect_refused(std::move(session), "protocol_violation");
  EXPECT_EQ(snapshot_files().count, before.count);
  EXPECT_EQ(snapshot_files().bytes, before.bytes);
  expect_unharmed();
  // A program that has lost its state is given it as before.
  follower_.reset();
  ReplicaOptions options = replica_options();
  options.resume_after.clear();
  Follower again(std::move(options));
  EXPECT_TRUE(eventually([&] { return again.end() == end_; }));
  EXPECT_EQ(again.installed().size(), 1u);
}

}  // namespace
}  // namespace quorate::shard
