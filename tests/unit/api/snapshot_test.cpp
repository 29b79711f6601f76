// Replicas that come by snapshot, because the log no longer holds what they lack.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"

namespace quorate {
namespace {

using namespace std::chrono_literals;
using State = ReplicaReport::State;

constexpr std::size_t kRecord_bytes = 16'000;
constexpr Position kRecord = kRecord_bytes + kRecordHeaderBytes;

class Directory {
 public:
  Directory() {
    std::string name =
        (std::filesystem::temp_directory_path() / "quorate-snapshot-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// What a program makes of the records: as of a position, the same on every node.
struct Digest {
  Position end = 0;
  std::uint64_t sum = 0;

  void add(std::string_view payload, Position to) {
    sum = sum * 31 + std::hash<std::string_view>{}(payload);
    end = to;
  }
  /// As a file of that size at least.
  void save(const std::string& path, std::size_t bytes = 0) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    std::string text = std::to_string(end) + " " + std::to_string(sum) + "\n";
    file << text;
    std::string filler(64 << 10, '.');
    for (std::size_t at = text.size(); at < bytes; at += filler.size()) {
      for (std::size_t i = 0; i < filler.size(); i += 512) filler[i] = static_cast<char>(at >> 16);
      file << filler;
    }
  }
  static Digest load(const std::string& path) {
    Digest digest;
    std::ifstream(path) >> digest.end >> digest.sum;
    return digest;
  }
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// A replica and its program, on a thread of its own.
class Follower {
 public:
  using Also = std::function<Status(const Snapshot&)>;

  explicit Follower(ReplicaOptions options, Also also = {}) : also_(std::move(also)) {
    options.install = [this](const Snapshot& snapshot) { return install(snapshot); };
    if (!options.resume_after.empty()) digest_.end = options.resume_after[0];
    replica_.emplace(Replica::open(std::move(options)).value());
    thread_ = std::thread([this] {
      ended_ = replica_->run([this](const Record& record) {
        std::lock_guard lock(mutex_);
        if (record.begin != digest_.end) ++gaps_;
        digest_.add(record.text(), record.end);
        ++records_;
      });
    });
  }
  ~Follower() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    replica_->stop();
    thread_.join();
    replica_->close();
  }
  Replica& replica() { return *replica_; }
  [[nodiscard]] Digest digest() const {
    std::lock_guard lock(mutex_);
    return digest_;
  }
  [[nodiscard]] std::vector<Snapshot> installed() const {
    std::lock_guard lock(mutex_);
    return installed_;
  }
  [[nodiscard]] int gaps() const { return gaps_.load(); }
  [[nodiscard]] int records() const { return records_.load(); }

 private:
  Status install(const Snapshot& snapshot) {
    if (also_) {
      if (auto status = also_(snapshot); !status) return status;
    }
    std::lock_guard lock(mutex_);
    digest_ = {snapshot.position, 0};
    if (snapshot.bytes != 0) digest_ = Digest::load(snapshot.path);
    EXPECT_EQ(digest_.end, snapshot.position);
    installed_.push_back(snapshot);
    return Done{};
  }

  Also also_;
  mutable std::mutex mutex_;
  Digest digest_;
  std::vector<Snapshot> installed_;
  std::atomic<int> gaps_{0};
  std::atomic<int> records_{0};
  Status ended_ = Done{};
  std::optional<Replica> replica_;
  std::thread thread_;
};

template <typename Condition>
bool eventually(const Condition& condition) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

class SnapshotTest : public testing::Test {
 protected:
  PrimaryOptions primary_options() {
    PrimaryOptions options;
    options.directory = directory_.at("a");
    options.storage.segment_bytes = 8u << 20;
    options.storage.retain_bytes = 8u << 20;
    options.storage.retain_bytes_hard = 32u << 20;
    options.replicas = {"b"};
    options.protected_copies = 1;
    options.lag.kind = LagPolicy::Kind::drop;
    return options;
  }
  ReplicaOptions replica_options(const Primary& primary) {
    ReplicaOptions options;
    options.directory = directory_.at("b");
    options.storage.segment_bytes = 8u << 20;
    options.primary = primary.address();
    options.backoff_min = 5ms;
    options.backoff_max = 20ms;
    return options;
  }

  void write(Primary& primary, int count) {
    std::string payload(kRecord_bytes, 'x');
    Ticket last;
    for (int i = 0; i < count; ++i) {
      payload[0] = static_cast<char>('a' + written_++ % 26);
      for (;;) {
        auto ticket = primary.append(payload);
        if (ticket) {
          last = ticket.value();
          break;
        }
        ASSERT_EQ(ticket.error().code, Errc::busy) << ticket.error().text;
        ASSERT_TRUE(primary.stream().wait_space(payload.size(), 10s));
      }
      state_.add(payload, last.end);
    }
    ASSERT_TRUE(primary.wait(last, async(Level::durable), 20s).value().released());
    ASSERT_TRUE(eventually([&] { return primary.stream().status().committed >= last.end; }));
  }
  /// Until the log no longer reaches back to `position`.
  void write_until_gone(Primary& primary, Position position) {
    for (int i = 0; i < 40 && primary.stream().status().log_first <= position; ++i) {
      write(primary, 200);
      ASSERT_FALSE(HasFatalFailure());
    }
    ASSERT_TRUE(eventually([&] { return primary.stream().status().log_first > position; }));
  }
  void offer(Primary& primary, const std::string& name, std::size_t bytes = 0) {
    state_.save(directory_.at(name), bytes);
    offer_file(primary, name, state_.end);
  }
  void offer_file(Primary& primary, const std::string& name, Position position) {
    auto offered = primary.stream().offer_snapshot(directory_.at(name), position);
    ASSERT_TRUE(offered.has_value()) << offered.error().text;
    ASSERT_TRUE(eventually([&] {
      return primary.stream().status().snapshot_position == position;
    })) << primary.stream().status().snapshot_error;
  }
  void expect_follows(Follower& follower) {
    EXPECT_TRUE(eventually([&] { return follower.digest().end == state_.end; }))
        << follower.digest().end << " of " << state_.end << ": "
        << follower.replica().report().reason;
    EXPECT_EQ(follower.digest(), state_);
  }

  Directory directory_;
  Digest state_;
  int written_ = 0;
};

TEST_F(SnapshotTest, ANewReplicaBehindTheLogGetsTheSnapshotAndThenAllRecordsBehindIt) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  offer(primary, "s");
  write(primary, 100);
  Follower follower(replica_options(primary));
  expect_follows(follower);
  write(primary, 100);
  expect_follows(follower);
  ASSERT_EQ(follower.installed().size(), 1u);
  EXPECT_EQ(follower.installed()[0].position, state_.end - 200 * kRecord);
  EXPECT_EQ(follower.records(), 200);
  EXPECT_EQ(follower.gaps(), 0);
}

TEST_F(SnapshotTest, AReplicaThatWasAwayForTooLongGetsTheSnapshot) {
  auto primary = Primary::open(primary_options()).value();
  write(primary, 10);
  ReplicaOptions options = replica_options(primary);
  {
    Follower follower(options);
    expect_follows(follower);
  }
  const Position before = state_.end;
  write_until_gone(primary, before);
  offer(primary, "s", 1u << 20);
  options.resume_after = {before};
  Follower follower(options);
  expect_follows(follower);
  EXPECT_EQ(follower.installed().size(), 1u);
  const auto status = primary.stream().status();
  EXPECT_FALSE(status.snapshot_wanted);
  EXPECT_GE(status.snapshot_bytes, 1u << 20);
}

TEST_F(SnapshotTest, ASnapshotMayBeAsOfTheMiddleOfAFrame) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  // What stands behind a claim waits for it, and so becomes one frame.
  auto claim = primary.stream().claim(8).value();
  std::memcpy(claim.bytes().data(), "claimed.", 8);
  Ticket last;
  std::vector<std::pair<std::string, Position>> records{{"claimed.", 0}};
  for (int i = 1; i < 64; ++i) {
    records.emplace_back("small " + std::to_string(i), 0);
    last = primary.append(records.back().first).value();
    records.back().second = last.end;
  }
  records[0].second = claim.publish().end;
  std::vector<Digest> digests;
  for (const auto& [payload, end] : records) {
    state_.add(payload, end);
    digests.push_back(state_);
  }
  ASSERT_TRUE(primary.wait(last, async(Level::durable), 10s).value().released());
  ASSERT_TRUE(eventually([&] { return primary.stream().status().committed >= last.end; }));
  for (const std::size_t at : {20u, 33u, 47u}) {
    digests[at].save(directory_.at("s"));
    offer_file(primary, "s", digests[at].end);
    std::filesystem::remove_all(directory_.at("b"));
    Follower follower(replica_options(primary));
    expect_follows(follower);
    EXPECT_EQ(follower.records(), 63 - static_cast<int>(at));
    EXPECT_EQ(follower.gaps(), 0);
  }
}

TEST_F(SnapshotTest, AReplicaThatTakesNoneNeedsAFullCopy) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  offer(primary, "s");
  auto replica = Replica::open(replica_options(primary)).value();
  auto ended = replica.run([](const Record&) {});
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Errc::needs_full_copy);
  EXPECT_FALSE(primary.stream().status().snapshot_wanted);
}

