// What is checked of blocks that were read before a frame of them is handed out. Everything in here
// has good checksums around what is wrong with it.

#include "log/read_buffer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "segments.h"

namespace quorate::log {
namespace {

class LogReadBuffer : public testing::Test {
 protected:
  LogReadBuffer() {
    for (int i = 0; i < 4; ++i) segment.add({800, 1600});
  }

  /// Reads the segment from `place` on. What find() says at the first frame that is not handed out.
  ReadBuffer::Next read(const ReadPlace& from, Position until) {
    buffer = std::make_unique<ReadBuffer>(segment.bytes().size());
    buffer->begin(from, until, segment.offset);
    const std::span<std::byte> missing = buffer->missing();
    std::memcpy(missing.data(), segment.bytes().data() + from.offset, missing.size());
    buffer->add(missing.size());
    EXPECT_TRUE(buffer->finish(kIdentity, behind));
    handed_out = 0;
    for (;;) {
      const ReadBuffer::Next next = buffer->find(position, chain);
      if (next != ReadBuffer::Next::frame) return next;
      position = buffer->frame().end;
      buffer->take(chain);
      ++handed_out;
    }
  }
  ReadBuffer::Next read() { return read({1, 0, 0, std::nullopt}, segment.end.position); }

  UnitHeader unit_at(std::size_t index) {
    UnitHeader unit;
    EXPECT_EQ(decode_unit_header(
                  segment.bytes().subspan(segment.offsets[index]).first<kHeaderBytes>(), unit),
              Flaw::none);
    return unit;
  }
  /// Of the third unit, of which frames 4 and 5 are.
  template <typename Change>
  void change_unit(const Change& change) {
    UnitHeader unit = unit_at(2);
    change(unit);
    seal_unit(unit, segment.bytes().subspan(segment.offsets[2], unit.unit_bytes));
    // The next one follows it all the same.
    UnitHeader next = unit_at(3);
    next.previous_unit_crc = unit_at(2).header_crc;
    seal_unit(next, segment.bytes().subspan(segment.offsets[3], next.unit_bytes));
  }
  /// Of frame 5.
  template <typename Change>
  void change_frame(const Change& change) {
    const std::size_t at =
        segment.offsets[2] + kHeaderBytes + segment.frames[4].bytes.size();
    wire::FrameHeader header = segment.frames[5].header;
    change(header);
    wire::encode_frame_header(header,
                              segment.bytes().subspan(at).first<wire::kFrameHeaderBytes>());
    change_unit([](UnitHeader&) {});
  }
  void expect_flaw(Flaw flaw, std::size_t frames) {
    EXPECT_EQ(read(), ReadBuffer::Next::flaw);
    EXPECT_EQ(buffer->flaw(), flaw) << to_string(buffer->flaw());
    EXPECT_EQ(handed_out, frames);
    EXPECT_EQ(buffer->flaw_offset(), segment.offsets[2]);
  }

  SegmentBuilder segment;
  std::unique_ptr<ReadBuffer> buffer;
  ReadPlace behind;
  FrameChain chain;
  Position position = 0;
  std::size_t handed_out = 0;
};

TEST_F(LogReadBuffer, WhatIsWholeIsHandedOut) {
  EXPECT_EQ(read(), ReadBuffer::Next::end);
  EXPECT_EQ(handed_out, 8u);
  EXPECT_EQ(behind.offset, segment.offset);
  EXPECT_EQ(behind.position, segment.end.position);
  EXPECT_EQ(behind.unit_crc, segment.end.unit_crc);
}

TEST_F(LogReadBuffer, WhatIsNotDurableIsNotLookedAt) {
  const Position until = unit_at(2).first_position;
  std::memset(segment.bytes().data() + segment.offsets[2], 0x55, 3 * kBlockBytes);
  EXPECT_EQ(read({1, 0, 0, std::nullopt}, until), ReadBuffer::Next::end);
  EXPECT_EQ(handed_out, 4u);
  EXPECT_EQ(behind.offset, segment.offsets[2]) << "to be read again when it is";
}

TEST_F(LogReadBuffer, AUnitOfAnotherPlaceIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.segment = 2; });
  expect_flaw(Flaw::other_place, 4);
}

TEST_F(LogReadBuffer, AUnitOfAnotherOffsetIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.offset += kBlockBytes; });
  expect_flaw(Flaw::other_place, 4);
}

TEST_F(LogReadBuffer, AUnitOfAnotherStreamIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.stream = 4; });
  expect_flaw(Flaw::other_stream, 4);
}

TEST_F(LogReadBuffer, AUnitOfAnotherStorageIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.storage.high = 4; });
  expect_flaw(Flaw::other_storage, 4);
}

TEST_F(LogReadBuffer, AUnitOfAnotherPositionIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.first_position += 8; });
  expect_flaw(Flaw::other_position, 4);
}

TEST_F(LogReadBuffer, AUnitOfAnotherChainIsAFlaw) {
  change_unit([](UnitHeader& unit) { unit.previous_unit_crc ^= 1; });
  expect_flaw(Flaw::bad_chain, 4);
}

TEST_F(LogReadBuffer, AUnitThatSaysToHaveMoreFramesIsAFlaw) {
  change_unit([](UnitHeader& unit) { ++unit.frame_count; });
  expect_flaw(Flaw::bad_frame, 6);
}

TEST_F(LogReadBuffer, AUnitThatSaysToHaveFewerFramesIsAFlaw) {
  change_unit([](UnitHeader& unit) { --unit.frame_count; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameWithAnotherBodyIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) { frame.body_crc ^= 1; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameOfAnotherStreamIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) { frame.stream = 4; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameThatNamesAnotherPredecessorIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) { frame.previous_checksum ^= 1; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameThatNamesAnotherEpochBeforeItIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) { frame.previous_epoch_number = 4; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameOfAnEpochThatIsOverIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) { frame.epoch_number = 4; });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameThatDoesNotBeginWhereTheOneBeforeEndsIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) {
    frame.begin += 8;
    frame.end += 8;
  });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, AFrameLongerThanItsUnitIsAFlaw) {
  change_frame([](wire::FrameHeader& frame) {
    frame.end += 80'000;
    frame.body_bytes += 80'000;
  });
  expect_flaw(Flaw::bad_frame, 5);
}

TEST_F(LogReadBuffer, ASegmentThatFollowsAnotherFrameIsAFlaw) {
  chain.known = true;
  EXPECT_EQ(read(), ReadBuffer::Next::end);
  chain = {0, true, {1, 1}, 0};
  position = 0;
  EXPECT_EQ(read(), ReadBuffer::Next::flaw);
  EXPECT_EQ(buffer->flaw(), Flaw::bad_chain);
  EXPECT_EQ(handed_out, 0u);
}

TEST_F(LogReadBuffer, WhatIsHeldIsNotFreeUntilItIsReleased) {
  EXPECT_EQ(read(), ReadBuffer::Next::end);
  buffer->leave(position - 8);
  EXPECT_EQ(buffer->state(), ReadBuffer::State::held);
  buffer->release(position);
  EXPECT_EQ(buffer->state(), ReadBuffer::State::free);
}

TEST_F(LogReadBuffer, WhatWasOnlyPassedOverHoldsNothing) {
  position = segment.end.position;
  EXPECT_EQ(read(), ReadBuffer::Next::end);
  EXPECT_EQ(handed_out, 0u);
  buffer->leave(0);
  EXPECT_EQ(buffer->state(), ReadBuffer::State::free);
}

}  // namespace
}  // namespace quorate::log
