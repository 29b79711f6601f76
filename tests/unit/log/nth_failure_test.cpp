// The log of a stream, from opening to closing, with each operation on its files refused, once or
// for ever. Afterwards the files are recovered as they are: all that was told to be durable is
// there, byte for byte, and what ended the log was told by name. QUORATE_FAILURES=all adds
// operations that are refused and have taken effect all the same.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <ostream>
#include <stdexcept>

#include "failing_files.h"
#include "log/recovery.h"
#include "log/segment_maker.h"
#include "shard/stream_log.h"
#include "tests/support/log_frames.h"

namespace quorate::log {
namespace {

constexpr std::size_t kTurnsMax = 20'000;
constexpr std::size_t kTurnsWithoutSpace = 40;  ///< before the script gives up on a full disk
constexpr std::int64_t kTurn_ns = kSecond_ns / 10;
constexpr std::size_t kRecordBytes = 24u << 10;
constexpr int kFramesBefore = 26;  ///< over several segments, of which some are given up
constexpr int kFramesKept = 23;    ///< at the cut
constexpr int kFramesBehind = 9;
constexpr int kFramesAnew = 5;
constexpr Position kGap = 1u << 20;  ///< between the end and where the log begins anew

struct Case {
  const char* name;
  Backend backend;
  Refusal refusal;
  bool always;  ///< false: only when all are asked for
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

LogOptions small_options() {
  LogOptions options;
  options.limits = {256u << 10, 64u << 10, 3, 2};
  return options;
}

/// Writes, promises, gives segments up, cuts, writes on, begins anew, writes on and closes, as far
/// as it gets.
class Script final : public shard::StreamLog::Owner {
 public:
  Script(FailingReactor& reactor, const shard::OpenedLog& opened)
      : reactor_(reactor), log_(reactor, opened, small_options(), *this) {}

  void run() {
    log_.start();
    write_until(kFramesBefore, before, {2, 1});
    log_.promise({3, 1});
    until([&] { return log_.promised() >= Epoch{3, 1}; });
    log_.on_committed(before.empty() ? 0 : durable / 2);
    if (going()) cut();
    if (cut_told) write_until(kFramesBehind, behind, {4, 1});
    if (cut_told && going()) begin_anew();
    if (anew_told) write_until(kFramesAnew, anew, {90, 1});
    finished = going();
    log_.close();
    while (!log_.closed() || !log_.idle()) turn();
  }

  /// A disk that is full until the log is to be cut, or to begin anew.
  void cut_when_full(bool begins_anew) {
    log_.start();
    write_until(6, before, {2, 1});
    until([&] { return log_.lacks_space(); });
    was_full = log_.lacks_space();
    reactor_.refuse_nothing();
    keeps_house = false;
    if (begins_anew) {
      begin_anew();
    } else {
      cut_asked = before[2].header.end;
      log_.cut(*cut_asked);
      until([&] { return cut_told; });
    }
    finished = going() && !log_.lacks_space();
    log_.close();
    while (!log_.closed() || !log_.idle()) turn();
  }

  [[nodiscard]] Position log_needed_from() const override { return kNoHold; }
  void on_log_trouble(const Error& error) override { EXPECT_NE(error.text, ""); }
  void on_log_durable(Position position) override { durable = position; }
  void on_log_changed() override {}
  void on_log_cut(const LogEnd& end) override {
    (anew_asked ? anew_told : cut_told) = true;
    durable = end.position;
    from_ = end;
    EXPECT_FALSE(log_.cutting());
    if (anew_asked) {
      EXPECT_EQ(end, *anew_asked);
      EXPECT_EQ(log_.first(), end.position);
      EXPECT_EQ(log_.taken(), end.position);
      EXPECT_EQ(log_.disk_bytes(), small_options().limits.segment_bytes);
    }
  }

  [[nodiscard]] const shard::StreamLog& log() const { return log_; }

