#include "tools/load/writer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace quorate::tools {

namespace {

using std::chrono::nanoseconds;

/// How long a writer sleeps before it looks whether it has been told to stop.
constexpr std::int64_t kSlice_ns = 50'000'000;
constexpr std::int64_t kRefused_ns = 100'000;

void sleep_until(std::int64_t time_ns) {
  const timespec until{time_ns / 1'000'000'000, time_ns % 1'000'000'000};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

std::int64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

Writer::Writer(const WriterSpec& spec, std::vector<Lane> lanes, const LoadControl& control)
    : spec_(spec),
      control_(control),
      lanes_(std::move(lanes)),
      outstanding_(spec.window, spec.sample_every, lanes_.size()) {
  if (spec.snapshots.empty()) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    snapshots_.emplace_back(spec.snapshots, spec.snapshot_every_bytes);
  }
}

void Writer::start() {
  thread_ = std::thread([this] { run(); });
}

void Writer::join() {
  if (thread_.joinable()) thread_.join();
}

void Writer::run() {
  // The kernel may delay sleepers by 50 µs to batch them; a schedule would show it as latency.
  ::prctl(PR_SET_TIMERSLACK, 1000);
  if (spec_.rows.empty()) {
    RecordFeed feed(spec_.sizes, spec_.index, spec_.verify);
    write_all(feed);
  } else {
    TraceFeed feed(spec_.rows, spec_.index, spec_.writers, spec_.index, spec_.verify);
    write_all(feed);
  }
  await_all();
  finished_ns_ = now_ns();
  progress_.store(appended(), std::memory_order_relaxed);
  done_.store(true, std::memory_order_release);
}

template <typename Feed>
void Writer::write_all(Feed& feed) {
  while (!feed.exhausted() && !stopped()) {
    std::int64_t begun_ns = 0;
    if (spec_.open_loop()) {
      begun_ns = intended_ns(feed);
      if (!await_turn(begun_ns)) break;
    }
    if (crowded() && !await_room()) break;
    if (outstanding_.sample_due()) {
      const std::int64_t now = now_ns();
      look(now);
      if (over(now)) break;
      if (!spec_.open_loop()) begun_ns = now;
    }
    if (!put(feed, begun_ns)) break;
  }
  rows_left_ = feed.left();
  note_missed();
}

template <typename Feed>
std::int64_t Writer::intended_ns(const Feed& feed) const noexcept {
  if (spec_.trace_speed > 0) {
    return control_.start_ns + static_cast<std::int64_t>(feed.time_s() * 1e9 / spec_.trace_speed);
  }
  // Writers take turns: the first record of each is a part of the interval later.
  const double turns = static_cast<double>(outstanding_.appended()) +
                       static_cast<double>(spec_.index) / spec_.writers;
  return control_.start_ns + static_cast<std::int64_t>(turns * spec_.interval_ns);
}

template <typename Feed>
bool Writer::put(Feed& feed, std::int64_t begun_ns) {
  Lane& lane = lanes_[lane_];
  Position end = 0;
  for (int refusals = 0; !feed.put(lane, end); ++refusals) {
    // There was space but not for us: another writer took it, or the loop's budget is used up.
    if (refusals > 2) sleep_until(now_ns() + kRefused_ns);
    if (!await_space(lane, feed.bytes())) return false;
  }
  lane.end = end;
  outstanding_.push(end, begun_ns);
  if (!snapshots_.empty()) {
    snapshots_[lane_].note(lane);
    if (snapshots_[lane_].error()) error_ = snapshots_[lane_].error();
  }
  if (++lane_ == lanes_.size()) lane_ = 0;
  return true;
}

bool Writer::over(std::int64_t now) const noexcept {
  return stopped() || now >= control_.append_until_ns;
}

/// False when the run is over before that time.
bool Writer::await_turn(std::int64_t intended) {
  if (intended >= control_.append_until_ns) return false;
  for (;;) {
    const std::int64_t now = now_ns();
    if (over(now)) return false;
    if (now >= intended) return true;
    const std::int64_t until = std::min(intended, now + kSlice_ns);
    if (outstanding_.empty()) {
      sleep_until(until);
    } else {
      await_oldest(until - now);
    }
  }
}

bool Writer::await_room() {
  look(now_ns());
  while (crowded()) {
    await_oldest(kSlice_ns);
    if (over(now_ns())) return false;
  }
  return true;
}

bool Writer::await_space(Lane& lane, std::size_t bytes) {
  const bool space = lane.stream.wait_space(bytes, nanoseconds(kSlice_ns));
  const std::int64_t now = now_ns();
  look(now);
  if (space) return !over(now);
  // A stream that was closed or fenced refuses for another reason than a full ring, or a log that
  // waits for replicas. The claim that asks becomes padding should it succeed.
  const auto claim = lane.stream.claim(bytes);
  const Errc code = claim ? Errc::busy : claim.error().code;
  if (code != Errc::busy && code != Errc::log_full) error_ = claim.error();
  return !over(now);
}

void Writer::await_all() {
  look(now_ns());
  while (!outstanding_.empty() && !error_ && !control_.abandon.load(std::memory_order_relaxed)) {
    await_oldest(kSlice_ns);
  }
}

void Writer::await_oldest(std::int64_t timeout_ns) {
  Lane& lane = lanes_[outstanding_.oldest_lane()];
  const Ticket ticket{lane.epoch, outstanding_.oldest_end(), lane.stream.id()};
  const auto outcome = lane.stream.wait(ticket, lane.rule, nanoseconds(timeout_ns));
  look(now_ns());
  if (!outcome) {
    error_ = outcome.error();
  } else if (outcome->kind == OutcomeKind::unknown || outcome->kind == OutcomeKind::lost) {
    error_ = Error(Errc::closed, "a write ended " + std::string(to_string(outcome->kind)));
  }
}

void Writer::look(std::int64_t now) noexcept {
  outstanding_.advance(
      [this](std::size_t lane, Position end) { return lanes_[lane].released(end); }, now,
      latencies_ns_);
  progress_.store(outstanding_.appended(), std::memory_order_relaxed);
}

/// What the schedule wanted before the end and did not get.
void Writer::note_missed() {
  if (spec_.interval_ns <= 0) return;
  const auto length =
      static_cast<double>(std::min(now_ns(), control_.append_until_ns) - control_.start_ns);
  const double turns =
      length / spec_.interval_ns - static_cast<double>(spec_.index) / spec_.writers;
  const auto scheduled = static_cast<std::uint64_t>(std::max(0.0, turns));
  missed_ = scheduled - std::min(scheduled, appended());
}

}  // namespace quorate::tools
