// A disk that is really full: a small file system of the test's own, filled up with a ballast file.
// Where the test may not mount one it is skipped. A program of its own, as it leaves the mounts
// that others see.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"
#include "support/own_mounts.h"

namespace quorate {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRecordBytes = 60'000;
constexpr auto kPatience = 60s;

/// 48 MiB, of which 16 are taken by the ballast: room for four segments of 8 MiB without it, and
/// for two more when it is gone. Gone with the process.
class FullDisk : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cannot_ = leave_mounts();
  }
  void SetUp() override {
    if (!cannot_.empty()) GTEST_SKIP() << "no file system can be mounted here: " << cannot_;
    std::string name = std::filesystem::temp_directory_path() / "quorate-full-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    std::filesystem::create_directory(small());
    if (::mount("tmpfs", small().c_str(), "tmpfs", 0, "size=48m") != 0) {
      const std::string why = std::strerror(errno);
      std::filesystem::remove_all(root_);
      root_.clear();
      GTEST_SKIP() << "no file system can be mounted here: tmpfs: " << why;
    }
    // fallocate takes the space of 16 MiB without writing them.
    const int file = ::open(ballast().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::posix_fallocate(file, 0, 16 << 20), 0);
    ::close(file);
  }
  void TearDown() override {
    if (root_.empty()) return;
    ::umount2(small().c_str(), MNT_DETACH);
    std::filesystem::remove_all(root_);
  }

  [[nodiscard]] std::string small() const { return root_ + "/small"; }
  [[nodiscard]] std::string ballast() const { return small() + "/ballast"; }
  [[nodiscard]] PrimaryOptions primary_options(const std::string& directory) const {
    PrimaryOptions options;
    options.directory = directory;
    options.storage.segment_bytes = 8u << 20;
    options.ring_bytes = 1u << 20;
    return options;
  }
  /// Appends a record as soon as it is taken; an error when it is refused for want of space.
  static Result<Ticket> append(Primary& primary) {
    const std::string payload(kRecordBytes, 'x');
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      auto ticket = primary.append(payload);
      if (ticket || ticket.error().code != Errc::busy) return ticket;
      if (std::chrono::steady_clock::now() > until) return ticket;
      primary.stream().wait_space(payload.size(), 10ms);
    }
  }

  std::string root_;
  static std::string cannot_;
};
std::string FullDisk::cannot_;

TEST_F(FullDisk, APrimaryRefusesWritesAndGoesOnByItself) {
  std::vector<Ticket> released;
  std::optional<Ticket> behind;
  {
    Primary primary = Primary::open(primary_options(small() + "/a")).value();
    std::optional<Ticket> pending;
    Error refused;
    for (int i = 0; i < 2000 && refused.text.empty(); ++i) {
      const auto ticket = append(primary);
      if (!ticket) {
        refused = ticket.error();
        break;
      }
      pending = *ticket;
      const auto outcome = primary.wait(*ticket, async(Level::durable), 0ms);
      if (outcome && outcome->released()) released.push_back(*ticket);
    }
    ASSERT_EQ(refused.code, Errc::no_space) << refused.text;
    EXPECT_NE(refused.text.find("disk is full"), std::string::npos) << refused.text;
    ASSERT_FALSE(released.empty());
    ASSERT_GT(pending->end, primary.stream().status().durable) << "something waits for space";
    EXPECT_TRUE(primary.wait(released.back(), async(Level::durable), 0ms).value().released())
        << "what was released stays so";

    std::filesystem::remove(ballast());
    EXPECT_TRUE(primary.wait(*pending, async(Level::durable), kPatience).value().released())
        << "what was taken before is written by itself";
    // Refused until the primary has looked for space, and then no more.
    const auto until = std::chrono::steady_clock::now() + kPatience;
    auto again = append(primary);
    while (!again && std::chrono::steady_clock::now() < until) {
      primary.stream().wait_space(kRecordBytes, 10ms);
      again = append(primary);
    }
    ASSERT_TRUE(again) << again.error().text;
    behind = *again;
    EXPECT_TRUE(primary.wait(*behind, async(Level::durable), kPatience).value().released());
    primary.close();
  }
  Primary primary = Primary::open(primary_options(small() + "/a")).value();
  EXPECT_GE(primary.stream().status().appended, behind->end);
}

/// What a replica says about its disk, from its loop's thread.
class Notices {
 public:
  void take(std::string_view line) {
    const std::lock_guard guard(mutex_);
    all_.append(line).append("\n");
  }
  [[nodiscard]] bool has(const std::string& text) {
    const std::lock_guard guard(mutex_);
    return all_.find(text) != std::string::npos;
  }

 private:
  std::mutex mutex_;
  std::string all_;
};

TEST_F(FullDisk, AReplicaStopsAcknowledgingAndGoesOnByItself) {
  PrimaryOptions options = primary_options(root_ + "/a");
  options.replicas = {"b"};
  Primary primary = Primary::open(options).value();
  Notices notices;
  ReplicaOptions replica_options;
  replica_options.directory = small() + "/b";
  replica_options.storage.segment_bytes = 8u << 20;
  replica_options.ring_bytes = 1u << 20;
  replica_options.primary = primary.address();
  replica_options.engine.trace = [&](TraceLevel, std::string_view line) { notices.take(line); };
  Replica replica = Replica::open(replica_options).value();
  std::atomic<Position> applied{0};
  std::thread applying([&] {
    static_cast<void>(replica.run([&](const Record& record) { applied.store(record.end); }));
  });
  // Until its disk is full and the ring of the primary with what it cannot take any more.
  std::optional<Ticket> last;
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const std::string payload(kRecordBytes, 'x');
  // The notice comes as soon as no file can be made ahead: there is room in the one before it.
  bool stuck = false;
  while (!stuck && std::chrono::steady_clock::now() < until) {
    if (const auto ticket = primary.append(payload)) {
      last = *ticket;
      continue;
    }
    const bool room = primary.stream().wait_space(payload.size(), 500ms);
    stuck = !room && notices.has("No space left on device");
  }
  ASSERT_TRUE(stuck);
  const auto pending = primary.wait(*last, sync(Level::durable), 100ms);
  ASSERT_TRUE(pending);
  EXPECT_FALSE(pending->released());
  const Position acknowledged = primary.stream().status().replicas.at(0).durable;
  const ReplicaReport report = replica.report();
  EXPECT_NE(report.state, ReplicaReport::State::log_failed) << report.reason;
  EXPECT_LT(report.streams.at(0).durable, last->end);
  EXPECT_LE(acknowledged, report.streams.at(0).durable);
  EXPECT_TRUE(notices.has("nothing more is received until there is space"));

  std::filesystem::remove(ballast());
  EXPECT_TRUE(primary.wait(*last, sync(Level::durable), kPatience).value().released());
  EXPECT_TRUE(primary.wait(*last, sync(Level::applied), kPatience).value().released());
  EXPECT_EQ(applied.load(), last->end);
  replica.stop();
  applying.join();
  replica.close();
  primary.close();
}

}  // namespace
}  // namespace quorate