  std::vector<LogFrame> before, behind, anew;
  Position durable = 0;
  std::optional<Position> cut_asked;
  std::optional<LogEnd> anew_asked;
  bool cut_told = false;
  bool anew_told = false;
  bool finished = false;  ///< nothing ended the script before its end
  bool hangs = false;
  bool was_full = false;
  bool keeps_house = true;
  std::size_t no_space_turns = 0;

 private:
  /// False: the log has ended, or its disk stays full.
  [[nodiscard]] bool going() const {
    return !log_.failed() && !hangs && no_space_turns < kTurnsWithoutSpace;
  }
  void turn() {
    log_.flush();
    if (keeps_house) log_.keep_house(reactor_.now());
    if (log_.lacks_space()) ++no_space_turns;
    reactor_.wait(kNever);
    reactor_.reap();
    reactor_.let_pass(kTurn_ns);
    hangs = ++turns_ >= kTurnsMax;
    if (turns_ > kTurnsMax + 1000) throw std::runtime_error("it never ends");
  }
  template <typename Condition>
  void until(const Condition& condition) {
    while (going() && !condition()) turn();
  }
  void write_until(int count, std::vector<LogFrame>& frames, const Epoch& epoch) {
    until([&] {
      while (static_cast<int>(frames.size()) < count) {
        LogFrame frame = make_frame(frames.empty() ? from_ : end_after(frames.back()), epoch,
                                    kRecordBytes);
        if (!log_.append(frame.header, frame.pieces())) return false;
        frames.push_back(std::move(frame));
      }
      return durable == frames.back().header.end;
    });
  }
  void cut() {
    cut_asked = before[kFramesKept - 1].header.end;
    log_.cut(*cut_asked);
    until([&] { return cut_told; });
  }

  /// With frames that were taken and not written yet, and promises at every moment.
  void begin_anew() {
    std::vector<LogFrame>& last = cut_told ? behind : before;
    const LogFrame late = make_frame(end_after(last.back()), {4, 1}, kRecordBytes);
    if (log_.append(late.header, late.pieces())) last.push_back(late);
    anew_asked = end_after(last.back());
    anew_asked->position += kGap;
    log_.begin_anew(*anew_asked);
    std::uint64_t epoch = 10;
    until([&] {
      if (!anew_told) {
        EXPECT_TRUE(log_.cutting());
        EXPECT_FALSE(log_.append(late.header, late.pieces()));
        EXPECT_LT(log_.durable(), anew_asked->position) << "it has not been told";
      }
      if (epoch < 40) log_.promise({++epoch, 1});
      return anew_told && log_.promised() >= Epoch{epoch, 1};
    });
  }

