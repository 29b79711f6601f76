// What a replica copies for its program and what it shows of that, with a real log behind it.

#include "shard/program_feed.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "feed_rig.h"
#include "log/segment_maker.h"

namespace quorate::shard {
namespace {

constexpr std::uint64_t kRing = FeedRig::kRing;

class Feeding : public testing::Test {
 protected:
  [[nodiscard]] const ProgramFeed& program() const noexcept { return *rig_.program; }

  FeedRig rig_;
};

TEST_F(Feeding, RecordsComeInOrderWhileTheRingsWrapManyTimes) {
  rig_.open(0);
  Position before = 0;
  for (int i = 0; rig_.received() < 20 * kRing; ++i) {
    const Position end = rig_.receive(1 + i % 5, 8 + 8 * static_cast<std::uint64_t>(i * 7 % 25));
    rig_.feed(before);
    rig_.read(program().shown());
    ASSERT_EQ(program().shown(), before);
    before = end;
  }
  EXPECT_EQ(rig_.woken, 0) << "nothing was read from the log";
}

TEST_F(Feeding, WhatMayNotBeSeenYetIsCopiedAheadAndNotShown) {
  rig_.open(0);
  const Position visible = rig_.receive(4, 64);
  const Position all = rig_.receive(4, 64);
  EXPECT_TRUE(rig_.feed(visible));
  EXPECT_EQ(program().shown(), visible);
  EXPECT_EQ(program().copied(), all);
  EXPECT_FALSE(rig_.feed(visible)) << "nothing new";
  EXPECT_EQ(program().shown(), visible);
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, WhatWasCopiedIsNotLookedForInTheRingAgain) {
  rig_.open(0);
  const Position all = rig_.receive(8, 64);
  rig_.feed(0);
  EXPECT_EQ(program().copied(), all);
  rig_.empty_ring();
  EXPECT_EQ(program().floor(), all);
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, WhereTheRoomEndsWithinARecordTheWholeOnesAreShown) {
  rig_.open(0);
  rig_.receive(4, 1000);
  rig_.feed(4000);
  EXPECT_FALSE(program().full());
  const Position all = rig_.receive(1, 1000);
  EXPECT_FALSE(rig_.feed(all));
  EXPECT_EQ(program().copied(), kRing) << "as far as there is room";
  EXPECT_EQ(program().shown(), 4000u);
  EXPECT_TRUE(program().full());
  rig_.read(2000);
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
  EXPECT_FALSE(program().full());
}

TEST_F(Feeding, AProgramThatReadsAPartIsShownAsMuchMore) {
  rig_.open(0);
  rig_.feed(rig_.receive(8, 512));
  const Position all = rig_.receive(4, 512);
  EXPECT_FALSE(rig_.feed(all)) << "the program has read nothing";
  for (Position read = 512; read + kRing <= all; read += 512) {
    rig_.read(read);
    EXPECT_TRUE(rig_.feed(all));
    EXPECT_EQ(program().shown(), read + kRing);
    EXPECT_EQ(program().full(), read + kRing < all);
  }
}

TEST_F(Feeding, WhatTheRingLostComesFromTheLogAndThenTheRingGoesOn) {
  rig_.open(0);
  for (int i = 0; i < 4; ++i) rig_.feed(rig_.receive(4, 256));
  for (int i = 0; i < 8; ++i) rig_.receive(4, 256);
  const Position all = rig_.received();
  EXPECT_EQ(program().shown(), kRing);
  EXPECT_EQ(program().floor(), all - kRing);
  rig_.store();
  rig_.read(kRing);
  EXPECT_FALSE(rig_.feed(all));
  EXPECT_FALSE(program().idle()) << "it reads";
  EXPECT_EQ(rig_.woken, 0);
  rig_.settle();
  EXPECT_EQ(rig_.woken, 1);
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), 2 * kRing);
  rig_.read(2 * kRing);
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
  EXPECT_EQ(rig_.woken, 1);
}

TEST_F(Feeding, TheLogGoesOnWithinTheRecordInWhichTheRoomEnded) {
  rig_.open(0);
  rig_.feed(rig_.receive(3, 1000));
  rig_.feed(rig_.receive(3, 1000));
  EXPECT_EQ(program().copied(), kRing);
  EXPECT_EQ(program().shown(), 4000u);
  const Position all = rig_.receive(3, 1000);
  ASSERT_GT(program().floor(), program().copied());
  rig_.store();
  rig_.read(4000);
  EXPECT_FALSE(rig_.feed(all));
  rig_.settle();
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().copied(), 4000 + kRing) << "the log's second frame, then the ring";
  EXPECT_EQ(program().shown(), 8000u);
  rig_.drain(all);
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, OfTheLogOnlyWhatMayBeSeenIsCopied) {
  for (int i = 0; i < 3; ++i) rig_.receive(4, 256);
  rig_.open(0);
  rig_.drain(1024);
  EXPECT_EQ(program().shown(), 1024u);
  EXPECT_EQ(program().copied(), 1024u);
  rig_.drain(3072);
  EXPECT_EQ(program().shown(), 3072u);
}

