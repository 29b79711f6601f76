// Segments that are given up, and used again, on the file system of this machine.

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "log/retention.h"
#include "log_rig.h"

namespace quorate::log {
namespace {

class Collecting : public testing::TestWithParam<Backend>, public SegmentCollector::Listener {
 protected:
  void SetUp() override {
    rig_ = std::make_unique<LogRig>(GetParam());
    if (!rig_->reactor) GTEST_SKIP() << "this kernel has no such backend";
    collector_ = std::make_unique<SegmentCollector>(rig_->reactor->files(), rig_->directory, *this);
    rig_->open_writer(WriteStart());
  }
  void TearDown() override {
    if (!collector_) return;
    collector_->stop();
    while (!collector_->idle()) rig_->turn();
  }
  void finish() {
    while (!collector_->done()) rig_->turn();
  }
  void settle_writer() {
    while (!rig_->writer->idle()) rig_->turn();
  }
  /// As its owner would, metadata left out.
  void collect(std::uint64_t oldest) {
    rig_->index.drop_before(oldest);
    collector_->collect(oldest);
    finish();
  }
  /// So many segments are finished, and of the last one so much is used that the next is made.
  void write_segments(std::size_t count) {
    const std::uint64_t until = rig_->index.ranges().empty()
                                    ? count + 1
                                    : rig_->index.ranges().back().number + count;
    while (rig_->index.ranges().empty() || rig_->index.ranges().back().number < until) {
      rig_->write(20, 8000);
    }
    settle_writer();
    while (!rig_->has_file(until + 1)) {
      rig_->write(10, 8000);
      settle_writer();
    }
  }
  Recovered recover(std::uint64_t oldest) {
    BlockingFiles files = rig_->blocking();
    MetadataFile metadata(rig_->reactor->files(), rig_->directory);
    auto loaded = metadata.load(files);
    struct Saved final : MetadataFile::Listener {
      void on_saved(const Status&) override {}
    } saved;
    Metadata content = **loaded;
    content.oldest_segment = oldest;
    metadata.save(content, saved);
    while (metadata.saving()) rig_->turn();
    FrameCollector found;
    return *Recovery(files, metadata, rig_->directory, 0, found).run();
  }
  /// The number that tells the file from others. It has a second name elsewhere, so that another
  /// file is not given that number when this one is removed.
  std::uint64_t keep_inode_of(std::uint64_t segment) {
    std::filesystem::create_hard_link(segment_path(rig_->directory, segment),
                                      rig_->root + "/kept-" + std::to_string(segment));
    return inode_of(segment);
  }
  std::uint64_t inode_of(std::uint64_t segment) {
    struct stat status {};
    EXPECT_EQ(stat(segment_path(rig_->directory, segment).c_str(), &status), 0) << segment;
    return status.st_ino;
  }

  bool on_segment_free(std::uint64_t number) override {
    return recycles_ && rig_->writer->recycle(number);
  }
  void on_collected(std::uint64_t oldest) override { collected_ = oldest; }
  void on_not_collected(const Error& error) override { refused_ = error; }
  void on_collector_failed(const Error& error) override { ADD_FAILURE() << error.text; }

