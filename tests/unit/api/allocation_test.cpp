// The data path of a running cluster allocates nothing and locks nothing: counted over every thread
// of a process that holds a primary, two replicas and the writers.

#include <atomic>
#include <mutex>

#include "counting.h"
#include "rig.h"

namespace quorate {
namespace {

using namespace test;

constexpr std::uint64_t kRing_bytes = 1u << 20;
constexpr std::uint64_t kRecords = 1'000'000;
constexpr std::uint64_t kBatch = 500;

/// A window of a million records neither allocates nor locks, in any thread of the process.
void expect_a_clean_window(const std::function<void()>& window) {
  start_counting();
  window();
  const Counts counts = stop_counting();
  EXPECT_EQ(counts.locks, 0u);
  EXPECT_EQ(counts.allocations, 0u);
  if (counts.allocations + counts.locks != 0) print_first_counted();
}

/// A replica that counts its records and keeps none.
class CountingReplica {
 public:
  explicit CountingReplica(ReplicaOptions options)
      : replica_(Replica::open(std::move(options)).value()), thread_([this] {
          EXPECT_TRUE(replica_.run([this](const Record&) {
            count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
          }));
          replica_.close();
        }) {}
  ~CountingReplica() {
    replica_.stop();
    thread_.join();
  }
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_acquire); }

 private:
  Replica replica_;
  std::atomic<std::uint64_t> count_{0};
  std::thread thread_;
};

class DataPath : public BothBackends {
 protected:
  DataPath() {
    PrimaryOptions options = primary_options();
    options.ring_bytes = kRing_bytes;
    options.streams = 2;
    options.rules = {sync(), sync(Level::applied)};
    primary_ = std::make_unique<Primary>(Primary::open(options).value());
    for (const char* name : {"b", "c"}) {
      ReplicaOptions replica = replica_options(*primary_, name);
      // One replica hosts its loop, the other one applies behind a cursor.
      replica.engine.hosted = name[0] == 'b';
      replicas_.push_back(std::make_unique<CountingReplica>(replica));
    }
  }

  /// Appends `count` records and waits for the last: by the applied rule, with retries by looking.
  void stream(StreamId id, std::uint64_t count) {
    Stream stream = primary_->stream(id);
    std::byte payload[64] = {};
    Position end = 0;
    for (std::uint64_t i = 0; i < count;) {
      if (stream.try_append(payload, end)) {
        if (++i % kBatch == 0) wait_one_way_or_another(stream, end, i);
      } else {
        stream.wait_space(sizeof payload, kLong);
      }
    }
    EXPECT_TRUE(stream.wait({primary_->epoch(), end, id}, RuleId{1}, kLong)->released());
  }

  void wait_one_way_or_another(Stream stream, Position end, std::uint64_t i) {
    const RuleId rule{static_cast<std::uint8_t>(i / kBatch % 2)};
    if (i / kBatch % 4 < 2) {
      EXPECT_TRUE(stream.wait({primary_->epoch(), end, stream.id()}, rule, kLong)->released());
    } else {
      while (stream.watermark(rule) < end) std::this_thread::yield();
    }
  }

  /// Two writers, each on its own stream; they are threads made beforehand, told when to go.
  void run_writers(std::uint64_t records_each) {
    go_ = records_each;
    done_ = 0;
    round_.fetch_add(1);
    round_.notify_all();
    while (done_ != 2) std::this_thread::yield();
  }

  void start_writers() {
    for (StreamId id : {0u, 1u}) {
      writers_.emplace_back([this, id] {
        for (int seen = 0;;) {
          round_.wait(seen);
          seen = round_;
          if (go_ == 0) return;
          stream(id, go_);
          ++done_;
        }
      });
    }
  }

  void end_writers() {
    go_ = 0;
    round_.fetch_add(1);
    round_.notify_all();
    for (std::thread& writer : writers_) writer.join();
  }

  std::unique_ptr<Primary> primary_;
  std::vector<std::unique_ptr<CountingReplica>> replicas_;
  std::vector<std::thread> writers_;
  std::atomic<std::uint64_t> go_{0};
  std::atomic<int> done_{0};
  std::atomic<int> round_{0};
};
QUORATE_BOTH_BACKENDS(DataPath);

TEST(Counting, SeesWhatIsAllocatedAndLocked) {
  start_counting();
  std::mutex mutex;
  { std::lock_guard lock(mutex); }
  delete new int;
  const auto none = std::make_unique<char[]>(1);
  const Counts counts = stop_counting();
  EXPECT_GE(counts.allocations, 1u) << none.get();
  EXPECT_GE(counts.locks, 1u);
}

TEST_P(DataPath, StreamingAllocatesAndLocksNothing) {
  start_writers();
  run_writers(20 * kRing_bytes / 72);
  expect_a_clean_window([&] {
    const std::uint64_t sealed = primary_->counters().records_sealed;
    const auto begun = std::chrono::steady_clock::now();
    run_writers(kRecords / 2);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    EXPECT_EQ(primary_->counters().records_sealed - sealed, kRecords);
    std::printf("%.2f M records/s, 2 replicas and 2 writers in one process\n",
                static_cast<double>(kRecords) / took.count() / 1e6);
  });
  end_writers();
  const std::uint64_t all = primary_->counters().records_sealed;
  EXPECT_EQ(replicas_[0]->count(), all);
  EXPECT_EQ(replicas_[1]->count(), all);
}

/// A callback as small as two pointers is kept without an allocation; the heaps, the mailbox and
/// the lists of the loop have grown to their size in the warm-up. A larger capture allocates in the
/// program's own std::function, once per callback: that is the program's choice.
TEST_P(DataPath, CallbacksOfABatchAllocateAndLockNothing) {
  Stream stream = primary_->stream();
  std::atomic<std::uint64_t> calls{0};
  const auto run = [&](std::uint64_t records) {
    std::byte payload[64] = {};
    Position end = 0;
    const std::uint64_t goal = calls + records / kBatch;
    for (std::uint64_t i = 0; i < records;) {
      if (!stream.try_append(payload, end)) {
        stream.wait_space(sizeof payload, kLong);
      } else if (++i % kBatch == 0) {
        const Ticket ticket{primary_->epoch(), end, 0};
        const auto count = [&calls](const Outcome& outcome) { calls += outcome.released(); };
        while (!stream.on_released(ticket, RuleId{0}, count)) std::this_thread::yield();
      }
    }
    while (calls < goal) std::this_thread::yield();
  };
  run(20 * kRing_bytes / 72);
  expect_a_clean_window([&] { run(kRecords); });
}

}  // namespace
}  // namespace quorate
