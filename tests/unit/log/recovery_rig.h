#pragma once

// Directories of segments that were built by hand, and what recovery makes of them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "log/recovery.h"
#include "log/segment_maker.h"
#include "reactor/reactor.h"
#include "segments.h"

namespace quorate::log {

/// Where a frame of that segment leaves the log.
inline LogEnd end_of(const SegmentBuilder& segment, std::size_t frame) {
  return end_after(segment.frames[frame], segment.end.unit_crc);
}

class LogRecovery : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    reactor_ = std::move(*reactor::make_reactor(Backend::automatic, why));
    std::string name = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    directory_ = root_ + "/log";
    metadata_.storage = kIdentity.storage;
    metadata_.stream = kIdentity.stream;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(std::uint64_t number, std::span<const std::byte> bytes) {
    std::ofstream file(segment_path(directory_, number), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void put(const SegmentBuilder& segment) { put(segment.header.number, segment.bytes()); }
  void begin() {
    std::filesystem::remove_all(directory_);
    BlockingFiles files(reactor_->files(), [this] { turn(); });
    ASSERT_TRUE(create_log(files, directory_, metadata_));
  }
  void turn() {
    reactor_->wait(kNever);
    reactor_->reap();
  }
  Recovered recover(RecoveryMode mode = RecoveryMode::repair) {
    BlockingFiles files(reactor_->files(), [this] { turn(); });
    MetadataFile metadata(reactor_->files(), directory_);
    found_ = FrameCollector();
    const Result<Recovered> result =
        Recovery(files, metadata, directory_, kIdentity.stream, found_, mode).run();
    EXPECT_TRUE(result) << result.error().text;
    return result ? *result : Recovered();
  }
  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      all[entry.path()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return all;
  }

  std::unique_ptr<reactor::Reactor> reactor_;
  std::string root_, directory_;
  Metadata metadata_;
  FrameCollector found_;
};

/// Two segments: frames end at 400, 480, 880, 960; then at 1360, 1440, 1840, 1920.
struct Old {
  SegmentBuilder one{64u << 10, 1}, two{64u << 10, 2};
  Old() {
    one.add({400, 80});
    one.add({400, 80});
    two.begin_at(one.end);
    two.add({400, 80});
    two.add({400, 80});
  }
  [[nodiscard]] LogEnd end(std::size_t frame) const {
    return frame < 4 ? end_of(one, frame) : end_of(two, frame - 4);
  }
  [[nodiscard]] const LogFrame& frame(std::size_t i) const {
    return i < 4 ? one.frames[i] : two.frames[i - 4];
  }
};

inline SegmentBuilder cut_at(const LogEnd& end, std::uint64_t number, std::uint64_t epoch = 6) {
  SegmentBuilder segment(64u << 10, number);
  segment.begin_at(end, kCut);
  segment.epoch = {epoch, 1};
  return segment;
}

inline void spoil(SegmentBuilder& segment, std::uint64_t offset) {
  segment.bytes()[offset] ^= std::byte{0x40};
}

}  // namespace quorate::log