  std::unique_ptr<LogRig> rig_;
  std::unique_ptr<SegmentCollector> collector_;
  bool recycles_ = false;
  std::uint64_t collected_ = 0;
  Error refused_;
};

std::string backend_name(const testing::TestParamInfo<Backend>& each) {
  return each.param == Backend::epoll ? "epoll" : "io_uring";
}

INSTANTIATE_TEST_SUITE_P(Log, Collecting, testing::Values(Backend::io_uring, Backend::epoll),
                         backend_name);

TEST_P(Collecting, WhatIsNotKeptIsRemovedAndNothingElse) {
  ASSERT_TRUE(collector_->start(1));
  write_segments(5);
  collect(4);
  for (std::uint64_t number = 1; number <= 7; ++number) {
    EXPECT_EQ(rig_->has_file(number), number >= 4) << number;
  }
  EXPECT_EQ(collected_, 4u);
  EXPECT_TRUE(std::filesystem::exists(MetadataFile::path_in(rig_->directory)));
  collect(4);
  collect(5);
  EXPECT_EQ(collected_, 5u);
  EXPECT_FALSE(rig_->has_file(4));
}

TEST_P(Collecting, WhatACrashLeftIsRemovedAtTheNextStart) {
  write_segments(4);
  ASSERT_TRUE(collector_->start(3));
  finish();
  for (std::uint64_t number = 1; number <= 5; ++number) {
    EXPECT_EQ(rig_->has_file(number), number >= 3) << number;
  }
  EXPECT_EQ(collected_, 3u);
}

TEST_P(Collecting, AFileThatIsGoneAlreadyIsNoError) {
  ASSERT_TRUE(collector_->start(1));
  write_segments(4);
  std::filesystem::remove(segment_path(rig_->directory, 2));
  collect(4);
  EXPECT_EQ(collected_, 4u);
  EXPECT_EQ(refused_.text, "");
}

TEST_P(Collecting, AFileThatCannotBeRemovedIsTriedAgain) {
  ASSERT_TRUE(collector_->start(1));
  write_segments(4);
  const std::string path = segment_path(rig_->directory, 2);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  rig_->index.drop_before(4);
  collector_->collect(4);
  while (refused_.text.empty()) rig_->turn();
  EXPECT_NE(refused_.text.find("removal of " + path), std::string::npos) << refused_.text;
  EXPECT_EQ(collected_, 0u);
  std::filesystem::remove(path);
  collector_->collect(4);
  finish();
  EXPECT_EQ(collected_, 4u);
  EXPECT_FALSE(rig_->has_file(3));
}

TEST_P(Collecting, AFileIsUsedAgainUnderItsNextName) {
  recycles_ = true;
  ASSERT_TRUE(collector_->start(1));
  write_segments(4);
  ASSERT_TRUE(rig_->has_file(6)) << "made ahead";
  const std::uint64_t first = inode_of(1), second = inode_of(2);
  collect(4);
  EXPECT_EQ(collected_, 4u);
  EXPECT_FALSE(rig_->has_file(3)) << "two wait to be used again, the third is removed";
  write_segments(1);
  EXPECT_EQ(inode_of(7), first);
  EXPECT_FALSE(rig_->has_file(1));
  write_segments(2);
  EXPECT_EQ(inode_of(8), second);
  EXPECT_FALSE(rig_->has_file(2));
  EXPECT_FALSE(std::filesystem::exists(rig_->directory + "/segment.new"));
  // What was written before lies behind what is written now, and is not taken for it.
  auto reader = rig_->make_reader();
  const Position from = rig_->index.first();
  reader->start(from);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), (rig_->durable - from) / 8000);
  EXPECT_EQ(reader->error().text, "");
  reader->stop();
}

TEST_P(Collecting, AReaderOfAFileThatIsUsedAgainIsTold) {
  recycles_ = true;
  ASSERT_TRUE(collector_->start(1));
  rig_->options.limits.segment_bytes = 4u << 20;
  rig_->close_writer();
  rig_->open_writer(WriteStart());
  write_segments(4);
  auto reader = rig_->make_reader();
  reader->start(0);
  LogReader::Frame frame;
  // Two buffers are full, and the file is open.
  while (rig_->await_frame(*reader, rig_->durable, frame)) continue;
  const Position read_so_far = reader->position();
  ASSERT_LT(read_so_far, rig_->index.ranges()[0].end);
  collect(3);
  write_segments(3);
  reader->release(read_so_far);
  EXPECT_EQ(rig_->read(*reader, rig_->durable), 0u);
  EXPECT_EQ(reader->error().code, Errc::needs_full_copy) << reader->error().text;
  reader->stop();
}


