// A primary whose log is at its hard limit with what is not committed: what it refuses, what it
// goes on with, and that it takes writes again by itself.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "quorate/primary.h"
#include "quorate/replica.h"
#include "quorate/status.h"

namespace quorate {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRecordBytes = 60'000;
constexpr std::uint64_t kSegmentBytes = 8u << 20;
constexpr std::uint64_t kHardBytes = 4 * kSegmentBytes;
constexpr auto kPatience = 60s;

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A replica whose program only notes how far the first stream has got, from one primary to the
/// next; while `stopped`, it stands in apply.
class Reader {
 public:
  explicit Reader(ReplicaOptions options, bool stopped = false) : stopped_(stopped) {
    options.install = [this](const Snapshot& snapshot) {
      ++installed_;
      end_.store(snapshot.position);
      return Status(Done{});
    };
    replica_.emplace(Replica::open(std::move(options)).value());
    thread_ = std::thread([this] {
      const auto apply = [this](const Record& record) {
        stopped_.wait(true);
        if (record.stream != 0) return;
        EXPECT_EQ(record.begin, end_.load());
        end_.store(record.end);
      };
      // The goodbye of a primary ends run(); only who runs again sees what the next one sends.
      while (replica_->run(apply) && !ending_) std::this_thread::yield();
    });
  }
  ~Reader() {
    ending_ = true;
    go_on();
    replica_->stop();
    thread_.join();
    replica_->close();
  }
  [[nodiscard]] Position applied() const { return end_.load(); }
  [[nodiscard]] int installed() const { return installed_.load(); }
  [[nodiscard]] Position durable() const { return status().durable; }
  [[nodiscard]] ReplicaStreamStatus status() const {
    const ReplicaReport report = replica_->report();
    return report.streams.empty() ? ReplicaStreamStatus{} : report.streams[0];
  }
  void go_on() {
    stopped_.store(false);
    stopped_.notify_all();
  }

 private:
  std::atomic<bool> stopped_;
  std::atomic<bool> ending_{false};
  std::optional<Replica> replica_;
  std::thread thread_;
  std::atomic<Position> end_{0};
  std::atomic<int> installed_{0};
};

class LogFull : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "quorate-log-full-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    payload_.assign(kRecordBytes, 'x');
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] PrimaryOptions primary_options() const {
    PrimaryOptions options;
    options.directory = root_ + "/a";
    options.storage.segment_bytes = kSegmentBytes;
    options.storage.retain_bytes = kSegmentBytes;
    options.storage.retain_bytes_hard = kHardBytes;
    options.ring_bytes = 1u << 20;
    options.replicas = {"b", "c"};
    options.lag.kind = LagPolicy::Kind::drop;
    options.close_timeout = 10ms;
    return options;
  }
  [[nodiscard]] ReplicaOptions replica_options(const std::string& name,
                                               const Primary& primary) const {
    ReplicaOptions options;
    options.directory = root_ + "/" + name;
    options.storage.segment_bytes = kSegmentBytes;
    options.name = name;
    options.primary = primary.address();
    options.backoff_min = 5ms;
    options.backoff_max = 20ms;
    return options;
  }
  [[nodiscard]] ReplicaOptions small_replica_options(const Primary& primary) const {
    ReplicaOptions options = replica_options("b", primary);
    options.storage.retain_bytes = kSegmentBytes;
    options.storage.retain_bytes_hard = kHardBytes;
    return options;
  }
  /// As soon as it is taken, or refused for another reason than that the ring is full.
  Result<Ticket> append(Primary& primary) { return append(primary, payload_); }
  static Result<Ticket> append(Primary& primary, const std::string& payload) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      auto ticket = primary.append(payload);
      const bool busy = !ticket && ticket.error().code == Errc::busy;
      if (!busy || std::chrono::steady_clock::now() > until) return ticket;
      primary.stream().wait_space(payload.size(), 10ms);
    }
  }
  /// Also while the log is full.
  Ticket append_at_last(Primary& primary) {
    Ticket taken;
    EXPECT_TRUE(eventually([&] {
      const auto ticket = append(primary);
      if (ticket) taken = *ticket;
      return ticket.has_value();
    }));
    return taken;
  }
  /// Writes until that is refused because the log is full; the ticket of the last one taken.
  Ticket fill(Primary& primary) {
    Ticket last;
    for (int i = 0; i < 5000; ++i) {
      const auto ticket = append(primary);
      if (!ticket) {
        EXPECT_EQ(ticket.error().code, Errc::log_full) << ticket.error().text;
        EXPECT_NE(ticket.error().text.find("retain_bytes_hard"), std::string::npos);
        return last;
      }
      last = ticket.value();
    }
    ADD_FAILURE() << "300 MB are taken and nothing is refused";
    return last;
  }
  /// `more`: by which an orderly close went beyond the limit.
  void expect_full(Primary& primary, std::uint64_t more = 0) {
    EXPECT_TRUE(eventually([&] {
      return primary.stream().status().retention == RetentionState::full;
    })) << to_string(primary.stream().status().retention);
    const StreamStatus status = primary.stream().status();
    EXPECT_EQ(status.log_first, 0u);
    EXPECT_LE(status.log_bytes, kHardBytes + more);
    EXPECT_GT(status.log_bytes, kHardBytes - kSegmentBytes);
    EXPECT_GT(status.appended, status.durable) << "the ring is full of what the log cannot take";
  }
  /// Takes writes again with nothing else done, and they are released.
  void expect_resumes(Primary& primary, const Ticket& last) {
    EXPECT_TRUE(primary.wait(last, semi_sync(1, Level::durable), kPatience).value().released());
    const Ticket again = append_at_last(primary);
    EXPECT_TRUE(primary.wait(again, semi_sync(1, Level::durable), kPatience).value().released());
    EXPECT_TRUE(eventually([&] {
      return primary.stream().status().retention != RetentionState::full;
    }));
  }

  std::string root_;
  std::string payload_;
};

