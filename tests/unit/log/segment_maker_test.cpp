// When the next segment is made, and of what, on the file system of this machine.

#include <sys/stat.h>

#include <filesystem>

#include "log_rig.h"

namespace quorate::log {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

class MakingSegments : public testing::TestWithParam<Backend>, public SegmentMaker::Listener {
 protected:
  void SetUp() override {
    rig_ = std::make_unique<LogRig>(GetParam());
    if (!rig_->reactor) GTEST_SKIP() << "this kernel has no such backend";
    maker_ = std::make_unique<SegmentMaker>(rig_->reactor->files(), rig_->directory, 4 * kMiB, true,
                                            rig_->identity, *this);
  }
  void TearDown() override {
    if (!maker_) return;
    maker_->stop();
    settle();
  }
  void settle() {
    while (maker_->in_flight()) rig_->turn();
  }
  /// Makes it, whatever is allowed, and gives it the header of a segment that was used.
  std::uint64_t make_used(std::uint64_t number) {
    maker_->make(number);
    maker_->finish();
    settle();
    NamedFile file = maker_->take();
    SegmentHeader header;
    header.storage = rig_->identity.storage;
    header.stream = rig_->identity.stream;
    header.number = number;
    header.segment_bytes = 4 * kMiB;
    header.unit_bytes_max = 512u << 10;
    header.units_in_flight = 8;
    AlignedBuffer block(kBlockBytes);
    encode_segment_header(header, Block(block.data(), kBlockBytes));
    BlockingFiles files = rig_->blocking();
    EXPECT_TRUE(files.write(file, block.span(), 0));
    files.close(file);
    return inode_of(number);
  }
  std::uint64_t inode_of(std::uint64_t segment) {
    struct stat status {};
    EXPECT_EQ(stat(segment_path(rig_->directory, segment).c_str(), &status), 0) << segment;
    return status.st_ino;
  }
  void give_up_made() {
    BlockingFiles files = rig_->blocking();
    NamedFile file = maker_->take();
    files.close(file);
  }

  void on_segment_made() override { ++made_; }
  void on_segment_no_space(const Error& error) override { ADD_FAILURE() << error.text; }
  void on_segment_failed(const Error& error) override { ADD_FAILURE() << error.text; }

  std::unique_ptr<LogRig> rig_;
  std::unique_ptr<SegmentMaker> maker_;
  int made_ = 0;
};

std::string maker_backend_name(const testing::TestParamInfo<Backend>& each) {
  return each.param == Backend::epoll ? "epoll" : "io_uring";
}

INSTANTIATE_TEST_SUITE_P(Log, MakingSegments, testing::Values(Backend::io_uring, Backend::epoll),
                         maker_backend_name);

TEST_P(MakingSegments, WritesNoZerosThatAreNotAllowed) {
  maker_->make(1);
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::working);
  maker_->allow(3 * kMiB);
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::working);
  maker_->allow(4 * kMiB);
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::made);
  EXPECT_EQ(made_, 1);
  give_up_made();
}

TEST_P(MakingSegments, IsDoneAtOnceWithoutTheRestOfTheZerosWhenItIsNeeded) {
  maker_->make(1);
  settle();
  maker_->allow(kMiB);
  settle();
  maker_->finish();
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::made);
  EXPECT_EQ(std::filesystem::file_size(segment_path(rig_->directory, 1)), 4 * kMiB);
  give_up_made();
}

TEST_P(MakingSegments, EachMakeWaitsForWhatIsAllowedAnew) {
  make_used(1);
  maker_->make(2);
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::working);
}

TEST_P(MakingSegments, AFileToBeUsedAgainThatComesLateTakesThePlaceOfTheDraft) {
  const std::uint64_t inode = make_used(1);
  maker_->make(2);
  settle();
  maker_->allow(kMiB);
  settle();
  EXPECT_TRUE(std::filesystem::exists(rig_->directory + "/segment.new"));
  ASSERT_TRUE(maker_->offer(1));
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::made);
  EXPECT_EQ(inode_of(2), inode);
  EXPECT_FALSE(std::filesystem::exists(rig_->directory + "/segment.new"));
  EXPECT_FALSE(rig_->has_file(1));
  give_up_made();
}

TEST_P(MakingSegments, AlsoWhileZerosAreWritten) {
  const std::uint64_t inode = make_used(1);
  maker_->make(2);
  settle();
  maker_->allow(4 * kMiB);
  ASSERT_TRUE(maker_->in_flight());
  ASSERT_TRUE(maker_->offer(1));
  settle();
  EXPECT_EQ(maker_->state(), SegmentMaker::State::made);
  EXPECT_EQ(inode_of(2), inode);
  give_up_made();
}

TEST_P(MakingSegments, BeginsNothingMoreWhenItIsStoppedWhileItWaits) {
  maker_->make(1);
  settle();
  maker_->stop();
  maker_->allow(4 * kMiB);
  maker_->finish();
  EXPECT_FALSE(maker_->offer(7));
  EXPECT_FALSE(maker_->in_flight());
}

/// A log of segments of 4 MiB of which each frame is a unit of its own.
class WritingOfSizes : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    rig_ = std::make_unique<LogRig>(GetParam());
    if (!rig_->reactor) GTEST_SKIP() << "this kernel has no such backend";
    rig_->options.limits.segment_bytes = 4 * kMiB;
    rig_->open_writer(WriteStart());
  }
  void write_each(std::size_t bytes, std::size_t records_bytes) {
    for (std::size_t written = 0; written < bytes; written += records_bytes) {
      rig_->write(1, records_bytes);
    }
    while (!rig_->writer->idle()) rig_->turn();
  }

  std::unique_ptr<LogRig> rig_;
};

INSTANTIATE_TEST_SUITE_P(Log, WritingOfSizes, testing::Values(Backend::io_uring, Backend::epoll),
                         maker_backend_name);

TEST_P(WritingOfSizes, OfSmallOnesTheNextSegmentIsThereWhenHalfOfThisOneIsUsed) {
  write_each(2 * kMiB, 12u << 10);
  EXPECT_TRUE(rig_->has_file(2));
}

TEST_P(WritingOfSizes, ASmallOneAmongLargeOnesDoesNotHaveTheNextSegmentFilledWithZeros) {
  write_each(2 * kMiB, 100u << 10);
  write_each(1, 1000);
  EXPECT_FALSE(rig_->has_file(2));
}

}  // namespace
}  // namespace quorate::log