TEST_F(SnapshotTest, AReplicaWaitsUntilASnapshotIsOffered) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  Follower follower(replica_options(primary));
  ASSERT_TRUE(eventually([&] { return primary.stream().status().snapshot_wanted; }));
  ASSERT_TRUE(eventually([&] {
    return follower.replica().report().state == State::needs_full_copy;
  }));
  offer(primary, "s");
  expect_follows(follower);
  EXPECT_FALSE(primary.stream().status().snapshot_wanted);
  EXPECT_EQ(follower.replica().report().state, State::streaming);
}

TEST_F(SnapshotTest, WhatCannotBeASnapshotIsRefusedAtOnceOrToldInTheStatus) {
  auto primary = Primary::open(primary_options()).value();
  write(primary, 2);
  Stream stream = primary.stream();
  EXPECT_EQ(stream.offer_snapshot("x", 0).error().code, Errc::invalid_option);
  EXPECT_EQ(stream.offer_snapshot("x", state_.end + 8).error().code, Errc::busy);
  ASSERT_TRUE(stream.offer_snapshot(directory_.at("none"), state_.end).has_value());
  EXPECT_TRUE(eventually([&] {
    return stream.status().snapshot_error.find("No such file") != std::string::npos;
  }));
  state_.save(directory_.at("s"));
  ASSERT_TRUE(stream.offer_snapshot(directory_.at("s"), state_.end - 8).has_value());
  EXPECT_TRUE(eventually([&] {
    return stream.status().snapshot_error.find("no record ends") != std::string::npos;
  }));
  EXPECT_EQ(stream.status().snapshot_position, 0u);
  PrimaryOptions options;
  options.replicas = {"b"};
  auto in_memory = Primary::open(options).value();
  EXPECT_EQ(in_memory.stream().offer_snapshot("x", 8).error().code, Errc::unsupported);
}

