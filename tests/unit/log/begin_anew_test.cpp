// The log of a stream that begins anew at a later position: what is told when, which files stay,
// and what the next process makes of it wherever this one stopped.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>

#include "log/recovery.h"
#include "log/segment_maker.h"
#include "shard/stream_log.h"
#include "tests/support/log_frames.h"

namespace quorate::log {
namespace {

constexpr std::size_t kRecordBytes = 24u << 10;
constexpr Position kGap = 8u << 20;
constexpr int kTurnsMax = 100'000;

class BeginAnew : public testing::TestWithParam<bool>, public shard::StreamLog::Owner {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    options_.limits = {256u << 10, 64u << 10, 3, 2};
    options_.direct = GetParam();
  }
  void TearDown() override {
    if (log_) close();
    std::filesystem::remove_all(root_);
  }

  static std::unique_ptr<reactor::Reactor> make_reactor() {
    std::string why;
    return std::move(*reactor::make_reactor(Backend::automatic, why));
  }
  /// As a node opens it. Tells what recovery had found.
  Recovered open() {
    shard::LogOpening opening(make_reactor(), StorageOptions());
    auto opened = opening.open_stream(root_, 0);
    EXPECT_TRUE(opened) << opened.error().text;
    EXPECT_EQ(opened->found.state, RecoveryState::whole) << opened->found.why;
    EXPECT_TRUE(opening.begin(*opened, {promised_, 1}));
    metadata_ = opened->metadata;
    end_ = opened->found.start.end;
    told_.reset();
    reactor_ = make_reactor();
    log_ = std::make_unique<shard::StreamLog>(*reactor_, *opened, options_, *this);
    log_->start();
    return opened->found;
  }
  void turn() {
    log_->flush();
    log_->keep_house(reactor_->now());
    reactor_->wait(reactor_->now() + kSecond_ns / 100);
    reactor_->reap();
  }
  void until(const std::function<bool()>& condition) {
    for (int i = 0; i < kTurnsMax && !log_->failed(); ++i) {
      if (condition()) return;
      turn();
    }
    FAIL() << "it does not come to that: " << log_->error().text;
  }
  void append(int frames) {
    until([&] {
      for (; frames > 0; --frames) {
        const LogFrame frame = make_frame(end_, {++epoch_, 1}, kRecordBytes);
        if (!log_->append(frame.header, frame.pieces())) return false;
        end_ = end_after(frame);
      }
      return true;
    });
  }
  void write(int frames) {
    append(frames);
    until([&] { return log_->durable() == end_.position; });
  }
  LogEnd far_end() { return {end_.position + kGap, 0, {++epoch_, 2}, 0x4321}; }
  void close() {
    log_->close();
    while (!log_->closed() || !log_->idle()) turn();
    log_.reset();
    reactor_.reset();
  }
  [[nodiscard]] std::vector<std::uint64_t> files() const {
    std::vector<std::uint64_t> numbers;
    for (const auto& entry : std::filesystem::directory_iterator(root_ + "/stream-00000")) {
      const std::uint64_t number = segment_number(entry.path().filename());
      if (number != 0) numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  void on_log_durable(Position) override {
    if (on_durable_) on_durable_();
  }
  void on_log_changed() override {}
  void on_log_trouble(const Error& error) override { ADD_FAILURE() << error.text; }
  [[nodiscard]] Position log_needed_from() const override { return 0; }
  void on_log_cut(const LogEnd& end) override {
    told_ = end;
    end_ = end;
  }

  std::string root_;
  LogOptions options_;
  std::unique_ptr<reactor::Reactor> reactor_;
  std::unique_ptr<shard::StreamLog> log_;
  Metadata metadata_;
  std::function<void()> on_durable_;
  std::optional<LogEnd> told_;
  LogEnd end_;
  std::uint64_t epoch_ = 0;
  std::uint64_t promised_ = 1;
};
INSTANTIATE_TEST_SUITE_P(Log, BeginAnew, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "direct" : "synced");
});

TEST_P(BeginAnew, TheOldFilesGoAndWhatComesNextStays) {
  open();
  write(40);
  const std::uint64_t last = files().back();
  EXPECT_EQ(files().front(), 1u);
  const LogEnd at = far_end();
  log_->begin_anew(at);
  until([&] { return told_.has_value(); });
  EXPECT_EQ(*told_, at);
  EXPECT_EQ(log_->durable(), at.position);
  until([&] { return files().front() >= last; });
  write(40);
  const LogEnd end = end_;
  close();
  const Recovered found = open();
  EXPECT_EQ(found.first.position, at.position);
  EXPECT_EQ(found.start.end.position, end.position);
  EXPECT_EQ(found.start.end.frame_checksum, end.frame_checksum);
  EXPECT_EQ(metadata_.oldest_segment, found.oldest_segment);
}

TEST_P(BeginAnew, SoDoesALogThatHasNothing) {
  open();
  const LogEnd at = far_end();
  log_->begin_anew(at);
  until([&] { return told_.has_value(); });
  close();
  const Recovered found = open();
  EXPECT_EQ(found.first.position, at.position);
  EXPECT_EQ(found.start.end.position, at.position);
}

/// The writer is not replaced from within its own completion.
TEST_P(BeginAnew, ItIsAskedForFromWithinACompletionAndAgainAndAgain) {
  open();
  int asked = 0;
  on_durable_ = [&] {
    if (log_->cutting() || asked == 5) return;
    ++asked;
    LogEnd at = far_end();
    at.position = log_->taken() + kGap;
    log_->begin_anew(at);
  };
  while (asked < 5 && !log_->failed()) {
    append(2);
    turn();
  }
  until([&] { return !log_->cutting(); });
  on_durable_ = nullptr;
  write(3);
  const LogEnd end = end_;
  close();
  EXPECT_EQ(open().start.end.position, end.position);
}

TEST_P(BeginAnew, ClosedAtAnyMomentItLeavesTheOldLogOrTheNewOne) {
  int old_logs = 0, new_logs = 0;
  for (int turns = 0; turns < 30 || (new_logs == 0 && turns < 1000); turns += 1 + turns / 20) {
    open();
    write(12);
    const LogEnd old = end_;
    const LogEnd at = far_end();
    log_->begin_anew(at);
    // What is saved meanwhile must not say more than the old log holds.
    for (int i = 0; i < turns; ++i) {
      turn();
      log_->on_committed(at.position);
      log_->promise({++promised_, 1});
    }
    const bool was_told = told_.has_value();
    close();
    const Recovered found = open();
    const bool is_new = found.start.end.position == at.position;
    ++(is_new ? new_logs : old_logs);
    EXPECT_TRUE(is_new || found.start.end.position == old.position) << turns;
    EXPECT_TRUE(is_new || !was_told) << turns;
    EXPECT_EQ(metadata_.oldest_segment, found.oldest_segment) << "before anything is removed";
    if (is_new) {
      EXPECT_EQ(found.first.position, at.position);
    }
    const std::uint64_t oldest = found.oldest_segment;
    write(12);
    until([&] { return files().front() >= oldest; });
    close();
  }
  EXPECT_GT(old_logs, 0);
  EXPECT_GT(new_logs, 0);
}

TEST_P(BeginAnew, WithoutEffectOnALogThatIsBeingCutOrIsClosed) {
  open();
  write(10);
  const LogEnd end = end_;
  log_->cut(end.position);
  log_->begin_anew(far_end());
  until([&] { return told_.has_value(); });
  EXPECT_EQ(told_->position, end.position);
  log_->close();
  log_->begin_anew(far_end());
  while (!log_->closed() || !log_->idle()) turn();
  EXPECT_FALSE(log_->cutting());
  EXPECT_EQ(log_->durable(), end.position);
}

}  // namespace
}  // namespace quorate::log
