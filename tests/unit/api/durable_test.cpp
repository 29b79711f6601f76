// Primary and replicas with directories, in one process over loopback.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"

namespace quorate {
namespace {

using namespace std::chrono_literals;

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "quorate-durable-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class DurableTest : public testing::Test {
 protected:
  PrimaryOptions primary_options(std::vector<std::string> replicas) {
    PrimaryOptions options;
    options.directory = directory_.at("a");
    options.storage.segment_bytes = 8u << 20;
    options.replicas = std::move(replicas);
    return options;
  }
  ReplicaOptions replica_options(const std::string& name, const Primary& primary) {
    ReplicaOptions options;
    options.directory = directory_.at(name);
    options.storage.segment_bytes = 8u << 20;
    options.name = name;
    options.primary = primary.address();
    options.backoff_max = 100ms;
    return options;
  }
  Directory directory_;
};

TEST_F(DurableTest, AWriteIsReleasedDurableWithoutReplicas) {
  auto primary = Primary::open(primary_options({})).value();
  const Ticket ticket = primary.stream(0).append("hello").value();
  const Outcome outcome = primary.wait(ticket, async(Level::durable), 10s).value();
  EXPECT_TRUE(outcome.released());
  EXPECT_EQ(outcome.copies, 1u);
}

TEST_F(DurableTest, APrimaryGoesOnBehindWhatItsLogHolds) {
  Ticket first;
  {
    auto primary = Primary::open(primary_options({})).value();
    first = primary.stream(0).append("hello").value();
    ASSERT_TRUE(primary.wait(first, async(Level::durable), 10s).value().released());
  }
  auto primary = Primary::open(primary_options({})).value();
  EXPECT_GT(primary.epoch().number, first.epoch.number);
  const Ticket second = primary.stream(0).append("again").value();
  EXPECT_EQ(second.end, first.end + 16);
  EXPECT_TRUE(primary.wait(second, async(Level::durable), 10s).value().released());
}

TEST_F(DurableTest, AWriteIsReleasedWhenAllHaveItOnDisk) {
  auto primary = Primary::open(primary_options({"b"})).value();
  auto replica = Replica::open(replica_options("b", primary)).value();
  std::atomic<int> applied{0};
  std::thread applying([&] {
    static_cast<void>(replica.run([&](const Record&) { ++applied; }));
  });
  for (int i = 0; i < 100; ++i) {
    const Ticket ticket = primary.stream(0).append("hello").value();
    const Outcome outcome = primary.wait(ticket, sync(Level::durable), 10s).value();
    ASSERT_TRUE(outcome.released());
    EXPECT_EQ(outcome.copies, 2u);
  }
  const Ticket last = primary.stream(0).append("last").value();
  EXPECT_TRUE(primary.wait(last, sync(Level::applied), 10s).value().released());
  EXPECT_EQ(applied.load(), 101);
  replica.stop();
  applying.join();
}

/// A replica whose program counts and sums what it applies, on a thread of its own.
class Follower {
 public:
  explicit Follower(const ReplicaOptions& options) : replica_(Replica::open(options).value()) {
    thread_ = std::thread([this] {
      ended_ = replica_.run([this](const Record& record) {
        for (const std::byte byte : record.payload) sum_ = sum_ * 31 + std::to_integer<int>(byte);
        end_.store(record.end);
        ++records_;
      });
    });
  }
  ~Follower() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    replica_.stop();
    thread_.join();
    replica_.close();
  }
  Replica& replica() { return replica_; }
  [[nodiscard]] int records() const { return records_.load(); }
  [[nodiscard]] Position end() const { return end_.load(); }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }

 private:
  Replica replica_;
  std::atomic<int> records_{0};
  std::atomic<Position> end_{0};
  std::uint64_t sum_ = 0;
  Status ended_ = Done{};
  std::thread thread_;
};

