// The log on the file system of this machine, with both backends.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "log/recovery.h"
#include "reactor/reactor.h"
#include "tests/support/log_frames.h"

namespace quorate::log {
namespace {

struct Setup {
  const char* name;
  Backend backend;
  bool direct;
};

class LogFiles : public testing::TestWithParam<Setup>,
                 public LogWriter::Listener,
                 public MetadataFile::Listener {
 protected:
  void SetUp() override {
    std::string why;
    auto made = reactor::make_reactor(GetParam().backend, why);
    if (!made) GTEST_SKIP() << made.error().text;
    reactor_ = std::move(*made);
    std::string name = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    directory_ = root_ + "/log";
    options_.limits.segment_bytes = 1u << 20;
    options_.limits.unit_bytes_max = 128u << 10;
    options_.direct = GetParam().direct;
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  void turn() {
    reactor_->wait(kNever);
    reactor_->reap();
  }
  BlockingFiles blocking() {
    return BlockingFiles(reactor_->files(), [this] { turn(); });
  }

  void create() {
    BlockingFiles files = blocking();
    Metadata metadata;
    metadata.storage = {11, 22};
    const Status status = create_log(files, directory_, metadata);
    ASSERT_TRUE(status) << status.error().text;
  }
  Recovered recover() {
    BlockingFiles files = blocking();
    MetadataFile metadata(reactor_->files(), directory_);
    found_ = FrameCollector();
    Result<Recovered> result = Recovery(files, metadata, directory_, 0, found_).run();
    EXPECT_TRUE(result) << result.error().text;
    return result ? *result : Recovered();
  }
  /// Appends so many frames and waits until they are durable.
  void write(const WriteStart& start, int count, std::size_t records_bytes) {
    LogWriter writer(reactor_->files(), directory_, options_, start, *this);
    writer.start();
    for (int left = count; left > 0 || writer.durable() < writer.end();) {
      while (left > 0) {
        const LogEnd end = written_.empty() ? start.end : end_after(written_.back());
        LogFrame frame = make_frame(end, {1, 1}, records_bytes);
        if (writer.append(frame.header, frame.pieces()) != Admission::taken) break;
        written_.push_back(std::move(frame));
        --left;
      }
      writer.flush(reactor_->now());
      if (!writer.idle()) turn();
    }
    EXPECT_EQ(durable_, writer.end());
    writer.stop();
    while (!writer.idle()) turn();
  }
  void expect_found(std::size_t count) {
    ASSERT_EQ(found_.frames.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(found_.frames[i].bytes, written_[i].bytes) << i;
    }
  }
  void spoil(std::uint64_t segment, std::uint64_t offset) {
    std::fstream file(segment_path(directory_, segment),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write("spoilt", 6);
  }

  void on_durable(Position durable) override { durable_ = durable; }
  void on_log_failed(const Error& error) override { ADD_FAILURE() << error.text; }
  void on_saved(const Status& status) override { saved_ = status.has_value() ? 1 : -1; }

  std::unique_ptr<reactor::Reactor> reactor_;
  std::string root_, directory_;
  LogOptions options_;
  std::vector<LogFrame> written_;
  FrameCollector found_;
  Position durable_ = 0;
  int saved_ = 0;
};

std::string setup_name(const testing::TestParamInfo<Setup>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Log, LogFiles,
    testing::Values(Setup{"io_uring", Backend::io_uring, true},
                    Setup{"io_uring_synced", Backend::io_uring, false},
                    Setup{"epoll", Backend::epoll, true},
                    Setup{"epoll_synced", Backend::epoll, false}),
    setup_name);

TEST_P(LogFiles, NothingIsThereAtFirst) {
  EXPECT_EQ(recover().state, RecoveryState::none);
  create();
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole);
  EXPECT_EQ(recovered.start.segment, 0u);
  EXPECT_EQ(recovered.start.identity.storage, (StorageId{11, 22}));
}

TEST_P(LogFiles, WhatWasWrittenIsReadBackOverManySegments) {
  create();
  write(recover().start, 300, 8000);
  Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_GE(recovered.start.segment, 3u);
  EXPECT_GE(recovered.index.size(), recovered.start.segment);
  expect_found(300);
  write(recovered.start, 200, 16000);
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.stray_blocks, 0u);
  EXPECT_EQ(recovered.start.end.position, durable_);
  expect_found(500);
}

TEST_P(LogFiles, WhileItIsHeldAWriterBeginsNoOtherSegmentButWritesWhatItHasTaken) {
  create();
  LogWriter writer(reactor_->files(), directory_, options_, recover().start, *this);
  const auto append = [&] {
    const LogEnd end = written_.empty() ? LogEnd{} : end_after(written_.back());
    LogFrame frame = make_frame(end, {1, 1}, 8000);
    if (writer.append(frame.header, frame.pieces()) != Admission::taken) return false;
    written_.push_back(std::move(frame));
    return true;
  };
  const auto step = [&] {
    writer.flush(reactor_->now());
    if (!writer.idle()) turn();
  };
  writer.start();
  while (!append()) step();
  writer.hold(true);
  for (; !writer.wants_segment() || !writer.idle(); step()) append();
  EXPECT_EQ(durable_, writer.end());
  EXPECT_FALSE(append());
  writer.flush(reactor_->now());
  EXPECT_TRUE(writer.idle());
  const std::size_t held = written_.size();
  writer.hold(false);
  while (!append()) step();
  while (durable_ < writer.end()) step();
  writer.stop();
  while (!writer.idle()) turn();
  EXPECT_EQ(recover().start.segment, 2u);
  expect_found(held + 1);
}

TEST_P(LogFiles, OtherLimitsBeginAnotherSegment) {
  create();
  write(recover().start, 10, 800);
  options_.limits.unit_bytes_max = 256u << 10;
  write(recover().start, 10, 800);
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.segment, 2u);
  expect_found(20);
}

TEST_P(LogFiles, ATornTailIsCopiedAsideAndCut) {
  create();
  write(recover().start, 1, 800);
  Recovered recovered = recover();
  spoil(recovered.start.segment, recovered.start.offset + 100);
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  ASSERT_FALSE(recovered.cut_copy.empty());
  std::ifstream copy(recovered.cut_copy, std::ios::binary);
  std::string bytes(106, '\0');
  copy.read(bytes.data(), 106);
  EXPECT_EQ(bytes.substr(100), "spoilt");
  EXPECT_TRUE(recover().cut_copy.empty()) << "it is gone";
  write(recover().start, 5, 800);
  EXPECT_EQ(recover().state, RecoveryState::whole);
  expect_found(6);
}

TEST_P(LogFiles, DamageBelowTheMarkIsAFaultAndStays) {
  create();
  write(recover().start, 300, 8000);
  spoil(1, kBlockBytes + 500);
  for (int i = 0; i < 2; ++i) {
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::fault);
    EXPECT_EQ(recovered.start.end.position, 0u);
    EXPECT_GT(recovered.floor, 0u);
    EXPECT_NE(recovered.why.find("segment-0000000000000001 at 4096"), std::string::npos)
        << recovered.why;
  }
}

