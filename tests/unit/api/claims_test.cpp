// Writing records in place: claims that are published, dropped, moved, and held too long.

#include <algorithm>
#include <cstring>

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

constexpr std::uint64_t kSmallRing_bytes = 64u << 10;
constexpr std::size_t kLargest = kSmallRing_bytes / 4 - kRecordHeaderBytes;

void write(const Claim& claim, std::string_view text) {
  ASSERT_EQ(claim.bytes().size(), text.size());
  std::memcpy(claim.bytes().data(), text.data(), text.size());
}

class Claims : public BothBackends {
 protected:
  explicit Claims(std::chrono::milliseconds claim_deadline = 1h) {
    PrimaryOptions options = primary_options();
    options.replicas = {"b"};
    options.ring_bytes = kSmallRing_bytes;
    options.streams = 2;
    options.claim_deadline = claim_deadline;
    primary_ = std::make_unique<Primary>(Primary::open(options).value());
    stream_ = std::make_unique<Stream>(primary_->stream());
    b_ = std::make_unique<RunningReplica>(replica_options(*primary_, "b"));
  }

  void expect_applied(const Ticket& last, const std::vector<std::string>& texts) {
    const Outcome outcome = primary_->wait(last, sync(Level::applied), kLong).value();
    ASSERT_TRUE(outcome.released());
    EXPECT_EQ(b_->applied().texts(last.stream), texts);
  }

  std::unique_ptr<Primary> primary_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<RunningReplica> b_;
};
QUORATE_BOTH_BACKENDS(Claims);

TEST_P(Claims, ARecordWrittenInPlaceArrivesAsItWasWritten) {
  Claim claim = stream_->claim(7).value();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(claim.bytes().data()) % 8, 0u);
  write(claim, "inplace");
  const Ticket ticket = claim.publish();
  EXPECT_EQ(ticket.epoch, primary_->epoch());
  EXPECT_EQ(ticket.end, 16u) << "a header of 8 bytes and the payload padded to 8";
  expect_applied(ticket, {"inplace"});
}

TEST_P(Claims, ADroppedClaimIsNeverSeenAndPositionsCountIt) {
  const Ticket first = stream_->append("first").value();
  { Claim dropped = stream_->claim(100).value(); }
  const Ticket last = stream_->append("last").value();
  EXPECT_EQ(first.end, 16u);
  EXPECT_EQ(last.end, first.end + 8 + 104 + 16);
  expect_applied(last, {"first", "last"});
  EXPECT_TRUE(b_->applied().gapless());
}

TEST_P(Claims, AStreamOfNothingButDroppedClaimsGoesRoundTheRing) {
  for (std::uint64_t dropped_bytes = 0; dropped_bytes < 4 * kSmallRing_bytes;) {
    auto claim = stream_->claim(1000);
    if (claim) {
      dropped_bytes += 1008;
    } else {
      ASSERT_EQ(claim.error().code, Errc::busy);
      ASSERT_TRUE(stream_->wait_space(1000, kLong));
    }
  }
  const Ticket last = append_patiently(*stream_, "after the padding");
  expect_applied(last, {"after the padding"});
}

TEST_P(Claims, AMovedFromClaimDoesNothing) {
  Claim from = stream_->claim(4).value();
  write(from, "once");
  Claim to = std::move(from);
  EXPECT_EQ(from.publish(), Ticket{});
  const Ticket ticket = to.publish();
  EXPECT_EQ(to.publish(), Ticket{}) << "published already";
  EXPECT_EQ(Claim{}.publish(), Ticket{}) << "of nothing";
  expect_applied(ticket, {"once"});
}

TEST_P(Claims, AClaimThatIsAssignedAnotherIsDropped) {
  Claim claim = stream_->claim(4).value();
  write(claim, "gone");
  claim = stream_->claim(4).value();
  write(claim, "kept");
  Claim& same = claim;
  claim = std::move(same);
  expect_applied(claim.publish(), {"kept"});
}

TEST_P(Claims, APayloadMayBeEmpty) {
  const Ticket first = stream_->append("").value();
  EXPECT_EQ(first.end, kRecordHeaderBytes);
  Claim claim = stream_->claim(0).value();
  EXPECT_TRUE(claim.bytes().empty());
  claim.publish();
  Position end = 0;
  EXPECT_TRUE(stream_->try_append({}, end));
  EXPECT_EQ(end, 3 * kRecordHeaderBytes);
  expect_applied({primary_->epoch(), end, 0}, {"", "", ""});
}