  FailingReactor& reactor_;
  shard::StreamLog log_;
  LogEnd from_;  ///< of the frames that come next
  std::size_t turns_ = 0;
};

class NthFailure : public testing::TestWithParam<Case> {
 protected:
  struct Ended {
    std::uint64_t counted = 0;
    std::uint64_t refused = 0;
    bool finished = false;
  };
  void SetUp() override {
    const char* which = std::getenv("QUORATE_FAILURES");
    const bool all = which != nullptr && std::string_view(which) == "all";
    if (!GetParam().always && !all) GTEST_SKIP() << "only with QUORATE_FAILURES=all";
    std::string name = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  std::unique_ptr<reactor::Reactor> real() const {
    std::string why;
    auto made = reactor::make_reactor(GetParam().backend, why);
    return made ? std::move(*made) : nullptr;
  }
  [[nodiscard]] std::string node() const { return root_ + "/node"; }

  Ended run(const Refusal& refusal);
  void expect_named(const Error& error, const FailingReactor& reactor, const Refusal& refusal);
  void expect_all_is_there(const Script& script);
  static void expect_anew(const Script& script, const Recovered& recovered,
                          const FrameCollector& found);
  Recovered recover(FrameCollector& found);

  std::string root_;
};

std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Log, NthFailure,
    testing::Values(
        Case{"once", Backend::epoll, {0, false, -EIO, false, false}, true},
        Case{"for_ever", Backend::epoll, {0, true, -EIO, false, false}, true},
        Case{"no_space_once", Backend::epoll, {0, false, -ENOSPC, true, false}, true},
        Case{"no_space_for_ever", Backend::epoll, {0, true, -ENOSPC, true, false}, true},
        Case{"io_uring_once", Backend::io_uring, {0, false, -EIO, false, false}, true},
        Case{"io_uring_for_ever", Backend::io_uring, {0, true, -EIO, false, false}, false},
        Case{"io_uring_no_space", Backend::io_uring, {0, false, -ENOSPC, true, false}, false},
        Case{"once_and_done", Backend::epoll, {0, false, -EIO, false, true}, false},
        Case{"for_ever_and_done", Backend::epoll, {0, true, -EIO, false, true}, false},
        Case{"read_only", Backend::epoll, {0, true, -EROFS, false, false}, false}),
    case_name);

/// Operation, file and what the operating system said. The file need not be the one that was
/// refused first: an operation whose failure does no harm is passed over.
void NthFailure::expect_named(const Error& error, const FailingReactor& reactor,
                              const Refusal& refusal) {
  EXPECT_EQ(error.system_errno, -refusal.result) << error.text;
  EXPECT_NE(error.text.find(" of " + root_), std::string::npos) << error.text;
  EXPECT_NE(error.text.find(std::strerror(-refusal.result)), std::string::npos) << error.text;
  if (refusal.for_ever) return;
  const std::string& first = reactor.first_refused();
  const std::string operation = first.substr(0, first.find(" of "));
  const std::string path = first.substr(first.find(" of ") + 4);
  // What is written of metadata is called a save, and making its file is an open.
  EXPECT_TRUE(error.text.starts_with(operation + " of ") || error.text.starts_with("save of ") ||
              (operation == "creation" && error.text.starts_with("open of ")))
      << error.text << ", refused: " << first;
  EXPECT_NE(error.text.find(path), std::string::npos) << error.text << ", refused: " << first;
}

Recovered NthFailure::recover(FrameCollector& found) {
  const auto reactor = real();
  const auto turn = [&] {
    reactor->wait(kNever);
    reactor->reap();
  };
  const std::string directory = node() + "/stream-00000";
  BlockingFiles files(reactor->files(), turn);
  MetadataFile metadata(reactor->files(), directory);
  auto recovered = Recovery(files, metadata, directory, 0, found).run();
  EXPECT_TRUE(recovered) << recovered.error().text;
  return recovered ? *recovered : Recovered();
}

void NthFailure::expect_anew(const Script& script, const Recovered& recovered,
                             const FrameCollector& found) {
  ASSERT_TRUE(recovered.anew);
  EXPECT_EQ(recovered.anew->position, script.anew_asked->position);
  EXPECT_EQ(recovered.first.epoch, script.anew_asked->epoch);
  EXPECT_EQ(recovered.first.frame_checksum, script.anew_asked->frame_checksum);
  if (script.anew_told) {
    EXPECT_GE(recovered.start.end.position, script.durable);
  }
  ASSERT_LE(found.frames.size(), script.anew.size());
  for (std::size_t i = 0; i < found.frames.size(); ++i) {
    ASSERT_EQ(found.frames[i].bytes, script.anew[i].bytes) << i;
  }
}

void NthFailure::expect_all_is_there(const Script& script) {
  FrameCollector found;
  const Recovered recovered = recover(found);
  ASSERT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  const Position end = recovered.start.end.position;
  // The same holds for a beginning anew, of which nothing was told and nothing taken.
  if (script.anew_told || (script.anew_asked && recovered.anew)) {
    expect_anew(script, recovered, found);
    return;
  }
  // A cut that was asked for and not told may have been made, and then gives up what was durable
  // behind it.
  const bool may_be_cut = script.cut_asked && !script.cut_told;
  EXPECT_GE(end, may_be_cut ? std::min(*script.cut_asked, script.durable) : script.durable);
  std::vector<LogFrame> expected = script.before;
  if (script.cut_told) {
    expected.resize(kFramesKept);
    expected.insert(expected.end(), script.behind.begin(), script.behind.end());
  }
  auto at = expected.begin();
  while (at != expected.end() && at->header.begin < recovered.first.position) ++at;
  for (const LogFrame& frame : found.frames) {
    ASSERT_NE(at, expected.end()) << "a frame that was never written, or was cut";
    ASSERT_EQ(frame.bytes, at->bytes) << frame.header.begin;
    ++at;
  }
}

/// One life of a log in a directory of its own, which has lived before.
NthFailure::Ended NthFailure::run(const Refusal& refusal) {
  std::filesystem::remove_all(node());
  std::filesystem::create_directory(node());
  StorageOptions storage;
  storage.retain_bytes = 512u << 10;
  auto reactor = std::make_unique<FailingReactor>(real(), refusal);
  FailingReactor& files = *reactor;
  // Opening and the life behind it share the count: one reactor is given to both.
  shard::LogOpening opening(std::move(reactor), storage);
  Ended ended;
  auto opened = opening.open_stream(node(), 0);
  Status begun = Done{};
  if (opened) begun = opening.begin(*opened, {2, 1});
  if (!opened || !begun) {
    expect_named(opened ? begun.error() : opened.error(), files, refusal);
    ended.counted = files.counted();
    ended.refused = files.refused();
    return ended;
  }
  Script script(files, *opened);
  script.run();
  ended = {files.counted(), files.refused(), script.finished};
  EXPECT_FALSE(script.hangs) << "refused: " << files.first_refused();
  if (script.log().failed()) {
    expect_named(script.log().error(), files, refusal);
  } else if (!script.finished) {
    EXPECT_TRUE(script.log().lacks_space() && refusal.for_ever) << files.first_refused();
    expect_named(script.log().error(), files, refusal);
  }
  if (refusal.space_only) {
    EXPECT_FALSE(script.log().failed()) << "want of space passes: " << script.log().error().text;
  }
  expect_all_is_there(script);
  return ended;
}

/// Only the writer before the cut had met it, so nobody else would take it back.
class FullDiskAtACut : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Log, FullDiskAtACut, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "anew" : "cut");
});

