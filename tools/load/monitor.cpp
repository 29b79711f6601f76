#include "tools/load/monitor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "tools/cli/text.h"
#include "tools/process/process.h"

namespace quorate::tools {

namespace {

using State = ReplicaStatus::State;

constexpr std::uint32_t kStreamsAtOnce = 64;

}  // namespace

State worse(State a, State b) {
  const auto rank = [](State state) {
    switch (state) {
      case State::streaming:
        return 0;
      case State::parked:
        return 1;
      case State::catching_up:
        return 2;
      case State::absent:
        return 3;
      case State::needs_full_copy:
        return 4;
    }
    return 4;
  };
  return rank(a) >= rank(b) ? a : b;
}

Monitor::Monitor(Primary& primary, const LoadPlan& plan, std::vector<RuleId> rules)
    : primary_(primary),
      rules_(std::move(rules)),
      shows_(::isatty(STDERR_FILENO) != 0 || plan.options.progress),
      on_terminal_(::isatty(STDERR_FILENO) != 0),
      lag_bytes_(plan.names.size()),
      released_at_s_(now_s()),
      shown_at_s_(now_s()) {
  for (const std::string& name : plan.names) replicas_.push_back({name, {}, 0, 0, {}});
  // A log may hold what was released in an earlier life.
  released_ = shown_released_ = released();
}

Monitor::~Monitor() {
  if (shows_ && on_terminal_) fmt::print(stderr, "\r\x1b[K");
}

Position Monitor::released() const {
  Position sum = 0;
  for (StreamId id = 0; id < rules_.size(); ++id) sum += primary_.stream(id).watermark(rules_[id]);
  return sum;
}

void Monitor::look(double now) {
  const Position sum = released();
  if (sum != released_) released_at_s_ = now;
  released_ = sum;
  std::fill(lag_bytes_.begin(), lag_bytes_.end(), 0);
  const auto streams = static_cast<std::uint32_t>(rules_.size());
  for (std::uint32_t i = 0; i < std::min(streams, kStreamsAtOnce); ++i) {
    look_at(primary_.stream(next_stream_).status());
    next_stream_ = next_stream_ + 1 == streams ? 0 : next_stream_ + 1;
  }
}

void Monitor::look_at(const StreamStatus& status) {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const ReplicaStatus& replica = status.replicas[i];
    // Who is not connected has no lag that would ever end; the state tells about it.
    if (replica.state == State::absent || replica.state == State::needs_full_copy) continue;
    lag_bytes_[i] += replica.lag_bytes;
    ReplicaResult& result = replicas_[i];
    result.lag_bytes_max = std::max(result.lag_bytes_max, lag_bytes_[i]);
    result.lag_seconds_max = std::max(result.lag_seconds_max, replica.lag_seconds);
  }
}

void Monitor::show(double now, double elapsed_s, std::uint64_t appended) {
  const double passed_s = now - shown_at_s_;
  if (!shows_ || passed_s < 1) return;
  std::string lag;
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    lag += fmt::format("  {} {}", replicas_[i].name, byte_text(lag_bytes_[i]));
  }
  fmt::print(stderr, "{}{:.0f} s  {} writes/s  {:.0f} MiB/s released  lag{}{}",
             on_terminal_ ? "\r\x1b[K" : "", elapsed_s,
             grouped(static_cast<std::uint64_t>(static_cast<double>(appended - shown_appended_) /
                                                passed_s)),
             static_cast<double>(released_ - shown_released_) / passed_s / kBytesPerMiB, lag,
             on_terminal_ ? "" : "\n");
  std::fflush(stderr);
  shown_at_s_ = now;
  shown_appended_ = appended;
  shown_released_ = released_;
}

double Monitor::stalled_s(double now) const {
  for (StreamId id = 0; id < rules_.size(); ++id) {
    Stream stream = primary_.stream(id);
    if (stream.status().appended > stream.watermark(rules_[id])) return now - released_at_s_;
  }
  return 0;
}

std::vector<State> Monitor::states() const {
  std::vector<State> states(replicas_.size(), State::streaming);
  for (StreamId id = 0; id < rules_.size(); ++id) {
    const StreamStatus status = primary_.stream(id).status();
    for (std::size_t i = 0; i < states.size(); ++i) {
      states[i] = worse(states[i], status.replicas[i].state);
    }
  }
  return states;
}

std::vector<ReplicaResult> Monitor::results() const {
  std::vector<ReplicaResult> results = replicas_;
  const std::vector<State> now = states();
  for (std::size_t i = 0; i < results.size(); ++i) results[i].state = now[i];
  return results;
}

}  // namespace quorate::tools
