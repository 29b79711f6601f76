// What the operating system does not give out while a log is opened may be read the next time: it
// is no damage, and nothing is given up for it.

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "memory_files.h"
#include "recovery_rig.h"

namespace quorate::log {
namespace {

class RefusedRead : public LogRecovery {
 protected:
  void SetUp() override {
    LogRecovery::SetUp();
    begin();
    put(old_.one);
    put(old_.two);
    for (const auto& [path, text] : content()) {
      const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
      files_.content[path] = {bytes, bytes + text.size()};
    }
  }
  void refuse(const std::string& path, std::uint64_t from, std::uint64_t bytes) {
    files_.unreadable.path = path;
    files_.unreadable.from = from;
    files_.unreadable.bytes = bytes;
  }
  Result<Recovered> open(RecoveryMode mode = RecoveryMode::repair) {
    BlockingFiles blocking(files_, [this] { files_.turn(); });
    MetadataFile metadata(files_, directory_);
    found_ = FrameCollector();
    return Recovery(blocking, metadata, directory_, kIdentity.stream, found_, mode).run();
  }
  void expect_whole() {
    refuse("", 0, 0);
    const auto found = open();
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(found->state, RecoveryState::whole);
    EXPECT_EQ(found_.frames.size(), 8u);
  }

  const Old old_;
  MemoryFiles files_;
};

TEST_F(RefusedRead, OfASegmentIsAnErrorThatNamesItAndDecidesNothing) {
  for (const std::uint64_t number : {1, 2}) {
    const std::string path = segment_path(directory_, number);
    for (std::uint64_t at = 0; at < files_.content.at(path).size(); at += kBlockBytes) {
      refuse(path, at, 1);
      const auto found = open();
      ASSERT_FALSE(found) << path << " at " << at;
      EXPECT_EQ(found.error().code, Errc::io);
      EXPECT_EQ(found.error().system_errno, EIO);
      EXPECT_EQ(found.error().text.find("read of " + path), 0u) << found.error().text;
    }
  }
  expect_whole();
}

TEST_F(RefusedRead, IsToldAsAFaultToWhoOnlyExamines) {
  const std::string path = segment_path(directory_, 1);
  refuse(path, kBlockBytes, 1);
  const auto found = open(RecoveryMode::examine);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->state, RecoveryState::fault);
  EXPECT_NE(found->why.find("; read of " + path), std::string::npos) << found->why;
}

TEST_F(RefusedRead, OfOneCopyOfTheMetadataIsMadeGoodByTheOther) {
  for (const std::uint64_t sequence : {0, 1}) {
    for (const std::size_t copy : {0, 1}) {
      refuse(MetadataFile::path_in(directory_), metadata_offset(sequence, copy), 1);
      const auto found = open();
      ASSERT_TRUE(found) << found.error().text;
      EXPECT_EQ(found->state, RecoveryState::whole);
    }
  }
}

/// It may be the latest generation, and hold a promise that the other one does not.
TEST_F(RefusedRead, OfTheOnlyCopyOfAGenerationThatIsNotDamagedIsAnError) {
  const std::string path = MetadataFile::path_in(directory_);
  for (const std::uint64_t sequence : {0, 1}) {
    for (const std::size_t copy : {0, 1}) {
      std::byte& damaged = files_.content.at(path)[metadata_offset(sequence, copy)];
      damaged ^= std::byte{1};
      refuse(path, metadata_offset(sequence, 1 - copy), 1);
      const auto found = open();
      ASSERT_FALSE(found) << sequence << ' ' << copy;
      EXPECT_EQ(found.error().text.find("read of " + path), 0u) << found.error().text;
      expect_whole();
      damaged ^= std::byte{1};
    }
  }
}

}  // namespace
}  // namespace quorate::log
