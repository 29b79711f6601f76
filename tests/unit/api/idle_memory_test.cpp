// What ten thousand idle streams cost each node: memory and wake-ups. The primary is alone in this
// process; each replica is a process of its own, this program started with other arguments.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "rig.h"

extern char** environ;

namespace quorate {
namespace {

using namespace test;

constexpr std::uint32_t kStreams = 10'000;
constexpr std::uint64_t kPerStream_bytes = 64u << 10;
constexpr std::size_t kRecord_bytes = 10'000;

/// A line of /proc/PID/status that counts KiB.
std::uint64_t memory_bytes(pid_t pid, const std::string& what) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(what + ":", 0) == 0) return std::stoull(line.substr(what.size() + 1)) << 10;
  }
  return 0;
}

std::uint64_t resident_bytes(pid_t pid) {
  return memory_bytes(pid, "VmRSS");
}

/// A replica in a process of its own. Ends when the primary says goodbye.
class ReplicaProcess {
 public:
  ReplicaProcess(const std::string& name, const std::string& primary) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string arguments[] = {"replica", "--replica", name, primary};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                    arguments[3].data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    FILE* output = ::fdopen(ends[0], "r");
    unsigned long long baseline = 0;
    EXPECT_EQ(std::fscanf(output, "%llu", &baseline), 1);
    baseline_bytes_ = baseline;
    std::fclose(output);
  }
  ~ReplicaProcess() {
    int status = -1;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(status, 0) << "the replica did not end well";
  }

  [[nodiscard]] std::uint64_t used_bytes() const {
    const std::uint64_t now = resident_bytes(pid_);
    return now - std::min(now, baseline_bytes_);
  }
  [[nodiscard]] std::uint64_t ring_bytes() const { return memory_bytes(pid_, "RssShmem"); }

 private:
  pid_t pid_ = -1;
  std::uint64_t baseline_bytes_ = 0;
};

class IdleStreams : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static PrimaryOptions options() {
    PrimaryOptions options;
    options.replicas = {"b", "c"};
    options.streams = kStreams;
    options.ring_bytes = GetParam();
    options.max_batch_bytes = 16u << 10;
    options.max_record_bytes = kRecord_bytes;
    options.rules = {sync(Level::applied)};
    options.lag.stall_limit = 1h;
    // All streams write at once here, which the default budget would not allow.
    options.engine.ring_budget_bytes = kStreams * GetParam();
    return options;
  }

  static void write_to_each(Primary& primary) {
    const std::string record(kRecord_bytes, 'x');
    for (StreamId id = 0; id < kStreams; ++id) {
      ASSERT_TRUE(primary.stream(id).append(record)) << "stream " << id;
    }
    for (StreamId id = 0; id < kStreams; ++id) {
      Stream stream = primary.stream(id);
      const Ticket ticket{primary.epoch(), kRecord_bytes + kRecordHeaderBytes, id};
      ASSERT_TRUE(stream.wait(ticket, RuleId{0}, kLong).value().released()) << "stream " << id;
    }
  }

  static void expect_few_turns(Primary& primary) {
    const PrimaryCounters before = primary.counters();
    PrimaryCounters now;
    // Twenty heartbeats to each of two replicas.
    ASSERT_TRUE(eventually([&] {
      now = primary.counters();
      return now.sends >= before.sends + 40;
    }));
    const std::uint64_t messages =
        now.sends - before.sends + now.acknowledgements - before.acknowledgements;
    const std::uint64_t turns = now.turns - before.turns;
    std::printf("  idle: %llu turns for %llu heartbeats sent and received\n",
                static_cast<unsigned long long>(turns), static_cast<unsigned long long>(messages));
    // One turn to send, one for the completion, one to receive, and a few for luck.
    EXPECT_LE(turns, 3 * messages + 20);
  }
};

void print_cost(const char* who, std::uint64_t bytes) {
  std::printf("  %s: %.0f bytes resident per idle stream\n", who,
              static_cast<double>(bytes) / kStreams);
}

TEST_P(IdleStreams, CostLittleMemoryAndNoWakeUps) {
  const std::uint64_t baseline = resident_bytes(::getpid());
  const std::uint64_t ring_baseline = memory_bytes(::getpid(), "RssShmem");
  Primary primary = Primary::open(options()).value();
  {
    const ReplicaProcess b("b", primary.address());
    const ReplicaProcess c("c", primary.address());
    write_to_each(primary);
    const std::uint64_t busy = resident_bytes(::getpid()) - baseline;
    // Streams fall idle after about a second; then the pages of their rings go back.
    EXPECT_TRUE(eventually(
        [&] { return memory_bytes(::getpid(), "RssShmem") <= ring_baseline + (1u << 20); }));
    EXPECT_TRUE(eventually([&] { return b.ring_bytes() <= 1u << 20; }));
    EXPECT_TRUE(eventually([&] { return c.ring_bytes() <= 1u << 20; }));
    const std::uint64_t idle = resident_bytes(::getpid()) - baseline;
    print_cost("primary, busy", busy);
    print_cost("primary", idle);
    print_cost("replica", b.used_bytes());
    EXPECT_LE(idle, kStreams * kPerStream_bytes);
    EXPECT_LE(b.used_bytes(), kStreams * kPerStream_bytes);
    EXPECT_LE(c.used_bytes(), kStreams * kPerStream_bytes);
    expect_few_turns(primary);
    EXPECT_TRUE(primary.stream(1).append("an idle stream wakes up"));
    primary.close();
  }
}

INSTANTIATE_TEST_SUITE_P(WithRingsOf, IdleStreams,
                         ::testing::Values(std::uint64_t{64} << 10, std::uint64_t{1} << 20),
                         [](const auto& tested) {
                           return std::to_string(tested.param >> 10) + "KiB";
                         });

/// The other process: follows until the primary closes. Says first what it holds without streams.
int run_replica(const char* name, const char* primary) {
  std::printf("%llu\n", static_cast<unsigned long long>(resident_bytes(::getpid())));
  std::fflush(stdout);
  ReplicaOptions options;
  options.name = name;
  options.primary = primary;
  options.ring_bytes = 512u << 10;
  options.engine.hosted = true;
  Replica replica = Replica::open(options).value();
  std::uint64_t records = 0;
  const Status ran = replica.run([&](const Record&) { ++records; });
  return ran && records >= kStreams ? 0 : 1;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--replica") {
    return quorate::run_replica(argv[2], argv[3]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
