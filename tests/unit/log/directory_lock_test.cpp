// One process for one directory.

#include "log/directory_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace quorate::log {
namespace {

class Locking : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "quorate-lock-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(Locking, ASecondOneIsRefusedUntilTheFirstHasGone) {
  std::optional<DirectoryLock> first = *DirectoryLock::take(directory_);
  const Result<DirectoryLock> second = DirectoryLock::take(directory_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text.find(directory_ + "/lock: another process has it"),
            std::string::npos)
      << second.error().text;
  EXPECT_FALSE(DirectoryLock::take(directory_)) << "a refusal gives nothing up";
  first.reset();
  EXPECT_TRUE(DirectoryLock::take(directory_));
}

TEST_F(Locking, ALockThatWasMovedHolds) {
  DirectoryLock first = *DirectoryLock::take(directory_);
  const DirectoryLock moved = std::move(first);
  EXPECT_FALSE(DirectoryLock::take(directory_));
}

TEST_F(Locking, AnotherProcessKeepsItUntilItIsKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Result<DirectoryLock> lock = DirectoryLock::take(directory_);
    const char answer = lock ? 'y' : 'n';
    static_cast<void>(!write(ready[1], &answer, 1));
    for (;;) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_FALSE(DirectoryLock::take(directory_));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(DirectoryLock::take(directory_)) << "a lock file that is left over locks nobody out";
  close(ready[0]);
  close(ready[1]);
}

TEST_F(Locking, ADirectoryThatIsNotThereIsNamed) {
  const Result<DirectoryLock> lock = DirectoryLock::take(directory_ + "/none");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().system_errno, ENOENT);
  EXPECT_NE(lock.error().text.find("/none/lock"), std::string::npos) << lock.error().text;
}

}  // namespace
}  // namespace quorate::log