TEST_F(LogFull, APrimaryWithoutReplicasRefusesWritesAndGoesOnByItselfWhenOneComes) {
  auto primary = Primary::open(primary_options()).value();
  Ticket last = fill(primary);
  expect_full(primary);
  // What was on its way into the log when that was full has made room in the ring.
  EXPECT_TRUE(eventually([&] {
    if (const auto ticket = append(primary)) last = *ticket;
    return !primary.stream().wait_space(kRecordBytes, 50ms);
  }));
  const auto asked = query_status({.address = primary.address()});
  ASSERT_TRUE(asked) << asked.error().text;
  EXPECT_EQ(asked->streams.at(0).retention, RetentionState::full);
  EXPECT_EQ(asked->streams.at(0).committed, 0u);
  const Reader b(replica_options("b", primary));
  expect_resumes(primary, last);
}

TEST_F(LogFull, AfterwardsAReplicaThatIsBehindTheLogComesBackWithASnapshot) {
  auto primary = Primary::open(primary_options()).value();
  Ticket last = fill(primary);
  const Reader b(replica_options("b", primary));
  expect_resumes(primary, last);
  EXPECT_TRUE(eventually([&] {
    if (const auto ticket = append(primary)) last = *ticket;
    return primary.stream().status().log_first > 0;
  })) << "c is away, and what is committed goes at the hard limit";
  ASSERT_TRUE(primary.wait(last, semi_sync(1, Level::durable), kPatience).value().released());
  ASSERT_TRUE(eventually([&] { return primary.stream().status().committed >= last.end; }));
  std::ofstream(root_ + "/state") << last.end;
  ASSERT_TRUE(primary.stream().offer_snapshot(root_ + "/state", last.end));
  const Reader c(replica_options("c", primary));
  EXPECT_TRUE(eventually([&] { return c.applied() >= last.end; })) << c.applied();
  EXPECT_EQ(c.installed(), 1);
}

TEST_F(LogFull, APrimaryThatIsOpenedAgainStaysAtItsLimitAndGoesOnByItself) {
  for (int life = 0; life < 3; ++life) {
    auto primary = Primary::open(primary_options()).value();
    fill(primary);
    expect_full(primary, kSegmentBytes);
    primary.close();
  }
  auto primary = Primary::open(primary_options()).value();
  const Ticket last = fill(primary);
  expect_full(primary, kSegmentBytes);
  const Reader b(replica_options("b", primary));
  expect_resumes(primary, last);
}

TEST_F(LogFull, ToCloseAPrimaryLosesNothingOfWhatItTook) {
  PrimaryOptions options = primary_options();
  options.close_timeout = kPatience;
  Position end = 0;
  for (int life = 0; life < 3; ++life) {
    auto primary = Primary::open(options).value();
    EXPECT_EQ(primary.stream().status().appended, end);
    end = fill(primary).end;
    primary.close();
  }
  auto primary = Primary::open(options).value();
  EXPECT_EQ(primary.stream().status().appended, end);
}

