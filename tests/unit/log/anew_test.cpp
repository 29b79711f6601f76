// What recovery makes of a log that began anew at a later position, at every point of a crash.

#include <algorithm>

#include "recovery_rig.h"

namespace quorate::log {
namespace {

class LogAnew : public LogRecovery {};

/// Behind a gap, as a copy of everything before it was installed.
LogEnd far_end(Position position = 8000) { return {position, 0x77, {6, 9}, 0x1234}; }

SegmentBuilder anew_at(const LogEnd& end, std::uint64_t number) {
  SegmentBuilder segment(64u << 10, number);
  segment.begin_at(end, kAnew);
  segment.epoch = {7, 1};
  return segment;
}

/// Metadata that says so, or not yet; old segments whole, damaged, or gone in part.
TEST_F(LogAnew, OfALogThatBeganAnewNothingBeforeCounts) {
  for (const std::size_t frames : {0u, 1u, 5u}) {
    for (const std::uint64_t oldest : {1u, 2u, 3u}) {
      for (const int harm : {0, 1, 2, 3, 4}) {
        Old old;
        if (harm == 1) spoil(old.one, 40);
        if (harm == 2) spoil(old.two, kBlockBytes + 200);
        metadata_.oldest_segment = oldest;
        metadata_.known_durable = frames % 2 == 0 ? 1920 : 8000;
        metadata_.known_committed = harm % 2 == 0 ? 400 : 4000;
        begin();
        if (harm < 3) put(old.one);
        if (harm != 4) put(old.two);
        SegmentBuilder three = anew_at(far_end(), 3);
        for (std::size_t i = 0; i < frames; ++i) three.add({200});
        put(three);
        for (const RecoveryMode mode : {RecoveryMode::examine, RecoveryMode::repair}) {
          const Recovered recovered = recover(mode);
          ASSERT_EQ(recovered.state, RecoveryState::whole) << harm << ' ' << recovered.why;
          ASSERT_EQ(found_.frames.size(), frames);
          EXPECT_EQ(recovered.first, far_end());
          EXPECT_EQ(recovered.start.end, three.end);
          EXPECT_EQ(recovered.start.segment, 3u);
          EXPECT_GE(recovered.floor, 8000u);
          EXPECT_EQ(recovered.oldest_segment, 3u);
          ASSERT_TRUE(recovered.anew);
          EXPECT_EQ(recovered.anew->segment, 3u);
          EXPECT_EQ(recovered.anew->position, 8000u);
          ASSERT_EQ(recovered.segments.size(), 1u);
          EXPECT_EQ(recovered.segments[0].first, 8000u);
          ASSERT_EQ(recovered.epochs.size(), frames == 0 ? 1u : 2u);
          EXPECT_EQ(recovered.epochs[0].epoch, far_end().epoch);
        }
      }
    }
  }
}

TEST_F(LogAnew, ABeginningThatWasNotWrittenLeavesTheOldLog) {
  const Old old;
  const AlignedBuffer zeros(64u << 10);
  SegmentBuilder torn = anew_at(far_end(), 4);
  std::fill_n(torn.bytes().begin() + 48, 80, std::byte{0});
  SegmentBuilder own = anew_at(far_end(), 4);
  std::fill_n(own.bytes().begin() + 64, 64, std::byte{0});
  for (const std::span<const std::byte> header : {zeros.span(), torn.bytes(), own.bytes()}) {
    begin();
    put(old.one);
    put(old.two);
    put(3, zeros.span());  // made ahead, before that
    put(4, header);
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_EQ(recovered.start.end, old.two.end);
    EXPECT_EQ(recovered.start.last_segment, 4u);
    EXPECT_EQ(recovered.oldest_segment, 1u);
    EXPECT_FALSE(recovered.anew);
    // What was made ahead stays before it when it was written.
    put(anew_at(far_end(), 4));
    EXPECT_EQ(recover().start.end, far_end());
  }
}

TEST_F(LogAnew, AFileOfAnOldBeginningThatIsUsedAgainBeginsNothing) {
  const Old old;
  SegmentBuilder before = anew_at(far_end(), 1);
  before.add({7000});
  before.add({7000});
  begin();
  put(old.one);
  put(old.two);
  put(3, before.bytes());
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end, old.two.end);
  EXPECT_FALSE(recovered.anew);
}

TEST_F(LogAnew, ANewBeginningGoesOnAndIsCutAndLeftBehindLikeAnyOther) {
  begin();
  put(anew_at(far_end(), 1));
  EXPECT_EQ(recover().start.end, far_end()) << "of a log that had nothing";
  const Old old;
  SegmentBuilder three = anew_at(far_end(), 3), four(64u << 10, 4);
  three.add({400, 80});
  four.begin_at(three.end);
  four.epoch = {7, 1};
  four.add({80});
  put(old.one);
  put(old.two);
  put(three);
  put(four);
  Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end, four.end);
  EXPECT_EQ(found_.frames.size(), 3u);
  put(cut_at(end_of(three, 0), 5, 8));
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end.position, 8400u);
  // Cut where it begins: then nothing of it is left, and the log begins there all the same.
  // What was made ahead or is damaged in between matters as little.
  spoil(four, 40);
  put(four);
  put(6, AlignedBuffer(64u << 10).span());
  put(cut_at(far_end(), 7, 9));
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end, far_end());
  EXPECT_EQ(recovered.first, far_end());
  EXPECT_EQ(recovered.oldest_segment, 3u);
  // The last beginning counts, whether it lies behind the one before or not.
  for (const Position position : {90'000u, 96u}) {
    put(anew_at(far_end(position), 8));
    recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_EQ(recovered.first, far_end(position));
    EXPECT_EQ(recovered.oldest_segment, 8u);
  }
}

TEST_F(LogAnew, ACutBeforeANewBeginningIsAFaultUnlessItGivesUpAll) {
  const Old old;
  begin();
  put(old.one);
  put(old.two);
  SegmentBuilder three = anew_at(far_end(), 3);
  three.add({400});
  put(three);
  put(cut_at(old.end(2), 4, 9));
  Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::fault);
  EXPECT_NE(recovered.why.find("cuts the log before this beginning"), std::string::npos)
      << recovered.why;
  EXPECT_TRUE(found_.frames.empty());
  put(cut_at(LogEnd{}, 4, 9));
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end, LogEnd{});
}

/// Once metadata says so, damage to the one header that began the log anew brings nothing back.
TEST_F(LogAnew, ADamagedBeginningIsAFaultAndNoOldLog) {
  const Old old;
  for (const std::size_t frames : {0u, 2u}) {
    for (const bool there : {true, false}) {
      metadata_.oldest_segment = 3;
      metadata_.known_durable = 8000;
      begin();
      put(old.one);
      put(old.two);
      SegmentBuilder three = anew_at(far_end(), 3);
      for (std::size_t i = 0; i < frames; ++i) three.add({200});
      spoil(three, 40);
      if (there) put(three);
      const Recovered recovered = recover();
      EXPECT_EQ(recovered.state, RecoveryState::fault);
      EXPECT_TRUE(found_.frames.empty());
      EXPECT_GE(recovered.unknown_until, there ? three.end.position : 8000u);
    }
  }
}

}  // namespace
}  // namespace quorate::log