TEST_P(Claims, TheLargestRecordFitsAndOneByteMoreDoesNot) {
  const std::string largest(kLargest, 'x');
  const Ticket ticket = stream_->append(largest).value();
  const auto too_large = stream_->append(std::string(kLargest + 1, 'x'));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Errc::too_large);
  EXPECT_NE(too_large.error().text.find(std::to_string(kLargest + 1)), std::string::npos);
  EXPECT_NE(too_large.error().text.find(std::to_string(kLargest)), std::string::npos);
  const auto claim = stream_->claim(std::size_t{1} << 40);
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().code, Errc::too_large);
  Position end = 0;
  const std::string larger = largest + "x";
  EXPECT_FALSE(stream_->try_append(std::as_bytes(std::span(larger)), end));
  expect_applied(ticket, {largest});
}

TEST_P(Claims, RecordsOfEverySizeArriveWhole) {
  std::vector<std::string> texts;
  Ticket last;
  for (std::size_t size = 0; size <= kLargest; size += 1 + size / 7) {
    texts.push_back(std::string(size, static_cast<char>('a' + size % 26)));
    last = append_patiently(*stream_, texts.back());
  }
  expect_applied(last, texts);
}

TEST_P(Claims, WhatIsAppendedLaterWaitsForAnOpenClaim) {
  Claim claim = stream_->claim(5).value();
  const Ticket later = stream_->append("later").value();
  EXPECT_EQ(primary_->wait(later, async(), kShort).value().kind, OutcomeKind::pending);
  const Ticket other = primary_->stream(1).append("other stream").value();
  EXPECT_TRUE(primary_->wait(other, sync(), kLong).value().released());
  write(claim, "first");
  claim.publish();
  expect_applied(later, {"first", "later"});
}

TEST_P(Claims, ManyWritersMayHoldClaimsAtOnce) {
  std::vector<Claim> claims;
  std::vector<std::string> texts;
  for (int i = 0; i < 8; ++i) claims.push_back(stream_->claim(6).value());
  Ticket last;
  for (int i = 7; i >= 0; --i) {
    write(claims[static_cast<std::size_t>(i)], "claim" + std::to_string(i));
    const Ticket ticket = claims[static_cast<std::size_t>(i)].publish();
    if (i == 7) last = ticket;
  }
  for (int i = 0; i < 8; ++i) texts.push_back("claim" + std::to_string(i));
  expect_applied(last, texts);
}

class HeldClaims : public Claims {
 protected:
  // Long enough that no writer here is ever kept from publishing for so long by other processes.
  HeldClaims() : Claims(500ms) {}

  bool becomes_fenced() {
    return eventually([&] {
      const auto ticket = stream_->append("more");
      return !ticket && ticket.error().code == Errc::fenced;
    });
  }
};
QUORATE_BOTH_BACKENDS(HeldClaims);

TEST_P(HeldClaims, AClaimHeldBeyondTheDeadlineFencesItsStreamAlone) {
  const Ticket before = stream_->append("before").value();
  ASSERT_TRUE(primary_->wait(before, sync(), kLong).value().released());
  Claim held = stream_->claim(4).value();
  const Ticket behind = stream_->append("behind").value();
  const RuleId rule = stream_->rule(sync()).value();
  std::atomic<int> calls{0};
  ASSERT_TRUE(stream_->on_released(behind, rule, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.kind, OutcomeKind::unknown);
    ++calls;
  }));
  EXPECT_EQ(stream_->wait(behind, rule).value().kind, OutcomeKind::unknown);
  EXPECT_TRUE(becomes_fenced());
  EXPECT_TRUE(eventually([&] { return calls == 1; }));
  const auto claim = stream_->claim(1);
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().code, Errc::fenced);
  EXPECT_FALSE(stream_->wait_space(1, kLong)) << "no record will fit any more";
  EXPECT_TRUE(stream_->wait(before, rule).value().released()) << "that stays true";
  const Ticket other = primary_->stream(1).append("other stream").value();
  expect_applied(other, {"other stream"});
  EXPECT_EQ(b_->applied().texts(0), std::vector<std::string>{"before"});
}

TEST_P(HeldClaims, ALatePublishChangesNothing) {
  Claim held = stream_->claim(4).value();
  const RuleId rule = stream_->rule(async()).value();
  ASSERT_TRUE(becomes_fenced());
  write(held, "late");
  const Ticket ticket = held.publish();
  EXPECT_EQ(stream_->wait(ticket, rule).value().kind, OutcomeKind::unknown);
  const Ticket other = primary_->stream(1).append("other stream").value();
  expect_applied(other, {"other stream"});
  EXPECT_EQ(stream_->wait(ticket, rule).value().kind, OutcomeKind::unknown);
  EXPECT_TRUE(b_->applied().texts(0).empty());
  primary_->close();
  const auto closed = stream_->append("x");
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::fenced) << "a fenced stream stays fenced";
}

}  // namespace
}  // namespace quorate