TEST_F(LogFull, ToCloseAPrimaryIsNotToldAsIfItTookWritesAgain) {
  std::atomic<int> full{0};
  std::atomic<int> again{0};
  PrimaryOptions options = primary_options();
  options.close_timeout = kPatience;
  options.engine.trace = [&](TraceLevel, std::string_view line) {
    if (line.find("writes are refused until") != std::string_view::npos) ++full;
    if (line.find("writes are taken again") != std::string_view::npos) ++again;
  };
  auto primary = Primary::open(options).value();
  fill(primary);
  primary.close();
  EXPECT_EQ(full, 1);
  EXPECT_EQ(again, 0);
}

/// The log no longer goes back to the beginning, so whoever comes in place of b needs a snapshot.
TEST_F(LogFull, WhenTheOnlyOtherHolderDiedForGoodToProtectOneCopyIsTheWayOut) {
  PrimaryOptions options = primary_options();
  options.replicas = {"b"};
  options.close_timeout = kPatience;
  std::optional<Primary> primary(Primary::open(options).value());
  options.listen = primary->address();
  Ticket last;
  {
    const Reader b(replica_options("b", *primary));
    while (primary->stream().status().log_first == 0) last = append_at_last(*primary);
  }
  std::filesystem::remove_all(root_ + "/b");
  last = fill(*primary);
  std::ofstream(root_ + "/state") << last.end;
  const auto refused = primary->stream().offer_snapshot(root_ + "/state", last.end);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy) << "it is not committed";
  const Reader b(replica_options("b", *primary));
  EXPECT_TRUE(eventually([&] { return primary->stream().status().snapshot_wanted; }));
  const std::uint32_t before = options.protected_copies;
  for (const std::uint32_t copies : {1u, before}) {
    primary->close();
    options.protected_copies = copies;
    primary.reset();
    primary.emplace(Primary::open(options).value());
    if (copies != before) {
      ASSERT_GE(primary->stream().status().committed, last.end) << "with nothing written";
      ASSERT_TRUE(primary->stream().offer_snapshot(root_ + "/state", last.end));
    }
    last = append_at_last(*primary);
    EXPECT_TRUE(primary->wait(last, sync(Level::applied), kPatience).value().released());
  }
  EXPECT_EQ(b.installed(), 1);
  EXPECT_EQ(b.applied(), last.end);
}

TEST_F(LogFull, APrimaryThatProtectsNothingButItselfIsNeverFull) {
  PrimaryOptions options = primary_options();
  options.protected_copies = 1;
  auto primary = Primary::open(options).value();
  Ticket last;
  while (last.end < 3 * kHardBytes) {
    const auto ticket = append(primary);
    ASSERT_TRUE(ticket) << ticket.error().text;
    last = *ticket;
    ASSERT_NE(primary.stream().status().retention, RetentionState::full);
  }
  EXPECT_TRUE(primary.wait(last, async(Level::durable), kPatience).value().released());
  EXPECT_TRUE(eventually([&] { return primary.stream().status().log_first > 0; }));
}

TEST_F(LogFull, AReplicaWithASmallerLimitHoldsNobodyUp) {
  PrimaryOptions options = primary_options();
  options.storage.retain_bytes_hard = 2 * kHardBytes;
  options.protected_copies = 3;
  auto primary = Primary::open(options).value();
  const Reader b(small_replica_options(primary));
  const Ticket last = fill(primary);
  EXPECT_TRUE(eventually([&] { return b.durable() >= primary.stream().status().durable; }))
      << b.durable();
  EXPECT_GT(b.durable(), kHardBytes) << "beyond its own limit, as c is away";
  EXPECT_EQ(b.applied(), 0u);
  EXPECT_TRUE(eventually([&] { return b.status().retention == RetentionState::full; }));
  const Reader c(replica_options("c", primary));
  EXPECT_TRUE(primary.wait(last, sync(Level::applied), kPatience).value().released());
  EXPECT_EQ(b.applied(), last.end);
}

TEST_F(LogFull, AReplicaAtItsLimitWaitsForItsProgramAndLosesNothing) {
  PrimaryOptions options = primary_options();
  options.protected_copies = 1;
  options.replicas = {"b"};
  options.storage.retain_bytes_hard = 4 * kHardBytes;
  auto primary = Primary::open(options).value();
  Reader b(small_replica_options(primary), true);
  Ticket last;
  while (last.end < 2 * kHardBytes) last = append(primary).value();
  EXPECT_TRUE(eventually([&] { return b.status().retention == RetentionState::full; }));
  ASSERT_TRUE(primary.wait(last, async(Level::durable), kPatience).value().released());
  EXPECT_LE(b.durable(), kHardBytes);
  b.go_on();
  EXPECT_TRUE(primary.wait(last, sync(Level::applied), kPatience).value().released());
  EXPECT_EQ(b.applied(), last.end);
}