/// Writes `count` records of `bytes` bytes; the ticket of the last.
Ticket write(Primary& primary, int count, std::size_t bytes) {
  Ticket last;
  std::string payload(bytes, 'x');
  for (int i = 0; i < count; ++i) {
    payload[0] = static_cast<char>('a' + i % 26);
    for (;;) {
      auto ticket = primary.stream(0).append(payload);
      if (ticket) {
        last = ticket.value();
        break;
      }
      EXPECT_EQ(ticket.error().code, Errc::busy) << ticket.error().text;
      if (!primary.stream(0).wait_space(bytes, 10s)) return last;
    }
  }
  return last;
}

std::uint64_t sum_of(int count, std::size_t bytes) {
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    for (std::size_t at = 0; at < bytes; ++at) {
      sum = sum * 31 + static_cast<std::uint64_t>(at == 0 ? 'a' + i % 26 : 'x');
    }
  }
  return sum;
}

TEST_F(DurableTest, AReplicaThatComesLateIsFedFromTheLog) {
  auto primary = Primary::open(primary_options({"b"})).value();
  const Ticket last = write(primary, 20'000, 1000);
  Follower follower(replica_options("b", primary));
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  EXPECT_EQ(follower.records(), 20'000);
  follower.stop();
  EXPECT_EQ(follower.sum(), sum_of(20'000, 1000));
}

TEST_F(DurableTest, CatchingUpIsNoFasterThanItMayBe) {
  constexpr std::uint64_t kRate = 10'000'000;
  PrimaryOptions options = primary_options({"b"});
  options.catch_up_bytes_per_second = kRate;
  options.lag.kind = LagPolicy::Kind::drop;
  auto primary = Primary::open(options).value();
  const Ticket last = write(primary, 10'000, 1000);
  const auto begun = std::chrono::steady_clock::now();
  Follower follower(replica_options("b", primary));
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  // The ring holds the last part; a lower bound, which a slow machine only exceeds.
  const std::uint64_t fed_bytes = last.end - options.ring_bytes - (1u << 20);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1000ms * fed_bytes / kRate);
}

TEST_F(DurableTest, AReplicaWithoutADirectoryIsFedFromTheLogAsWell) {
  PrimaryOptions alone = primary_options({"b"});
  alone.protected_copies = 1;  // b has nothing durable, so it cannot protect anything
  auto primary = Primary::open(alone).value();
  const Ticket last = write(primary, 20'000, 1000);
  ReplicaOptions options = replica_options("b", primary);
  options.directory.clear();
  Follower follower(options);
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  follower.stop();
  EXPECT_EQ(follower.sum(), sum_of(20'000, 1000));
}

TEST_F(DurableTest, AReplicaShowsItsProgramItsLogAgainAndGoesOn) {
  auto primary = Primary::open(primary_options({"b"})).value();
  {
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 20'000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  }
  Follower again(replica_options("b", primary));
  const Ticket last = write(primary, 26, 1000);
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  EXPECT_EQ(again.records(), 20'026);
  EXPECT_GE(again.replica().report().resumes, 1u);
}

TEST_F(DurableTest, AProgramThatSaysWhatItAppliedSeesNothingTwice) {
  auto primary = Primary::open(primary_options({"b"})).value();
  Position applied = 0;
  {
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 1000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
    applied = 600 * (1000 + 8);
  }
  ReplicaOptions options = replica_options("b", primary);
  options.resume_after = {applied};
  Follower again(options);
  const Ticket last = write(primary, 10, 1000);
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  EXPECT_EQ(again.records(), 410);
}

TEST_F(DurableTest, WhatAProgramHasNotConfirmedIsNotApplied) {
  auto primary = Primary::open(primary_options({"b"})).value();
  ReplicaOptions options = replica_options("b", primary);
  options.confirmed = true;
  Follower follower(options);
  const Ticket first = write(primary, 1, 1000);
  const Ticket last = write(primary, 1, 1000);
  ASSERT_TRUE(primary.wait(last, sync(Level::durable), 20s).value().released());
  while (follower.records() < 2) std::this_thread::yield();
  EXPECT_FALSE(primary.wait(first, sync(Level::applied), 20ms).value().released());
  Status confirmed = follower.replica().confirm(0, first.end);
  while (!confirmed) confirmed = follower.replica().confirm(0, first.end);
  EXPECT_TRUE(primary.wait(first, sync(Level::applied), 20s).value().released());
  EXPECT_FALSE(primary.wait(last, sync(Level::applied), 20ms).value().released());
  EXPECT_EQ(follower.replica().confirm(0, last.end + 8).error().code, Errc::invalid_option);
  EXPECT_EQ(follower.replica().confirm(1, 8).error().code, Errc::invalid_option);
}

TEST_F(DurableTest, APositionInTheMiddleOfARecordIsRefused) {
  auto primary = Primary::open(primary_options({"b"})).value();
  {
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 1000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  }
  ReplicaOptions options = replica_options("b", primary);
  options.resume_after = {600 * (1000 + 8) + 8};
  auto replica = Replica::open(options).value();
  const Status ended = replica.run([](const Record&) {});
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().text.find("resume_after"), std::string::npos) << ended.error().text;
}

TEST_F(DurableTest, WhatAPrimaryNeverHadOnDiskIsCutFromItsReplica) {
  // The primary's directory goes back to what it was before the last writes, as if the machine had
  // lost power before they were durable there.
  Position common = 0;
  {
    auto primary = Primary::open(primary_options({"b"})).value();
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 1000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::durable), 20s).value().released());
    common = last.end;
  }
  std::filesystem::copy(directory_.at("a"), directory_.at("a-before"),
                        std::filesystem::copy_options::recursive);
  {
    PrimaryOptions alone = primary_options({"b", "c"});
    alone.protected_copies = 3;  // nothing is committed while c is away
    auto primary = Primary::open(alone).value();
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 500, 1000);
    ASSERT_TRUE(primary.wait(last, any(1, {"b"}, Level::durable), 20s).value().released());
    EXPECT_EQ(last.end, common + 500 * 1008);
  }
  std::filesystem::remove_all(directory_.at("a"));
  std::filesystem::rename(directory_.at("a-before"), directory_.at("a"));
  // It does not know how many reigns there were, and its replica follows no older one.
  for (int reigns = 0; reigns < 2; ++reigns) {
    EXPECT_TRUE(Primary::open(primary_options({"b"})));
  }
  auto primary = Primary::open(primary_options({"b"})).value();
  Follower follower(replica_options("b", primary));
  const Ticket last = write(primary, 10, 1000);
  EXPECT_EQ(last.end, common + 10 * 1008);
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  EXPECT_EQ(follower.records(), 1010);
  EXPECT_EQ(follower.end(), last.end);
}

/// Turns one bit in the middle of the oldest segment of that node's stream 0.
void damage(const std::string& node) {
  std::vector<std::string> segments;
  for (const auto& each : std::filesystem::directory_iterator(node + "/stream-00000")) {
    if (each.path().filename().string().starts_with("segment")) segments.push_back(each.path());
  }
  ASSERT_FALSE(segments.empty());
  std::sort(segments.begin(), segments.end());
  std::fstream file(segments[0], std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(1 << 20);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(1 << 20);
  file.put(byte);
}

TEST_F(DurableTest, WhatADiskSpoiledComesFromThePrimaryAgain) {
  auto primary = Primary::open(primary_options({"b"})).value();
  {
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 20'000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  }
  damage(directory_.at("b"));
  {
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 26, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
    EXPECT_EQ(follower.records(), 20'026);
  }
  // And it is whole afterwards.
  Follower follower(replica_options("b", primary));
  const Ticket last = write(primary, 1, 1000);
  ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
  EXPECT_EQ(follower.records(), 20'027);
}

TEST_F(DurableTest, WhatAProgramAppliedAndItsDiskSpoiledIsNotShownAgain) {
  auto primary = Primary::open(primary_options({"b"})).value();
  ReplicaOptions options = replica_options("b", primary);
  {
    Follower follower(options);
    const Ticket last = write(primary, 12'000, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
    options.resume_after = {last.end};
  }
  damage(directory_.at("b"));
  for (int life = 0; life < 2; ++life) {
    Follower again(options);
    const Ticket last = write(primary, 10, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::durable), 20s).value().released());
    ASSERT_TRUE(primary.wait(last, sync(Level::applied), 20s).value().released());
    EXPECT_EQ(again.records(), 10);
    options.resume_after = {last.end};
  }
}

TEST_F(DurableTest, APrimaryWhoseDiskSpoiledWhatWasDurableDoesNotLead) {
  {
    auto primary = Primary::open(primary_options({})).value();
    const Ticket last = write(primary, 5'000, 1000);
    ASSERT_TRUE(primary.wait(last, async(Level::durable), 20s).value().released());
  }
  damage(directory_.at("a"));
  auto primary = Primary::open(primary_options({}));
  ASSERT_FALSE(primary);
  EXPECT_EQ(primary.error().code, Errc::corrupt);
  EXPECT_NE(primary.error().text.find("cannot lead"), std::string::npos) << primary.error().text;
}

TEST_F(DurableTest, AReplicaFollowsNoPrimaryOfAnOlderEpoch) {
  { auto primary = Primary::open(primary_options({"b"})).value(); }
  std::filesystem::copy(directory_.at("a"), directory_.at("a-before"),
                        std::filesystem::copy_options::recursive);
  for (int reigns = 0; reigns < 2; ++reigns) {
    auto primary = Primary::open(primary_options({"b"})).value();
    Follower follower(replica_options("b", primary));
    const Ticket last = write(primary, 10, 1000);
    ASSERT_TRUE(primary.wait(last, sync(Level::durable), 20s).value().released());
  }
  std::filesystem::remove_all(directory_.at("a"));
  std::filesystem::rename(directory_.at("a-before"), directory_.at("a"));
  auto primary = Primary::open(primary_options({"b"})).value();
  Follower follower(replica_options("b", primary));
  while (follower.replica().report().state != ReplicaReport::State::refused) {
    std::this_thread::yield();
  }
  EXPECT_NE(follower.replica().report().reason.find("fenced"), std::string::npos);
}

TEST_F(DurableTest, ADirectoryBelongsToOneProcessAtATime) {
  auto primary = Primary::open(primary_options({})).value();
  auto second = Primary::open(primary_options({}));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text.find(directory_.at("a")), std::string::npos)
      << second.error().text;
}

TEST_F(DurableTest, ADirectoryBelongsToTheNodeThatWroteIt) {
  { auto primary = Primary::open(primary_options({})).value(); }
  PrimaryOptions other = primary_options({});
  other.name = "z";
  auto refused = Primary::open(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::incompatible);
  EXPECT_NE(refused.error().text.find("cluster quorate node a"), std::string::npos)
      << refused.error().text;
  EXPECT_TRUE(Primary::open(primary_options({})));
}

TEST_F(DurableTest, SegmentsThatNobodyNeedsAreGivenUp) {
  PrimaryOptions options = primary_options({});
  options.storage.retain_bytes = 16u << 20;
  auto primary = Primary::open(options).value();
  const Ticket last = write(primary, 100'000, 1000);
  ASSERT_TRUE(primary.wait(last, async(Level::durable), 20s).value().released());
  const auto files = [&] {
    std::size_t count = 0;
    for (const auto& each :
         std::filesystem::recursive_directory_iterator(directory_.at("a"))) {
      count += each.path().filename().string().starts_with("segment") ? 1 : 0;
    }
    return count;
  };
  // Retention looks now and then, and gives up one after another.
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (files() > 6 && std::chrono::steady_clock::now() < until) {
    static_cast<void>(primary.wait(write(primary, 1, 8), async(Level::durable), 1s));
  }
  EXPECT_LE(files(), 6u);
}

}  // namespace
}  // namespace quorate
