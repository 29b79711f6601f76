#pragma once

// An open-loop load from inside the primary's process: bursts at fixed instants, whatever becomes
// of those before, so that a stall costs every burst that falls into it. A burst's latency runs
// from the instant at which it was due to the release of its last record.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "bench/end_to_end/latency.h"
#include "quorate/primary.h"

namespace quorate::bench {

class LiveLoad {
 public:
  enum class Phase : std::uint8_t { none, before, beside, behind };

  /// Records carry their index, from `first` on.
  LiveLoad(Stream stream, RuleId rule, std::uint32_t payload_bytes, double records_per_s,
           std::uint64_t first);
  LiveLoad(const LiveLoad&) = delete;
  LiveLoad& operator=(const LiveLoad&) = delete;
  ~LiveLoad() { stop(); }

  /// Where latencies of bursts released from now on go.
  void measure(Phase phase) { phase_.store(phase, std::memory_order_relaxed); }
  void stop();

  // After stop(), when everything is released.
  [[nodiscard]] bool settled() const { return awaited_.load(std::memory_order_acquire) == 0; }
  [[nodiscard]] double quantile_us(Phase phase, double share) {
    return of(phase).quantile_us(share);
  }
  [[nodiscard]] std::size_t bursts(Phase phase) { return of(phase).count(); }
  [[nodiscard]] std::uint64_t appended() const { return appended_; }  ///< with those before `first`
  [[nodiscard]] Position end() const { return end_; }
  [[nodiscard]] bool refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  void run(double records_per_s);
  void append_one();
  void await_release(const Ticket& ticket, double due_s);
  void on_released(double due_s);
  [[nodiscard]] Latencies& of(Phase phase) {
    return latencies_[static_cast<std::size_t>(phase) - 1];
  }

  Stream stream_;
  RuleId rule_;
  std::vector<std::byte> payload_;
  std::uint64_t appended_ = 0;
  Position end_ = 0;
  /// By phase, none left out; the loop's until settled().
  std::array<Latencies, 3> latencies_{Latencies(4), Latencies(4), Latencies(4)};
  std::atomic<Phase> phase_{Phase::none};
  std::atomic<std::uint64_t> awaited_{0};
  std::atomic<bool> refused_{false};  ///< a burst could not be awaited
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace quorate::bench