TEST_P(LogFiles, AMissingSegmentIsAFault) {
  create();
  write(recover().start, 300, 8000);
  std::filesystem::remove(segment_path(directory_, 2));
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::fault);
  EXPECT_NE(recovered.why.find("a segment before it is missing"), std::string::npos);
  EXPECT_GT(recovered.start.end.position, 0u) << "what lies before it is known";
}

TEST_P(LogFiles, ALogIsCutAndGoesOn) {
  create();
  write(recover().start, 150, 8000);
  Recovered recovered = recover();
  // Within segments, at the end, at nothing, and what was written after a cut.
  for (const std::size_t kept : {100u, 110u, 40u, 60u, 0u, 20u}) {
    WriteStart start = recovered.start;
    const std::uint64_t last = start.last_segment;
    EXPECT_TRUE(std::filesystem::exists(segment_path(directory_, last)));
    EXPECT_FALSE(std::filesystem::exists(segment_path(directory_, last + 1)));
    written_.resize(kept);
    start.cut = true;
    start.end = kept == 0 ? LogEnd{} : end_after(written_.back(), start.end.unit_crc);
    durable_ = start.end.position;
    write(start, 20, 9000);
    recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_EQ(recovered.start.segment, last + 1);
    EXPECT_EQ(recovered.start.header.flags, kCut);
    expect_found(kept + 20);
  }
  written_.resize(30);
  recovered.start.cut = true;
  recovered.start.end = end_after(written_.back());
  write(recovered.start, 300, 8000);
  const std::uint64_t first = recovered.start.last_segment + 1;
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_GT(recovered.start.segment, first);
  EXPECT_EQ(recovered.start.header.flags, 0) << "only the first segment says so";
  expect_found(330);
}

