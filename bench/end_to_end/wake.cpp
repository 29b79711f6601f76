#include "bench/end_to_end/wake.h"

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>

#include "bench/end_to_end/latency.h"
#include "bench/end_to_end/placement.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

struct Pair {
  int event = -1;
  std::atomic<std::uint32_t> answers{0};
  std::atomic<bool> stop{false};
};

void answer(Pair& pair) {
  std::uint64_t count = 0;
  while (::read(pair.event, &count, sizeof count) == sizeof count) {
    if (pair.stop.load(std::memory_order_relaxed)) return;
    pair.answers.fetch_add(1, std::memory_order_release);
    futex(pair.answers, FUTEX_WAKE, 1);
  }
}

bool ask(Pair& pair) {
  const std::uint64_t one = 1;
  const std::uint32_t before = pair.answers.load(std::memory_order_acquire);
  if (::write(pair.event, &one, sizeof one) != sizeof one) return false;
  while (pair.answers.load(std::memory_order_acquire) == before) {
    futex(pair.answers, FUTEX_WAIT, before);
  }
  return true;
}

/// The whole measurement as the asking thread; nothing when a call failed.
std::optional<double> ask_for(Pair& pair, double seconds) {
  Latencies latencies(seconds);
  bool good = true;
  for (double begin_s = now_s(), deadline_s = begin_s + seconds; good && begin_s < deadline_s;) {
    good = ask(pair);
    const double end_s = now_s();
    latencies.record(end_s - begin_s);
    begin_s = end_s;
  }
  pair.stop.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  good = ::write(pair.event, &one, sizeof one) == sizeof one && good;
  if (!good) return std::nullopt;
  return latencies.p50_us();
}

}  // namespace

Result<double> wake_pair_p50_us(double seconds, bool pin) {
  Pair pair;
  pair.event = ::eventfd(0, EFD_CLOEXEC);
  if (pair.event < 0) return Error(Errc::io, std::strerror(errno), errno);
  std::optional<double> p50_us;
  // Both are threads of their own: the caller's CPUs are what its children inherit.
  std::thread loop([&] {
    if (pin) pin_this_thread(Core::lead);
    answer(pair);
  });
  std::thread writer([&] {
    if (pin) pin_this_thread(Core::peers);
    p50_us = ask_for(pair, seconds);
  });
  writer.join();
  loop.join();
  ::close(pair.event);
  if (!p50_us) return Error(Errc::io, "eventfd cannot be written");
  return *p50_us;
}

}  // namespace quorate::bench