TEST_F(Feeding, AHistoryLongerThanAReadersBuffersIsReadThroughToItsEnd) {
  for (int i = 0; rig_.received() < 3u << 20; ++i) {
    rig_.receive(1 + i % 4, 960 + 8 * static_cast<std::uint64_t>(i % 9));
  }
  const Position all = rig_.received();
  rig_.open(0);
  rig_.drain(all);
  EXPECT_EQ(program().shown(), all);
  EXPECT_EQ(program().failure(), "");
  EXPECT_TRUE(rig_.feed(rig_.receive(1, 64))) << "what comes now is in the ring";
}

TEST_F(Feeding, WhileItReadsTheLogAProgramWithHalfOfTheRoomToReadIsSlow) {
  rig_.open(0);
  rig_.feed(rig_.receive(3, 1000));
  for (int i = 0; i < 5; ++i) rig_.receive(1, 1000);
  rig_.store();
  rig_.feed(4000);
  EXPECT_TRUE(program().full()) << "though there is room for what may be seen";
  rig_.read(1000);
  rig_.feed(4000);
  EXPECT_FALSE(program().full());
  rig_.drain(4000);
  EXPECT_EQ(program().shown(), 4000u);
}

TEST_F(Feeding, AfterACutTheOtherRecordsAreShown) {
  rig_.open(0);
  const Position visible = rig_.receive(4, 64);
  rig_.receive(4, 64);
  const Position copied = rig_.receive(4, 64);
  rig_.feed(visible);
  ASSERT_EQ(program().copied(), copied);
  rig_.cut(visible);
  const Position other = rig_.receive(2, 72);
  EXPECT_EQ(program().copied(), visible);
  EXPECT_TRUE(rig_.feed(other));
  EXPECT_EQ(program().shown(), other);
}

TEST_F(Feeding, WhatTheRingHeldWhenItWasGivenBackComesFromTheLog) {
  rig_.open(0);
  rig_.feed(rig_.receive(4, 64));
  const Position all = rig_.receive(4, 64);
  rig_.store();
  rig_.empty_ring();
  EXPECT_EQ(program().floor(), all);
  EXPECT_FALSE(rig_.feed(all));
  rig_.drain(all);
  EXPECT_EQ(program().shown(), all);
  const Position more = rig_.receive(4, 64);
  EXPECT_TRUE(rig_.feed(more)) << "what comes now is in the ring";
}

TEST_F(Feeding, AProgramGoesOnBehindWhatItHasSeenInEarlierLives) {
  for (int i = 0; i < 4; ++i) rig_.receive(4, 64);
  rig_.open(320);
  rig_.drain(1024);
  EXPECT_EQ(program().shown(), 1024u);
  EXPECT_EQ(program().failure(), "");
}

TEST_F(Feeding, AProgramThatWasAheadGoesOnWithWhatComesBehind) {
  rig_.open(128);
  EXPECT_FALSE(rig_.feed(0));
  const Position all = rig_.receive(4, 64);
  EXPECT_FALSE(rig_.feed(64)) << "it has seen that";
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), 256u);
}

TEST_F(Feeding, WhereNoRecordEndsNoProgramGoesOn) {
  for (int i = 0; i < 4; ++i) rig_.receive(4, 64);
  rig_.open(328);
  rig_.drain(1024);
  EXPECT_EQ(program().shown(), 328u);
  EXPECT_NE(program().failure().find("no record ends at position 328"), std::string::npos)
      << program().failure();
}

TEST_F(Feeding, WhereNoRecordOfThoseThatComeEndsNoProgramGoesOn) {
  rig_.open(136);
  EXPECT_FALSE(rig_.feed(rig_.receive(4, 64)));
  EXPECT_EQ(program().copied(), 136u);
  EXPECT_NE(program().failure().find("no record ends at position 136"), std::string::npos)
      << program().failure();
}

TEST_F(Feeding, WhatTheLogNoLongerHasIsAFailure) {
  rig_.receive(4, 64);
  rig_.store();
  const Position first = rig_.begin_log_anew(1024);
  rig_.open(64);
  EXPECT_FALSE(rig_.feed(first));
  EXPECT_EQ(program().failure(), "position 64 is wanted, the log holds what follows " +
                                     std::to_string(first));
}