TEST_P(Collecting, AFileThatIsNotWhatItShouldBeIsRemovedInstead) {
  recycles_ = true;
  ASSERT_TRUE(collector_->start(1));
  write_segments(4);
  rig_->flip(1, 9);
  std::filesystem::resize_file(segment_path(rig_->directory, 2), 1u << 19);
  const std::uint64_t first = keep_inode_of(1), second = keep_inode_of(2);
  collect(3);
  write_segments(2);
  EXPECT_FALSE(rig_->has_file(1) || rig_->has_file(2));
  EXPECT_NE(inode_of(7), first);
  EXPECT_NE(inode_of(7), second);
  EXPECT_EQ(std::filesystem::file_size(segment_path(rig_->directory, 7)), 1u << 20);
}

TEST_P(Collecting, AFileOfAnotherStorageIsNotUsedAgain) {
  recycles_ = true;
  ASSERT_TRUE(collector_->start(1));
  write_segments(4);
  SegmentHeader header;
  AlignedBuffer block(kBlockBytes);
  std::fstream file(segment_path(rig_->directory, 1),
                    std::ios::in | std::ios::out | std::ios::binary);
  file.read(reinterpret_cast<char*>(block.data()), kBlockBytes);
  ASSERT_EQ(decode_segment_header(ConstBlock(block.data(), kBlockBytes), header), Flaw::none);
  header.storage.low ^= 1;
  encode_segment_header(header, Block(block.data(), kBlockBytes));
  file.seekp(0);
  file.write(reinterpret_cast<const char*>(block.data()), kBlockBytes);
  file.close();
  const std::uint64_t inode = keep_inode_of(1);
  collect(2);
  write_segments(2);
  EXPECT_FALSE(rig_->has_file(1));
  EXPECT_NE(inode_of(7), inode);
}

TEST_P(Collecting, ADraftThatWasLeftOverIsReplaced) {
  for (const bool recycles : {false, true}) {
    recycles_ = recycles;
    const std::string draft = rig_->directory + "/segment.new";
    std::ofstream(draft) << "left over";
    if (!recycles) {
      ASSERT_TRUE(collector_->start(1));
    }
    write_segments(3);
    EXPECT_FALSE(std::filesystem::exists(draft));
    collect(rig_->index.ranges().back().number - 1);
    write_segments(2);
  }
  EXPECT_FALSE(std::filesystem::exists(rig_->directory + "/segment.new"));
}

TEST_P(Collecting, WhatRetentionKeepsIsWhatRecoveryFinds) {
  ASSERT_TRUE(collector_->start(1));
  Retention retention({3u << 20, 0, 0}, 0);
  write_segments(6);
  const RetentionVerdict verdict = retention.decide(rig_->index.ranges(), {kNoHold, kNoHold}, 0);
  collect(verdict.oldest_to_keep);
  EXPECT_LE(rig_->index.total_bytes(), 3u << 20);
  rig_->close_writer();
  const Recovered recovered = recover(verdict.oldest_to_keep);
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end.position, rig_->durable);
  ASSERT_FALSE(recovered.index.empty());
  EXPECT_EQ(recovered.index.front().position, rig_->index.first());
}

TEST_P(Collecting, TheOldestWriteInFlightHasATime) {
  settle_writer();
  LogWriter& writer = *rig_->writer;
  EXPECT_EQ(writer.oldest_write_since(), kNever);
  ASSERT_TRUE(rig_->append(8000));
  writer.flush(100);
  EXPECT_EQ(writer.oldest_write_since(), 100);
  ASSERT_TRUE(rig_->append(8000));
  writer.flush(200);
  EXPECT_EQ(writer.oldest_write_since(), 100) << "the oldest counts";
  while (writer.durable() < 8000) rig_->turn();
  writer.flush(300);
  if (writer.durable() < writer.end()) {
    EXPECT_EQ(writer.oldest_write_since(), 200);
  }
  while (writer.durable() < writer.end()) rig_->turn();
  EXPECT_EQ(writer.oldest_write_since(), kNever);
  // Slots are used again, with the time of the unit that is in them.
  for (Instant now = 400; now < 430; ++now) {
    ASSERT_TRUE(rig_->append(8000));
    writer.flush(now);
    EXPECT_EQ(writer.oldest_write_since(), now);
    while (writer.durable() < writer.end()) rig_->turn();
  }
}

}  // namespace
}  // namespace quorate::log