/// Of two streams, the log of the first one is at its limit and has no room for another frame.
class FullOfFrames : public LogFull {
 protected:
  FullOfFrames() = default;
  void SetUp() override {
    LogFull::SetUp();
    options_ = primary_options();
    options_.protected_copies = 1;
    options_.catch_ups_max = 1;
    options_.streams = 2;
    options_.storage.retain_bytes_hard = 4 * kHardBytes;
    primary_.emplace(Primary::open(options_).value());
    options_.listen = primary_->address();
    b_.emplace(small_replica_options(*primary_), true);
    fill_with_frames();
  }
  void TearDown() override {
    b_.reset();
    primary_.reset();
    LogFull::TearDown();
  }
  /// The primary at that address instead of the one there is.
  void open_at(const std::string& address) {
    PrimaryOptions options = options_;
    options.listen = address;
    primary_->close();
    primary_.reset();
    primary_.emplace(Primary::open(options).value());
  }
  void expect_other_goes_on(int writes) {
    for (int i = 0; i < writes; ++i) {
      const Ticket other = primary_->stream(1).append("other").value();
      ASSERT_TRUE(primary_->wait(other, semi_sync(1, Level::durable), kPatience)->released()) << i;
    }
  }
  /// Nothing is lost when its program goes on.
  void expect_goes_on() {
    b_->go_on();
    EXPECT_TRUE(eventually([&] { return b_->applied() >= last_.end; })) << b_->applied();
    EXPECT_EQ(b_->applied(), last_.end);
  }

  PrimaryOptions options_;
  std::optional<Primary> primary_;
  std::optional<Reader> b_;
  Ticket last_;

 private:
  /// What was written behind it to the other stream has come over the same connection.
  bool comes_late() {
    expect_other_goes_on(3);
    return b_->status().received >= last_.end;
  }
  /// Of so small frames the replica's ring has room for more than of their heads.
  void fill_with_frames() {
    while (last_.end < kHardBytes - kSegmentBytes / 2) last_ = append(*primary_).value();
    ASSERT_TRUE(primary_->wait(last_, semi_sync(1, Level::durable), kPatience).value().released());
    // Each is a frame of its own, as it is awaited.
    bool received = true;
    for (int i = 0; i < 30'000 && received; ++i) {
      last_ = append(*primary_, std::string(900, 's')).value();
      const bool full = b_->status().retention == RetentionState::full;
      const auto patience = full ? 500ms : std::chrono::milliseconds(kPatience);
      received = primary_->wait(last_, semi_sync(1), patience).value().released() || comes_late();
    }
    ASSERT_FALSE(received);
    ASSERT_EQ(b_->status().retention, RetentionState::full);
    ASSERT_TRUE(primary_->wait(last_, async(Level::durable), kPatience).value().released());
  }
};

TEST_F(FullOfFrames, TheOtherStreamOfTheConnectionGoesOn) {
  expect_other_goes_on(100);
  ASSERT_LT(b_->status().received, last_.end);
  expect_goes_on();
}

TEST_F(FullOfFrames, TheOtherStreamGoesOnWhileThePrimarysRingMovesOn) {
  // More than the ring of the primary holds: the replica is to catch up, and has no room for it.
  for (int i = 0; i < 100; ++i) last_ = append(*primary_).value();
  expect_other_goes_on(100);
  ASSERT_LT(b_->status().received, last_.end);
  expect_goes_on();
}

TEST_F(FullOfFrames, ItMakesWayForAnotherReplicaToCatchUp) {
  for (int i = 0; i < 100; ++i) last_ = append(*primary_).value();
  ASSERT_TRUE(eventually([&] {
    return primary_->stream().status().replicas[0].state == ReplicaStatus::State::catching_up;
  }));
  const Reader c(replica_options("c", *primary_));
  EXPECT_TRUE(eventually([&] { return c.applied() >= last_.end; })) << c.applied();
  expect_goes_on();
}

TEST_F(FullOfFrames, BothGoOnWithAPrimaryThatWasOpenedAgain) {
  open_at(options_.listen);
  for (int i = 0; i < 100; ++i) last_ = append(*primary_).value();
  expect_other_goes_on(500);
  expect_goes_on();
}

TEST_F(FullOfFrames, ItMakesWayForTheOtherStreamToCatchUp) {
  // While it cannot be reached, it writes what both are to catch up with.
  open_at("127.0.0.1:0");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(append(*primary_));
    ASSERT_TRUE(primary_->stream(1).append("other"));
  }
  open_at(options_.listen);
  last_ = append(*primary_).value();
  expect_other_goes_on(1);
  expect_goes_on();
}

}  // namespace
}  // namespace quorate