TEST_F(SnapshotTest, AFileWithoutBytesIsASnapshot) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  std::ofstream(directory_.at("s")).close();
  offer_file(primary, "s", state_.end);
  state_.sum = 0;
  write(primary, 5);
  Follower follower(replica_options(primary));
  expect_follows(follower);
  ASSERT_EQ(follower.installed().size(), 1u);
  EXPECT_EQ(follower.installed()[0].bytes, 0u);
  EXPECT_TRUE(std::filesystem::exists(follower.installed()[0].path));
}

TEST_F(SnapshotTest, WhenTheLogIsTheStateAReplicaBeginsWhereItBegins) {
  PrimaryOptions options = primary_options();
  options.log_is_state = true;
  auto primary = Primary::open(options).value();
  write_until_gone(primary, 0);
  const Position log_first = primary.stream().status().log_first;
  Follower follower(replica_options(primary));
  EXPECT_TRUE(eventually([&] { return follower.digest().end == state_.end; }));
  ASSERT_EQ(follower.installed().size(), 1u);
  EXPECT_TRUE(follower.installed()[0].path.empty());
  EXPECT_GE(follower.installed()[0].position, log_first);
  EXPECT_EQ(follower.gaps(), 0);
  EXPECT_EQ(static_cast<Position>(follower.records()),
            (state_.end - follower.installed()[0].position) / kRecord);
}

TEST_F(SnapshotTest, AnInstallThatFailsEndsRunAndIsCalledAgain) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  offer(primary, "s");
  ReplicaOptions options = replica_options(primary);
  int calls = 0;
  Digest digest;
  options.install = [&](const Snapshot& snapshot) -> Status {
    if (++calls < 3) return Error(Errc::io, "not now");
    digest = Digest::load(snapshot.path);
    return Done{};
  };
  auto replica = Replica::open(options).value();
  const auto apply = [&](const Record& record) { digest.add(record.text(), record.end); };
  for (int i = 0; i < 2; ++i) {
    auto ended = replica.run(apply);
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().text, "not now");
  }
  write(primary, 3);
  while (digest.end != state_.end) ASSERT_TRUE(replica.poll(apply, 100, 10s).has_value());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(digest, state_);
}

