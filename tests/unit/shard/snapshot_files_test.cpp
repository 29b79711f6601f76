// Which snapshots a replica finds in its directory, where not all of it can be read.

#include "shard/snapshot_files.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/unit/log/memory_files.h"

namespace quorate::shard {
namespace {

constexpr StreamId kFoundStream = 3;
constexpr Position kFoundAt = 400;
const std::string kFoundIn = "/node/stream";

/// One that is whole, at the beginning of the log. Its files cannot be removed: that would abort.
class FoundSnapshotFiles : public testing::Test {
 protected:
  void SetUp() override {
    head_.stream = kFoundStream;
    head_.id = 7;
    head_.position = head_.program = kFoundAt;
    head_.epoch = {5, 1};
    head_.bytes = 100;
    head_.has_file = true;
    auto& block = files_.content[path(SnapshotFile::head)];
    block.resize(log::kBlockBytes);
    encode_snapshot_head(head_, log::Block(block.data(), log::kBlockBytes));
    files_.content[path(SnapshotFile::data)].resize(head_.bytes);
  }
  [[nodiscard]] std::string path(SnapshotFile which) const {
    return kFoundIn + '/' + snapshot_name(head_.id, which);
  }
  Result<FoundSnapshots> find() {
    log::BlockingFiles blocking(files_, [this] { files_.turn(); });
    return find_snapshots(blocking, kFoundIn, kFoundStream, kFoundAt, 2 * kFoundAt);
  }

  core::SnapshotHead head_;
  log::MemoryFiles files_;
};

TEST_F(FoundSnapshotFiles, OneThatIsWholeIsTheBaseOfTheLog) {
  const auto found = find();
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_TRUE(found->base);
  EXPECT_EQ(*found->base, head_);
}

TEST_F(FoundSnapshotFiles, OneThatCannotBeReadIsAnErrorAndStaysWhereItIs) {
  files_.unreadable = {path(SnapshotFile::head), 0, 1};
  const auto found = find();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().system_errno, EIO);
  EXPECT_EQ(found.error().text.find("read of " + path(SnapshotFile::head)), 0u)
      << found.error().text;
}

}  // namespace
}  // namespace quorate::shard
