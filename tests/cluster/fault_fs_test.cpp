// Nodes on a disk that fails: `quorate node` in processes of their own, their logs on a file system
// of the test's own (fault_fs.cpp) that refuses what it is told to. Where none can be mounted the
// tests are skipped. A program of its own, as it leaves the mounts that others see.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cluster.h"
#include "fault_disk.h"
#include "tests/support/own_mounts.h"
#include "tool.h"
#include "tools/load/owned_directory.h"

namespace quorate::cluster {
namespace {

using tools::OwnedDirectory;
using Lines = std::vector<std::string>;

constexpr std::size_t kLong_bytes = 60'000;
const std::string kSegment = "/stream-00000/segment-0000000000000001";
const std::string kReleased = " released level=durable copies=";

bool has(const std::string& line, const std::string& text) {
  return line.find(text) != std::string::npos;
}

/// A number behind that text.
std::uint64_t number_after(const std::string& line, const std::string& text) {
  const std::size_t at = line.find(text);
  if (at == std::string::npos) throw std::runtime_error("no \"" + text + "\" in: " + line);
  return std::stoull(line.substr(at + text.size()));
}

/// The records in a log that nobody writes.
Lines lines_in(const std::string& directory) {
  Tool dump("dump", {"log", "dump", "--payload", directory});
  std::istringstream all(dump.said());
  EXPECT_EQ(dump.exit_code(), 0);
  Lines lines;
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}

/// What lies in a stream's directory, file by file.
std::map<std::string, std::string> content_of(const std::string& directory) {
  std::map<std::string, std::string> content;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::string bytes(entry.file_size(), '\0');
    std::ifstream(entry.path(), std::ios::binary).read(bytes.data(), std::ssize(bytes));
    content[entry.path().filename()] = std::move(bytes);
  }
  return content;
}

class FaultFs : public OnEachBackend {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    static const std::string left = leave_mounts();
    cannot_ = left;
  }
  void SetUp() override {
    if (!cannot_.empty()) GTEST_SKIP() << "no file system can be mounted here: " << cannot_;
    disk_ = std::make_unique<FaultDisk>(directory_.path());
    if (!disk_->cannot().empty()) {
      GTEST_SKIP() << "no file system can be mounted here: " << disk_->cannot();
    }
  }
  void TearDown() override {
    primary_.reset();
    b_.reset();
    c_.reset();
    disk_.reset();
  }

  [[nodiscard]] std::string at(const std::string& name) const {
    return directory_.path() + '/' + name;
  }
  void start_primary(const std::string& directory, const Lines& more) {
    Lines words{"node", "--role=primary", "--listen=" + address_, "--level=durable", "--wait=60",
                "--segment-mib=8", "--directory=" + directory, backend()};
    words.insert(words.end(), more.begin(), more.end());
    for (bool listens = false; !listens;) {
      primary_ = std::make_unique<Tool>("primary", words);
      listens = primary_->hear_or_end("listening on").has_value();
      if (listens) continue;
      // The port of one that was killed stays taken for a moment (see restart_test.cpp).
      ASSERT_PRED2(has, primary_->said(), "in use");
    }
  }
  std::unique_ptr<Tool> replica(const std::string& name, const std::string& directory) {
    return std::make_unique<Tool>(
        "replica", Lines{"node", "--role=replica", "--primary=" + address_, "--name=" + name,
                         "--segment-mib=8", "--directory=" + directory, backend()});
  }
  /// What becomes of a line; where it ends when it was released with so many copies.
  std::string tell(const std::string& line) {
    primary_->tell(line);
    return primary_->hear("line");
  }
  std::uint64_t release(const std::string& line, int copies) {
    const std::string echo = tell(line);
    EXPECT_PRED2(has, echo, kReleased + std::to_string(copies));
    return number_after(echo, "position=");
  }
  std::string status() {
    Tool tool("status", {"status", "--json", "--address=" + address_});
    EXPECT_EQ(tool.exit_code(), 0);
    return tool.said();
  }
  /// What the primary counts as durable at a replica.
  std::uint64_t durable_at(const std::string& name) {
    const std::string all = status();
    return number_after(all.substr(all.find("\"name\":\"" + name)), "\"durable\":");
  }
  void until_durable_at(const std::string& name, std::uint64_t position) {
    eventually(name + " has it on its disk", [&] { return durable_at(name) == position; });
  }
  void expect_fenced(const std::string& fault, const std::string& what, const Lines& more);
  [[nodiscard]] static std::string backend() { return std::string("--backend=") + GetParam(); }

