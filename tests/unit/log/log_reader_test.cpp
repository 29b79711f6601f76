// Reading a log while it is written, on the file system of this machine.

#include "log/log_reader.h"

#include <filesystem>

#include "log_rig.h"

namespace quorate::log {
namespace {

struct ReaderSetup {
  const char* name;
  Backend backend;
  bool direct;
};

class Reading : public testing::TestWithParam<ReaderSetup> {
 protected:
  void SetUp() override {
    rig_ = std::make_unique<LogRig>(GetParam().backend, GetParam().direct);
    if (!rig_->reactor) GTEST_SKIP() << "this kernel has no such backend";
    rig_->open_writer(WriteStart());
  }
  /// Ends reading, which must be possible at any moment.
  void close(std::unique_ptr<LogReader>& reader) {
    reader->stop();
    while (!reader->idle()) rig_->turn();
    reader.reset();
  }
  std::size_t read_from(Position from, Error* error = nullptr) {
    auto reader = rig_->make_reader();
    reader->start(from);
    const std::size_t count = rig_->read(*reader, rig_->durable);
    if (error != nullptr) *error = reader->error();
    if (error == nullptr) {
      EXPECT_EQ(reader->error().text, "");
    }
    close(reader);
    return count;
  }

  std::unique_ptr<LogRig> rig_;
};

std::string reader_setup_name(const testing::TestParamInfo<ReaderSetup>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Log, Reading,
    testing::Values(ReaderSetup{"io_uring", Backend::io_uring, true},
                    ReaderSetup{"io_uring_synced", Backend::io_uring, false},
                    ReaderSetup{"epoll", Backend::epoll, true},
                    ReaderSetup{"epoll_synced", Backend::epoll, false}),
    reader_setup_name);

TEST_P(Reading, FollowsTheWriterAcrossSegments) {
  auto reader = rig_->make_reader();
  reader->start(0);
  std::size_t count = 0;
  for (int i = 0; i < 40; ++i) {
    rig_->write(1 + i % 7 * 5, 8 + static_cast<std::size_t>(i) * 400);
    count += rig_->read(*reader, rig_->durable);
    ASSERT_EQ(count, rig_->written.size()) << reader->error().text;
  }
  EXPECT_GE(rig_->index.ranges().size(), 4u);
  EXPECT_EQ(reader->position(), rig_->durable);
  close(reader);
}

TEST_P(Reading, EveryFrameBeginIsAPlaceToStart) {
  rig_->options.limits.segment_bytes = 64u << 10;
  rig_->options.limits.unit_bytes_max = 16u << 10;
  rig_->close_writer();
  rig_->open_writer(WriteStart());
  rig_->write(60, 3000);
  ASSERT_GE(rig_->index.ranges().size(), 3u);
  for (std::size_t i = 0; i < rig_->written.size(); ++i) {
    ASSERT_EQ(read_from(rig_->written[i].header.begin), rig_->written.size() - i) << i;
  }
  EXPECT_EQ(read_from(rig_->durable), 0u) << "what comes next begins there";
}

TEST_P(Reading, APositionWhereNoFrameBeginsIsRefused) {
  rig_->write(3, 800);
  for (const Position from : {Position{8}, Position{792}, Position{808}, rig_->durable + 8}) {
    Error error;
    EXPECT_EQ(read_from(from, &error), 0u);
    EXPECT_EQ(error.code, Errc::corrupt) << from;
    EXPECT_NE(error.text.find(std::to_string(from)), std::string::npos) << error.text;
  }
}

TEST_P(Reading, AnEmptyLogIsWaitedFor) {
  auto reader = rig_->make_reader();
  reader->start(0);
  LogReader::Frame frame;
  EXPECT_FALSE(reader->next(~Position{0}, frame));
  EXPECT_TRUE(reader->idle());
  rig_->write(1, 800);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), 1u);
  close(reader);
}

TEST_P(Reading, NothingBehindTheLimitIsHandedOut) {
  rig_->write(10, 800);
  auto reader = rig_->make_reader();
  reader->start(0);
  for (Position limit = 0; limit <= rig_->durable; limit += 8) {
    rig_->read(*reader, limit);
    ASSERT_EQ(reader->position(), limit / 800 * 800);
  }
  close(reader);
}

TEST_P(Reading, WhatIsNotReleasedStaysWhereItIs) {
  rig_->write(600, 8000);
  auto reader = rig_->make_reader();
  reader->start(0);
  std::vector<LogReader::Frame> held;
  LogReader::Frame frame;
  std::size_t rounds = 0;
  while (reader->position() < rig_->durable && ++rounds < 100) {
    while (rig_->await_frame(*reader, rig_->durable, frame)) held.push_back(frame);
    ASSERT_FALSE(held.empty()) << reader->error().text;
    EXPECT_LE(held.size() * 8000, 2u << 20) << "two buffers";
    for (const auto& each : held) {
      ASSERT_TRUE(is_same(each, *rig_->written_at(each.header.begin)));
    }
    // Half of it is still used when the rest may be overwritten.
    const std::size_t half = (held.size() + 1) / 2;
    reader->release(held[half - 1].header.end);
    held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(half));
  }
  EXPECT_EQ(reader->position(), rig_->durable);
  close(reader);
}

