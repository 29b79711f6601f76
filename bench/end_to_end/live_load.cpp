#include "bench/end_to_end/live_load.h"

#include <sys/prctl.h>

#include <chrono>
#include <cstring>

#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

constexpr double kBurst_s = 200e-6;
constexpr unsigned long kTimerSlack_ns = 1000;

}  // namespace

LiveLoad::LiveLoad(Stream stream, RuleId rule, std::uint32_t payload_bytes, double records_per_s,
                   std::uint64_t first)
    : stream_(stream), rule_(rule), payload_(payload_bytes), appended_(first) {
  thread_ = std::thread([this, records_per_s] { run(records_per_s); });
}

void LiveLoad::stop() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void LiveLoad::run(double records_per_s) {
  // By default the kernel may wake a sleeper 50 µs late, which is no matter of the engine.
  ::prctl(PR_SET_TIMERSLACK, kTimerSlack_ns, 0, 0, 0);
  const double begin_s = now_s();
  const std::uint64_t before = appended_;
  for (std::uint64_t burst = 1; !stop_.load(std::memory_order_relaxed); ++burst) {
    const double due_s = begin_s + static_cast<double>(burst) * kBurst_s;
    const double ahead_s = due_s - now_s();
    if (ahead_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(ahead_s));
    const double due = static_cast<double>(burst) * kBurst_s * records_per_s;
    const std::uint64_t target = before + static_cast<std::uint64_t>(due);
    if (appended_ >= target) continue;
    while (appended_ < target && !stop_.load(std::memory_order_relaxed)) append_one();
    await_release({stream_.epoch(), end_, stream_.id()}, due_s);
  }
}

void LiveLoad::append_one() {
  std::memcpy(payload_.data(), &appended_, sizeof appended_);
  if (stream_.try_append(payload_, end_)) {
    ++appended_;
  } else {
    stream_.wait_space(payload_.size(), std::chrono::milliseconds(100));
  }
}

void LiveLoad::await_release(const Ticket& ticket, double due_s) {
  awaited_.fetch_add(1, std::memory_order_relaxed);
  const Status awaits =
      stream_.on_released(ticket, rule_, [this, due_s](const Outcome&) { on_released(due_s); });
  if (awaits) return;
  awaited_.fetch_sub(1, std::memory_order_relaxed);
  refused_.store(true, std::memory_order_relaxed);
}

void LiveLoad::on_released(double due_s) {
  const Phase phase = phase_.load(std::memory_order_relaxed);
  if (phase != Phase::none) of(phase).record(now_s() - due_s);
  awaited_.fetch_sub(1, std::memory_order_release);
}

}  // namespace quorate::bench