TEST_F(SnapshotTest, WhatWasNotInstalledBeforeAnEndIsInstalledAfterIt) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  offer(primary, "s", 1u << 20);
  ReplicaOptions options = replica_options(primary);
  {
    std::atomic<bool> asked{false};
    options.install = [&](const Snapshot&) -> Status {
      asked = true;
      return Error(Errc::io, "never");
    };
    auto replica = Replica::open(options).value();
    EXPECT_FALSE(replica.run([](const Record&) {}).has_value());
    EXPECT_TRUE(asked);
  }
  std::filesystem::remove(directory_.at("s"));
  write(primary, 10);
  // A program without a state of its own is given it at every start.
  for (int i = 0; i < 2; ++i) {
    Follower follower(options);
    expect_follows(follower);
    EXPECT_EQ(follower.installed().size(), 1u);
    EXPECT_EQ(follower.records(), 10);
  }
  options.resume_after = {state_.end};
  Follower follower(options);
  write(primary, 1);
  EXPECT_TRUE(eventually([&] { return follower.digest().end == state_.end; }));
  EXPECT_EQ(follower.installed().size(), 0u);
}

/// Bytes of the snapshot's part in the replica's directory.
std::uint64_t part_bytes(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".part") return entry.file_size(ignored);
  }
  return 0;
}

TEST_F(SnapshotTest, ATransferThatWasInterruptedGoesOnWhereItStopped) {
  PrimaryOptions slow = primary_options();
  slow.catch_up_bytes_per_second = 8u << 20;
  auto primary = Primary::open(slow).value();
  write_until_gone(primary, 0);
  offer(primary, "s", 8u << 20);
  std::vector<std::string> lines;
  std::mutex mutex;
  ReplicaOptions options = replica_options(primary);
  options.engine.trace = [&](TraceLevel, std::string_view line) {
    std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  const std::string stream = directory_.at("b") + "/stream-00000";
  {
    Follower follower(options);
    ASSERT_TRUE(eventually([&] { return part_bytes(stream) > 1u << 20; }));
    follower.stop();
    EXPECT_TRUE(follower.installed().empty());
  }
  const std::uint64_t kept = part_bytes(stream);
  ASSERT_GT(kept, 1u << 20);
  ASSERT_LT(kept, 8u << 20);
  Follower follower(options);
  expect_follows(follower);
  EXPECT_EQ(follower.installed().size(), 1u);
  std::lock_guard lock(mutex);
  const std::string wanted = "; " + std::to_string(kept) + " of them are here";
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(wanted) != std::string::npos;
  })) << wanted;
}

TEST_F(SnapshotTest, ASnapshotThatIsReplacedWhileItIsSentArrivesAllTheSame) {
  PrimaryOptions slow = primary_options();
  slow.catch_up_bytes_per_second = 16u << 20;
  auto primary = Primary::open(slow).value();
  write_until_gone(primary, 0);
  offer(primary, "s", 6u << 20);
  const Position first = state_.end;
  Follower follower(replica_options(primary));
  const std::string stream = directory_.at("b") + "/stream-00000";
  ASSERT_TRUE(eventually([&] { return part_bytes(stream) > 0; }));
  write(primary, 10);
  offer(primary, "t", 1u << 20);
  std::filesystem::remove(directory_.at("s"));
  expect_follows(follower);
  ASSERT_EQ(follower.installed().size(), 1u);
  EXPECT_EQ(follower.installed()[0].position, first);
}

TEST_F(SnapshotTest, AFileThatWasChangedAfterItWasOfferedIsNotInstalled) {
  auto primary = Primary::open(primary_options()).value();
  write_until_gone(primary, 0);
  offer(primary, "s", 1u << 20);
  {
    std::fstream file(directory_.at("s"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(700'000);
    file << "changed";
  }
  Follower follower(replica_options(primary));
  ASSERT_TRUE(eventually([&] {
    return primary.stream().status().snapshot_error.find("changed") != std::string::npos;
  }));
  EXPECT_TRUE(follower.installed().empty());
  offer(primary, "t");
  expect_follows(follower);
  EXPECT_EQ(follower.installed().size(), 1u);
}

TEST_F(SnapshotTest, AReplicaThatFallsBehindAgainGetsAnotherOne) {
  auto primary = Primary::open(primary_options()).value();
  ReplicaOptions options = replica_options(primary);
  for (int round = 0; round < 3; ++round) {
    const Position before = state_.end;
    write_until_gone(primary, before);
    offer(primary, "s" + std::to_string(round), 100'000);
    options.resume_after = {before};
    Follower follower(options);
    expect_follows(follower);
    EXPECT_EQ(follower.installed().size(), 1u);
    follower.stop();
  }
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory_.at("b") + "/stream-00000")) {
    files += entry.path().filename().string().starts_with("snapshot-") ? 1 : 0;
  }
  EXPECT_LE(files, 2u);
}

}  // namespace
}  // namespace quorate