struct Region {
  const char* name;
  std::uint64_t offset;  ///< in the unit
};

TEST_P(Reading, AFlippedBitIsNeverHandedOut) {
  rig_->write(40, 8000);
  const DurableUnit& hit = rig_->units[rig_->units.size() / 2];
  std::size_t before = 0;
  while (rig_->written[before].header.begin < hit.first) ++before;
  const std::uint64_t frame = kHeaderBytes;
  const Region regions[] = {
      {"magic", 0},
      {"position", 41},
      {"reserved", 100},
      {"frame header", frame + 24},
      {"frame checksum", frame + 92},
      {"prefix", frame + wire::kFrameHeaderBytes + 3},
      {"first record", frame + wire::kFramePrologueBytes},
      {"last record", frame + wire::kFramePrologueBytes + 7999},
      {"padding", hit.bytes - 1u},
  };
  for (const Region& region : regions) {
    rig_->flip(hit.segment, hit.offset + region.offset);
    Error error;
    EXPECT_EQ(read_from(0, &error), before) << region.name;
    EXPECT_EQ(error.code, Errc::corrupt);
    EXPECT_NE(error.text.find(segment_path(rig_->directory, hit.segment) + " at " +
                              std::to_string(hit.offset)),
              std::string::npos)
        << error.text;
    rig_->flip(hit.segment, hit.offset + region.offset);
  }
  EXPECT_EQ(read_from(0), rig_->written.size()) << "all was put right again";
}

TEST_P(Reading, AFlippedBitOfASegmentHeaderIsNoticed) {
  rig_->write(300, 8000);
  const SegmentRange second = rig_->index.ranges()[1];
  for (const std::uint64_t offset : {0u, 33u, 60u, 80u, 126u, 4000u}) {
    rig_->flip(second.number, offset);
    Error error;
    EXPECT_EQ(read_from(0, &error), second.first / 8000) << offset;
    EXPECT_EQ(error.code, Errc::corrupt);
    rig_->flip(second.number, offset);
  }
}

TEST_P(Reading, AnotherStorageIsNotRead) {
  rig_->write(3, 800);
  rig_->identity.storage.low ^= 1;
  Error error;
  EXPECT_EQ(read_from(0, &error), 0u);
  EXPECT_EQ(error.code, Errc::corrupt);
}

TEST_P(Reading, StopsAtAnyMoment) {
  rig_->write(300, 8000);
  for (std::size_t frames = 0; frames < 300; frames += 37) {
    auto reader = rig_->make_reader();
    reader->start(0);
    LogReader::Frame frame;
    for (std::size_t i = 0; i < frames; ++i) {
      ASSERT_TRUE(rig_->await_frame(*reader, rig_->durable, frame));
      reader->release(frame.header.end);
    }
    reader->stop();
    EXPECT_FALSE(reader->next(rig_->durable, frame));
    close(reader);
  }
}

TEST_P(Reading, ACutIsFollowedIntoTheNextSegment) {
  rig_->write(10, 800);
  // Another unit, of which only the first frame will count.
  rig_->write(3, 8000);
  const DurableUnit last = rig_->units.back();
  rig_->close_writer();
  while (rig_->written.back().header.begin > last.first) rig_->written.pop_back();
  WriteStart start;
  start.segment = 1;
  start.end = rig_->end();
  rig_->epoch = {2, 2};
  rig_->open_writer(start);
  rig_->write(5, 1600);
  EXPECT_EQ(rig_->index.ranges()[0].end, start.end.position);
  EXPECT_EQ(rig_->index.ranges()[1].first, start.end.position);
  for (std::size_t i = 0; i < rig_->written.size(); ++i) {
    ASSERT_EQ(read_from(rig_->written[i].header.begin), rig_->written.size() - i) << i;
  }
}

TEST_P(Reading, WhoHasReadWhatWasCutIsTold) {
  rig_->write(10, 800);
  auto reader = rig_->make_reader();
  reader->start(0);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), 10u);
  rig_->close_writer();
  rig_->written.resize(8);
  WriteStart start;
  start.segment = 1;
  start.end = rig_->end();
  rig_->epoch = {2, 2};
  rig_->open_writer(start);
  rig_->write(5, 1600);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), 0u);
  EXPECT_EQ(reader->error().code, Errc::fenced);
  close(reader);
}

