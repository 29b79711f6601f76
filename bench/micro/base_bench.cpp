// The tail ring: what a record costs from claim to reclaimed space.

#include <benchmark/benchmark.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/ring_memory.h"
#include "base/tail_ring.h"
#include "base/watermark_waiters.h"

namespace {

using namespace quorate;
using base::TailRing;

constexpr std::uint64_t kRing = 4u << 20;
constexpr std::uint64_t kBatch = 256u << 10;

struct MappedRing {
  MappedRing() : arena(base::RingArena::create(kRing, kRing, 1).value()) {
    ring.attach(arena->map(0).value().data(), kRing, kRing / 8);
    ring.unpark();
  }
  std::unique_ptr<base::RingArena> arena;
  TailRing ring;
};

bool append(TailRing& ring, const std::byte* payload, std::size_t size) {
  const auto space = ring.claim(size);
  if (space.refusal != TailRing::Refusal::none) return false;
  std::memcpy(space.payload, payload, size);
  ring.publish(space.begin, size);
  return true;
}

/// The loop on the first core that is ours, its writers on the others: left alone the scheduler
/// puts them together in one run and apart in the next, which is a difference of several times.
class Placement {
 public:
  Placement() {
    sched_getaffinity(0, sizeof all_, &all_);
    CPU_ZERO(&loop_);
    others_ = all_;
    if (CPU_COUNT(&all_) < 2) return;
    int first = 0;
    while (!CPU_ISSET(first, &all_)) ++first;
    CPU_CLR(first, &others_);
    CPU_SET(first, &loop_);
    sched_setaffinity(0, sizeof loop_, &loop_);
  }
  ~Placement() { sched_setaffinity(0, sizeof all_, &all_); }
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  void place_writer() const { sched_setaffinity(0, sizeof others_, &others_); }

 private:
  cpu_set_t all_{};
  cpu_set_t loop_{};
  cpu_set_t others_{};
};

void write_until(TailRing& ring, std::size_t size, const std::atomic<bool>& stop) {
  const std::vector<std::byte> payload(size, std::byte{0x5A});
  while (!stop.load(std::memory_order_relaxed)) {
    if (!append(ring, payload.data(), size)) std::this_thread::yield();
  }
}

/// range(0) writer threads, range(1) payload bytes. The measured thread is the loop: it walks
/// batches and gives their space back.
void claim_and_publish(benchmark::State& state) {
  const Placement placement;
  MappedRing mapped;
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    writers.emplace_back(
        [&] { write_until(mapped.ring, static_cast<std::size_t>(state.range(1)), stop); });
  }
  Position reclaimed = 0;
  std::int64_t records = 0;
  for (auto _ : state) {
    auto walk = mapped.ring.walk(reclaimed, kBatch);
    while (walk.records == 0) {
      std::this_thread::yield();
      walk = mapped.ring.walk(reclaimed, kBatch);
    }
    mapped.ring.give_back(reclaimed, walk.end);
    reclaimed = walk.end;
    records += walk.records;
  }
  stop.store(true);
  for (std::thread& writer : writers) writer.join();
  state.SetItemsProcessed(records);
}
BENCHMARK(claim_and_publish)
    ->ArgNames({"writers", "payload"})
    ->Args({1, 16})
    ->Args({2, 16})
    ->Args({4, 16})
    ->Args({1, 64})
    ->Args({2, 64})
    ->Args({4, 64})
    ->Args({1, 1024})
    ->UseRealTime();

/// The same on one thread: no cache line travels.
void claim_and_publish_alone(benchmark::State& state) {
  MappedRing mapped;
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  Position reclaimed = 0;
  std::int64_t records = 0;
  for (auto _ : state) {
    while (mapped.ring.claimed() - reclaimed < kBatch) {
      append(mapped.ring, payload.data(), payload.size());
      ++records;
    }
    const auto walk = mapped.ring.walk(reclaimed, kRing);
    mapped.ring.give_back(reclaimed, walk.end);
    reclaimed = walk.end;
  }
  state.SetItemsProcessed(records);
}
BENCHMARK(claim_and_publish_alone)->ArgName("payload")->Arg(16)->Arg(64)->Arg(1024);

/// What publishing a watermark costs while nobody sleeps on it.
void advance_watermark(benchmark::State& state) {
  std::atomic<Position> watermark{0};
  base::WatermarkWaiters waiters;
  Position at = 0;
  for (auto _ : state) {
    watermark.store(++at, std::memory_order_release);
    waiters.on_advanced(at);
  }
}
BENCHMARK(advance_watermark);

}  // namespace