TEST_P(FullDiskAtACut, IsForgottenWhenThereIsSpaceAgain) {
  std::string root = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  std::string why;
  // The first segment is made, and then no other one.
  const Refusal refusal{4, true, -ENOSPC, true, false};
  auto reactor = std::make_unique<FailingReactor>(*reactor::make_reactor(Backend::epoll, why),
                                                  refusal);
  FailingReactor& files = *reactor;
  shard::LogOpening opening(std::move(reactor), StorageOptions());
  auto opened = opening.open_stream(root, 0);
  ASSERT_TRUE(opened) << opened.error().text;
  ASSERT_TRUE(opening.begin(*opened, {2, 1}));
  Script script(files, *opened);
  script.cut_when_full(GetParam());
  EXPECT_TRUE(script.was_full);
  EXPECT_TRUE(GetParam() ? script.anew_told : script.cut_told);
  EXPECT_TRUE(script.finished) << script.log().error().text;
  std::filesystem::remove_all(root);
}

TEST_P(NthFailure, TakesNothingThatWasDurable) {
  if (real() == nullptr) GTEST_SKIP() << "this kernel has no such backend";
  Refusal refusal = GetParam().refusal;
  const Ended good = run({.space_only = refusal.space_only});
  ASSERT_TRUE(good.finished);
  ASSERT_FALSE(HasFailure());
  std::uint64_t finished = 0, missed = 0;
  for (refusal.first = 1; refusal.first <= good.counted; ++refusal.first) {
    const Ended ended = run(refusal);
    finished += ended.finished ? 1 : 0;
    missed += ended.refused == 0 ? 1 : 0;
    ASSERT_FALSE(HasFailure()) << "operation " << refusal.first << " of " << good.counted;
  }
  // How many operations there are differs a little from one run to the next, as frames gather in
  // units by how fast the disk is: the last ones may not be reached.
  EXPECT_LT(missed, 1 + good.counted / 3);
  RecordProperty("operations", std::to_string(good.counted));
  RecordProperty("finished", std::to_string(finished));
}

}  // namespace
}  // namespace quorate::log