/// Also what lies in a reader's buffers is not handed out any more, and nothing of a file that was
/// used again.
TEST_P(Reading, NobodyReadsOnWhenTheLogHasBegunAnew) {
  rig_->write(400, 8000);
  struct { Position from; std::size_t frames; } cases[] = {
      {0, 0}, {0, 1}, {0, 130}, {rig_->durable - 8000, 1}, {rig_->durable, 0}};
  std::vector<std::unique_ptr<LogReader>> readers;
  LogReader::Frame frame;
  for (const auto& each : cases) {
    readers.push_back(rig_->make_reader());
    readers.back()->start(each.from);
    for (std::size_t i = 0; i < each.frames; ++i) {
      ASSERT_TRUE(rig_->await_frame(*readers.back(), rig_->durable, frame));
      readers.back()->release(frame.header.end);
    }
  }
  auto later = rig_->make_reader();
  rig_->begin_anew(80'000);
  const Position begin = rig_->durable;
  rig_->write(30, 8000);
  for (auto& reader : readers) {
    EXPECT_FALSE(rig_->await_frame(*reader, rig_->durable, frame)) << reader->position();
    EXPECT_EQ(reader->error().code, Errc::needs_full_copy) << reader->error().text;
    close(reader);
  }
  later->start(begin);
  EXPECT_EQ(rig_->read(*later, rig_->durable), 30u) << later->error().text;
  close(later);
  Error error;
  EXPECT_EQ(read_from(begin - 8, &error), 0u);
  EXPECT_EQ(error.code, Errc::needs_full_copy);
}

TEST_P(Reading, WhatRetentionDroppedNeedsAFullCopy) {
  rig_->write(400, 8000);
  auto reader = rig_->make_reader(), at_rest = rig_->make_reader();
  reader->start(0);
  LogReader::Frame frame;
  ASSERT_TRUE(rig_->await_frame(*reader, rig_->durable, frame));
  const std::uint64_t oldest = rig_->index.ranges()[3].number;
  const Position first = rig_->index.ranges()[3].first;
  rig_->index.drop_before(oldest);
  for (std::uint64_t number = 1; number < oldest; ++number) {
    std::filesystem::remove(segment_path(rig_->directory, number));
  }
  rig_->read(*reader, rig_->durable);
  EXPECT_LT(reader->position(), first);
  EXPECT_EQ(reader->error().code, Errc::needs_full_copy) << reader->error().text;
  at_rest->start(0);
  EXPECT_EQ(at_rest->error().code, Errc::needs_full_copy);
  EXPECT_EQ(read_from(first), rig_->written.size() - first / 8000) << "the rest is there";
  close(reader);
  close(at_rest);
}

TEST_P(Reading, WhatIsFoundInAFileThatWasDroppedMeanwhileIsNoCorruption) {
  rig_->write(400, 8000);
  auto reader = rig_->make_reader();
  reader->start(0);
  // While it is opened, its segment is given up, and what is in it is something else.
  rig_->index.drop_before(3);
  rig_->flip(1, rig_->units[0].offset + 30);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), 0u);
  EXPECT_EQ(reader->error().code, Errc::needs_full_copy) << reader->error().text;
  close(reader);
}

TEST_P(Reading, AMissingFileNeedsAFullCopyAndIsNamed) {
  rig_->write(3, 800);
  std::filesystem::remove(segment_path(rig_->directory, 1));
  Error error;
  EXPECT_EQ(read_from(0, &error), 0u);
  EXPECT_EQ(error.code, Errc::needs_full_copy);
  EXPECT_EQ(error.system_errno, ENOENT);
  EXPECT_NE(error.text.find("segment-0000000000000001"), std::string::npos) << error.text;
}

TEST_P(Reading, ASegmentThatEndsEarlyIsCorrupt) {
  rig_->write(40, 8000);
  std::filesystem::resize_file(segment_path(rig_->directory, 1), rig_->units.back().offset + 4096);
  Error error;
  EXPECT_EQ(read_from(0, &error), rig_->units.back().first / 8000);
  EXPECT_EQ(error.code, Errc::corrupt);
}

TEST_P(Reading, UnitsMayBeLargerThanThoseOfToday) {
  rig_->close_writer();
  rig_->options.limits.segment_bytes = 8u << 20;
  rig_->options.limits.unit_bytes_max = 3u << 20;
  rig_->open_writer(WriteStart());
  rig_->write(4, 2500u << 10);
  rig_->options.limits.unit_bytes_max = 128u << 10;
  EXPECT_EQ(read_from(0), 4u);
}

TEST_P(Reading, AFrameThatDoesNotFollowIsNotHandedOut) {
  rig_->write(3, 800);
  rig_->close_writer();
  // A history in which everything is whole but the third frame names another predecessor.
  WriteStart start;
  start.segment = 1;
  start.end = rig_->end();
  start.end.frame_checksum ^= 1;
  rig_->open_writer(start);
  const LogFrame frame = make_frame(start.end, rig_->epoch, 800);
  while (rig_->writer->append(frame.header, frame.pieces()) != Admission::taken) rig_->turn();
  rig_->writer->flush(0);
  while (rig_->writer->durable() < frame.header.end) rig_->turn();
  Error error;
  EXPECT_EQ(read_from(0, &error), 3u);
  EXPECT_EQ(error.code, Errc::corrupt);
}

}  // namespace
}  // namespace quorate::log
