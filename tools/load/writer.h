#pragma once

// One writer thread of the load, in the primary's process. It appends records until told to stop,
// never has more than its window outstanding, and measures latency by looking at the watermark of
// its rule: asleep in `wait` when it has nothing else to do, in passing when it has. Closed loop:
// latency counts from the call to append. Open loop: from the time the schedule intended, so that
// a stall shows in every write it delayed.

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "quorate/error.h"
#include "tools/load/feed.h"
#include "tools/load/histogram.h"
#include "tools/load/outstanding.h"
#include "tools/load/snapshots.h"

namespace quorate::tools {

std::int64_t now_ns() noexcept;  ///< monotonic

/// Shared by all writers of a run; written by the main thread.
struct LoadControl {
  std::int64_t start_ns = 0;  ///< fixed before the writers start
  std::int64_t append_until_ns = 0;
  std::atomic<bool> stop{false};     ///< append no more
  std::atomic<bool> abandon{false};  ///< nor wait for what is outstanding
};

struct WriterSpec {
  std::uint16_t index = 0;
  std::uint16_t writers = 1;
  std::uint32_t window = 1;
  std::uint64_t window_bytes = 0;  ///< of a stream, the other writers' included
  std::uint32_t sample_every = 1;
  double interval_ns = 0;  ///< open loop: between two records of this writer; 0: closed loop
  double trace_speed = 0;  ///< open loop: the trace's own times, so many times faster
  bool verify = false;
  std::string snapshots;  ///< directory of what is offered; "": nothing is
  std::uint64_t snapshot_every_bytes = 0;
  RecordSizes sizes;
  std::span<const TraceRow> rows;  ///< empty: records of `sizes`

  [[nodiscard]] bool open_loop() const { return interval_ns > 0 || trace_speed > 0; }
};

class alignas(128) Writer {
 public:
  Writer(const WriterSpec& spec, std::vector<Lane> lanes, const LoadControl& control);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { join(); }

  void start();
  void join();
  [[nodiscard]] bool done() const { return done_.load(std::memory_order_acquire); }
  /// While it runs: about as many as it has appended.
  [[nodiscard]] std::uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }

  // After join().
  [[nodiscard]] std::uint64_t appended() const { return outstanding_.appended(); }
  [[nodiscard]] std::uint64_t pending() const { return outstanding_.pending(); }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }  ///< scheduled, never appended
  [[nodiscard]] std::uint64_t rows_left() const { return rows_left_; }
  [[nodiscard]] std::int64_t finished_ns() const { return finished_ns_; }
  [[nodiscard]] const Histogram& latencies_ns() const { return latencies_ns_; }
  [[nodiscard]] const std::vector<Lane>& lanes() const { return lanes_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  void run();
  template <typename Feed>
  void write_all(Feed& feed);
  template <typename Feed>
  [[nodiscard]] std::int64_t intended_ns(const Feed& feed) const noexcept;
  template <typename Feed>
  bool put(Feed& feed, std::int64_t begun_ns);
  bool await_turn(std::int64_t intended_ns);
  bool await_room();
  bool await_space(Lane& lane, std::size_t bytes);
  void await_all();
  void await_oldest(std::int64_t timeout_ns);
  void look(std::int64_t now_ns) noexcept;
  void note_missed();
  [[nodiscard]] bool over(std::int64_t now_ns) const noexcept;
  /// The window is used up.
  [[nodiscard]] bool crowded() noexcept {
    return outstanding_.full() || lanes_[lane_].beyond(spec_.window_bytes);
  }
  [[nodiscard]] bool stopped() const noexcept {
    return error_.has_value() || control_.stop.load(std::memory_order_relaxed);
  }

  const WriterSpec spec_;
  const LoadControl& control_;
  std::vector<Lane> lanes_;
  std::vector<SnapshotMaker> snapshots_;  ///< by lane; none: nothing is offered
  Outstanding outstanding_;
  Histogram latencies_ns_;
  std::size_t lane_ = 0;
  std::uint64_t missed_ = 0;
  std::uint64_t rows_left_ = 0;
  std::int64_t finished_ns_ = 0;
  std::optional<Error> error_;
  alignas(128) std::atomic<std::uint64_t> progress_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace quorate::tools