  OwnedDirectory directory_ = OwnedDirectory::make_fresh("", false).value();
  std::string address_ = "127.0.0.1:" + std::to_string(free_port());
  std::unique_ptr<FaultDisk> disk_;
  std::unique_ptr<Tool> primary_;
  std::unique_ptr<Tool> b_;
  std::unique_ptr<Tool> c_;
  static std::string cannot_;
};
std::string FaultFs::cannot_;
INSTANTIATE_TEST_SUITE_P(Backends, FaultFs, testing::Values("io_uring", "epoll"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST_P(FaultFs, AReplicaWhoseDiskRefusesAWriteEndsItsLogAndTheOthersGoOn) {
  start_primary(at("a"), {"--replicas=b,c", "--mode=copies:2", "--echo"});
  b_ = replica("b", disk_->at("b"));
  c_ = replica("c", at("c"));
  const std::uint64_t first = release("first", 2);
  until_durable_at("b", first);
  disk_->deal("write EIO 1 segment-");
  const std::uint64_t second = release("second", 2);
  const std::string last_words = b_->hear("its log failed, it follows no longer");
  EXPECT_PRED2(has, last_words, "write of " + disk_->at("b") + kSegment + ": Input/output error");
  EXPECT_EQ(b_->exit_code(), 1) << b_->said();
  until_durable_at("c", second);
  EXPECT_EQ(durable_at("b"), first);
  const std::uint64_t third = release("third", 2);
  until_durable_at("c", third);
  EXPECT_EQ(durable_at("b"), first);
  EXPECT_GE(disk_->heal(), 1u);
  EXPECT_EQ(lines_in(disk_->behind("b")), Lines{"first"});

  b_ = replica("b", disk_->at("b"));
  until_durable_at("b", third);
  EXPECT_EQ(lines_in(disk_->behind("b")), (Lines{"first", "second", "third"}));
}

/// A primary that is told more lines than its disk takes.
void FaultFs::expect_fenced(const std::string& fault, const std::string& what,
                            const Lines& more) {
  constexpr int kTold = 40;
  Lines words{"--replicas=b", "--mode=sync", "--echo"};
  words.insert(words.end(), more.begin(), more.end());
  start_primary(disk_->at("a"), words);
  b_ = replica("b", at("b"));
  Lines released, told;
  std::uint64_t end = release("before", 2);
  released.push_back("before");
  disk_->deal(fault);
  for (int i = 1; i <= kTold; ++i) {
    told.push_back("line of the test, number " + std::to_string(i));
    primary_->tell(told.back());
  }
  int unknown = 0, rejected = 0;
  for (const std::string& line : told) {
    // Why it was fenced is said in between.
    const std::string echo = primary_->hear("line" + std::string(unknown == 0 ? "=" : ""));
    if (has(echo, " released ")) {
      EXPECT_EQ(unknown + rejected, 0) << echo;
      EXPECT_PRED2(has, echo, kReleased + "2");
      end = number_after(echo, "position=");
      released.push_back(line);
    } else if (has(echo, " unknown ")) {
      ++unknown;
    } else {
      EXPECT_PRED2(has, echo, "rejected: this epoch was given up");
      ++rejected;
    }
  }
  EXPECT_GT(released.size(), 1u);
  EXPECT_EQ(unknown, 1);
  EXPECT_GT(rejected, 0);
  primary_->interrupt();
  EXPECT_EQ(primary_->exit_code(), 1);
  EXPECT_PRED2(has, primary_->said(),
               "its log has ended: " + what + " of " + disk_->at("a") + kSegment +
                   ": Input/output error; its epoch is given up");
  EXPECT_GE(disk_->heal(), 1u);
  const Lines on_disk = lines_in(disk_->behind("a"));
  ASSERT_GE(on_disk.size(), released.size());
  EXPECT_TRUE(std::equal(released.begin(), released.end(), on_disk.begin()));

  // It was told goodbye.
  EXPECT_EQ(b_->exit_code(), 0) << b_->said();
  start_primary(disk_->at("a"), words);
  b_ = replica("b", at("b"));
  EXPECT_GE(number_after(primary_->hear("goes on at position"), "position "), end);
  release("after", 2);
  const Lines now = lines_in(disk_->behind("a"));
  ASSERT_GT(now.size(), released.size());
  EXPECT_TRUE(std::equal(released.begin(), released.end(), now.begin()));
  EXPECT_EQ(now.back(), "after");
  EXPECT_EQ(lines_in(at("b")), now);
}

TEST_P(FaultFs, APrimaryWhoseDiskRefusesAWriteIsFencedAndHoldsAllThatItReleased) {
  expect_fenced("write EIO 20 segment-", "write", {});
}

TEST_P(FaultFs, APrimaryWhoseDiskRefusesASyncIsFencedAndHoldsAllThatItReleased) {
  expect_fenced("fsync EIO 20 segment-", "sync", {"--buffered"});
}

TEST_P(FaultFs, AFullDiskRefusesLinesByNameAndTheyAreTakenAgainWhenThereIsSpace) {
  constexpr int kMoreThanTwoFiles = 330;  // the second may have been made ahead
  start_primary(disk_->at("a"), {"--mode=async", "--ring-kib=1024"});
  disk_->deal("fallocate ENOSPC 1");
  Lines told;
  const auto tell_one = [&](const std::string& text) {
    told.push_back(std::to_string(told.size() + 1) + text);
    primary_->tell(told.back());
  };
  for (int i = 0; i < kMoreThanTwoFiles; ++i) tell_one(std::string(kLong_bytes, 'x'));
  primary_->hear("preallocation of " + disk_->at("a") +
                 "/stream-00000/segment.new: No space left on device; writes are refused");
  primary_->hear("rejected: the log's disk is full; writes are taken again when it is not");
  const std::uint64_t full_at = number_after(status(), "\"appended\":");
  EXPECT_LT(number_after(status(), "\"durable\":"), full_at) << "something waits for space";
  EXPECT_GE(disk_->heal(), 1u);
  eventually("what was taken is on the disk", [&] {
    return number_after(status(), "\"durable\":") >= full_at;
  });
  eventually("lines are taken again", [&] {
    tell_one("after");
    return number_after(status(), "\"appended\":") > full_at;
  });
  primary_->interrupt();
  EXPECT_EQ(primary_->exit_code(), 1) << "lines were rejected";
  const std::string said = primary_->said();
  const std::string::size_type last = said.find("\nlines=");
  ASSERT_NE(last, std::string::npos) << said;
  EXPECT_NE(said.find(" released\n", last), std::string::npos) << said;
  told.resize(number_after(said, "\nlines="));
  const std::string rejected = ": rejected: the log's disk is full";
  for (auto at = said.find(rejected); at != std::string::npos; at = said.find(rejected, at + 1)) {
    const std::string::size_type number = said.rfind("line ", at) + 5;
    told.at(std::stoull(said.substr(number, at - number)) - 1).clear();
  }
  std::erase(told, "");
  EXPECT_TRUE(lines_in(disk_->behind("a")) == told);
}

TEST_P(FaultFs, AWriteThatMovesLessIsGoneOnWith) {
  // With a direct write of io_uring the kernel goes on by itself, and on a file system like this
  // one writes the rest over the beginning (seen with 6.18).
  const bool direct = std::string(GetParam()) == "epoll";
  Lines words{"--mode=async", "--echo"};
  if (!direct) words.emplace_back("--buffered");
  start_primary(disk_->at("a"), words);
  Lines told;
  disk_->deal("short 1 segment-");
  for (const std::size_t bytes : {kLong_bytes, std::size_t{10}, kLong_bytes, std::size_t{5000}}) {
    told.push_back(std::string(bytes, static_cast<char>('a' + told.size())));
    release(told.back(), 1);
  }
  EXPECT_GT(disk_->heal(), 20u);
  EXPECT_TRUE(lines_in(disk_->behind("a")) == told);
  primary_->kill();
  start_primary(disk_->at("a"), words);
  told.emplace_back("after");
  release(told.back(), 1);
  EXPECT_TRUE(lines_in(disk_->behind("a")) == told);
}

/// No primary is there from which it could come again.
TEST_P(FaultFs, AReplicaThatCannotReadItsLogEndsAndKeepsWhatItAcknowledged) {
  start_primary(at("a"), {"--replicas=b", "--mode=sync", "--echo"});
  b_ = replica("b", disk_->at("b"));
  const Lines told{"first", std::string(kLong_bytes, 'x'), "last"};
  for (const std::string& line : told) release(line, 2);
  primary_->kill();
  b_->kill();
  const auto before = content_of(disk_->behind("b/stream-00000"));
  for (const int number : {1, 2, 3, 6}) {
    disk_->deal("read EIO " + std::to_string(number) + " segment-");
    b_ = replica("b", disk_->at("b"));
    EXPECT_EQ(b_->exit_code(), 1);
    EXPECT_PRED2(has, b_->said(), "read of " + disk_->at("b") + kSegment +
                                      ": Input/output error; nothing is given up for it");
    EXPECT_GE(disk_->heal(), 1u);
    EXPECT_TRUE(content_of(disk_->behind("b/stream-00000")) == before) << number;
  }
  start_primary(disk_->at("b"), {"--name=b", "--mode=async", "--echo"});
  EXPECT_TRUE(lines_in(disk_->behind("b")) == told);
}

TEST_P(FaultFs, AReadErrorWhileOpeningIsToldAndNothingIsCut) {
  start_primary(disk_->at("a"), {"--mode=async", "--echo"});
  const Lines told{"first", std::string(kLong_bytes, 'x'), "last"};
  std::uint64_t end = 0;
  for (const std::string& line : told) end = release(line, 1);
  primary_->kill();
  const auto before = content_of(disk_->behind("a/stream-00000"));
  // The header, all behind it, and parts that lie further behind.
  for (const int number : {1, 2, 3, 6}) {
    disk_->deal("read EIO " + std::to_string(number) + " segment-");
    Tool refused("primary", {"node", "--role=primary", "--listen=" + address_,
                             "--directory=" + disk_->at("a"), backend()});
    EXPECT_EQ(refused.exit_code(), 1);
    EXPECT_PRED2(has, refused.said(),
                 "read of " + disk_->at("a") + kSegment + ": Input/output error");
    EXPECT_GE(disk_->heal(), 1u);
    EXPECT_TRUE(content_of(disk_->behind("a/stream-00000")) == before) << number;
  }
  start_primary(disk_->at("a"), {"--mode=async", "--echo"});
  EXPECT_EQ(number_after(primary_->hear("goes on at position"), "position "), end);
  EXPECT_TRUE(lines_in(disk_->behind("a")) == told);
}

}  // namespace
}  // namespace quorate::cluster