TEST_P(LogFiles, ALogBeginsAnewAndGoesOn) {
  create();
  write(recover().start, 150, 8000);
  Recovered recovered = recover();
  for (const Position gap : {Position{8}, Position{1} << 40}) {
    WriteStart start = recovered.start;
    start.end.position += gap;
    start.end.frame_checksum ^= 1;
    start.anew = true;
    written_.clear();
    durable_ = start.end.position;
    write(start, 5, 9000);
    const LogEnd begun = start.end;
    EXPECT_EQ(written_.front().header.begin, begun.position);
    recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_EQ(recovered.start.segment, start.last_segment + 1);
    EXPECT_EQ(recovered.start.header.flags, kAnew);
    EXPECT_EQ(recovered.first.position, begun.position);
    expect_found(5);
    write(recovered.start, 300, 8000);
    recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_GT(recovered.start.segment, start.last_segment + 1);
    EXPECT_EQ(recovered.start.header.flags, 0) << "only the first segment says so";
    EXPECT_EQ(recovered.first.position, begun.position);
    expect_found(305);
  }
}

TEST_P(LogFiles, LookingBesideAWriterFindsALogThatIsWhole) {
  create();
  const WriteStart start = recover().start;
  LogWriter writer(reactor_->files(), directory_, options_, start, *this);
  writer.start();
  LogEnd end;
  for (int look = 0; look < 20; ++look) {
    const std::size_t before = written_.size();
    while (written_.size() < before + 30) {
      LogFrame frame = make_frame(end, {1, 1}, 4000);
      if (writer.append(frame.header, frame.pieces()) == Admission::taken) {
        end = end_after(frame);
        written_.push_back(std::move(frame));
      }
      writer.flush(0);
      if (!writer.idle()) turn();
    }
    const Position durable = durable_;
    BlockingFiles files = blocking();
    MetadataFile metadata(reactor_->files(), directory_);
    FrameCollector found;
    const Result<Recovered> seen =
        Recovery(files, metadata, directory_, 0, found, RecoveryMode::examine).run();
    ASSERT_TRUE(seen) << seen.error().text;
    EXPECT_EQ(seen->state, RecoveryState::whole) << seen->why;
    EXPECT_GE(seen->start.end.position, durable);
  }
  while (writer.durable() < writer.end()) {
    writer.flush(0);
    turn();
  }
  writer.stop();
  while (!writer.idle()) turn();
  EXPECT_EQ(recover().state, RecoveryState::whole);
  expect_found(written_.size());
}

TEST_P(LogFiles, WithoutMetadataTheIdentityIsLost) {
  create();
  write(recover().start, 10, 800);
  std::filesystem::remove(MetadataFile::path_in(directory_));
  EXPECT_EQ(recover().state, RecoveryState::lost_identity);
  EXPECT_TRUE(std::filesystem::exists(segment_path(directory_, 1)));
}

TEST_P(LogFiles, MetadataKeepsTheLatestThatWasSaved) {
  create();
  for (std::uint64_t number = 1; number <= 5; ++number) {
    BlockingFiles files = blocking();
    MetadataFile file(reactor_->files(), directory_);
    auto loaded = file.load(files);
    ASSERT_TRUE(loaded && loaded->has_value());
    EXPECT_EQ((*loaded)->promised_number, number - 1);
    Metadata metadata = **loaded;
    metadata.promised_number = number;
    saved_ = 0;
    file.save(metadata, *this);
    while (saved_ == 0) turn();
    EXPECT_EQ(saved_, 1);
  }
  // One copy of the latest generation is damaged: the other one tells.
  std::fstream damaged(MetadataFile::path_in(directory_),
                       std::ios::in | std::ios::out | std::ios::binary);
  damaged.seekp(static_cast<std::streamoff>(metadata_offset(7, 0)) + 40);
  damaged.write("spoilt", 6);
  damaged.close();
  BlockingFiles files = blocking();
  MetadataFile file(reactor_->files(), directory_);
  auto loaded = file.load(files);
  ASSERT_TRUE(loaded && loaded->has_value());
  EXPECT_EQ((*loaded)->promised_number, 5u);
}

}  // namespace
}  // namespace quorate::log