TEST_F(Feeding, AFileThatIsGoneIsAFailure) {
  const Position all = rig_.receive(4, 64);
  rig_.open(0);
  ASSERT_TRUE(std::filesystem::remove(log::segment_path(rig_.directory(), 1)));
  rig_.drain(all);
  EXPECT_EQ(program().shown(), 0u);
  EXPECT_NE(program().failure().find("segment-"), std::string::npos) << program().failure();
  const Position more = rig_.receive(4, 64);
  rig_.store();
  EXPECT_FALSE(rig_.feed(more)) << "nothing is left out";
}

TEST_F(Feeding, WhileItIsHeldNothingIsShown) {
  rig_.open(0);
  const Position shown = rig_.receive(4, 64);
  rig_.feed(shown);
  rig_.hold(shown);
  const Position all = rig_.receive(4, 64);
  EXPECT_FALSE(rig_.feed(all));
  EXPECT_TRUE(program().full());
  EXPECT_EQ(program().copied(), shown);
  rig_.program->go_on();
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, BehindASnapshotTheProgramGoesOnWithWhatFollows) {
  rig_.open(0);
  rig_.feed(rig_.receive(4, 64));
  const Position snapshot = rig_.receive(4, 64) + 64;
  rig_.hold(snapshot);
  EXPECT_EQ(program().shown(), snapshot);
  const Position all = rig_.receive(4, 64);
  EXPECT_FALSE(rig_.feed(all));
  rig_.program->go_on();
  EXPECT_TRUE(rig_.feed(all));
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, ASnapshotOfWhereNoRecordEndsIsAFailure) {
  rig_.open(0);
  rig_.feed(rig_.receive(4, 64));
  rig_.hold(328);
  rig_.receive(4, 64);
  EXPECT_NE(program().failure().find("no record ends at position 328"), std::string::npos)
      << program().failure();
}

TEST_F(Feeding, WhenTheLogBeginsAnewTheProgramGoesOnAtTheEndOfARecordOfIt) {
  rig_.open(0);
  const Position first = rig_.begin_log_anew(1024);
  rig_.begin_anew(first + 72, first);
  EXPECT_EQ(program().shown(), first + 72);
  EXPECT_EQ(program().floor(), first);
  rig_.receive(4, 64);
  EXPECT_NE(program().failure().find("no record ends at position"), std::string::npos)
      << program().failure();
}

TEST_F(Feeding, WhenTheLogBeginsAnewTheReaderOfTheOldOneIsLeft) {
  for (int i = 0; i < 4; ++i) rig_.receive(4, 256);
  rig_.open(0);
  rig_.feed(rig_.received());
  ASSERT_FALSE(program().idle());
  const Position first = rig_.begin_log_anew(1024);
  rig_.begin_anew(first, first);
  const Position all = rig_.receive(4, 64);
  rig_.store();
  rig_.empty_ring();
  rig_.drain(all);
  EXPECT_EQ(program().shown(), all);
  EXPECT_EQ(program().failure(), "");
}

TEST_F(Feeding, AnotherReaderBeginsWhenTheOneBeforeHasEnded) {
  for (int i = 0; i < 4; ++i) rig_.receive(4, 256);
  const Position all = rig_.received();
  rig_.open(0);
  rig_.feed(all);
  ASSERT_FALSE(program().idle());
  rig_.begin_anew(1024, all);
  EXPECT_FALSE(rig_.feed(all));
  EXPECT_EQ(program().failure(), "");
  rig_.drain(all);
  EXPECT_EQ(program().shown(), all);
}

TEST_F(Feeding, StoppedItShowsNothingMoreAndWhatIsInFlightEnds) {
  const Position all = rig_.receive(4, 64);
  rig_.open(0);
  rig_.feed(all);
  ASSERT_FALSE(program().idle());
  rig_.program->stop();
  EXPECT_FALSE(program().idle());
  rig_.settle();
  EXPECT_TRUE(program().idle());
  EXPECT_EQ(rig_.woken, 0) << "nobody is called for it";
  EXPECT_FALSE(rig_.feed(all));
  EXPECT_EQ(program().copied(), 0u);
}

TEST_F(Feeding, StoppedItShowsNothingOfTheRingEither) {
  rig_.open(0);
  rig_.program->stop();
  EXPECT_FALSE(rig_.feed(rig_.receive(4, 64)));
  EXPECT_EQ(program().copied(), 0u);
  EXPECT_TRUE(program().idle());
}

}  // namespace
}  // namespace quorate::shard
