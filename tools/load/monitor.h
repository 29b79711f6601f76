#pragma once

// What the main thread sees while the writers write: how far replicas lag, how much is released,
// the progress line. Looks ten times a second and sleeps in between, so it costs the load nothing.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/primary.h"
#include "tools/load/report.h"

namespace quorate::tools {

/// The worst state that a replica is in on any stream.
ReplicaStatus::State worse(ReplicaStatus::State a, ReplicaStatus::State b);

class Monitor {
 public:
  static constexpr double kInterval_s = 0.1;

  Monitor(Primary& primary, const LoadPlan& plan, std::vector<RuleId> rules);
  ~Monitor();

  /// Looks at the streams, at some of them in turn when there are many.
  void look(double now_s);
  /// Once a second, on a terminal or when asked for. `appended`: records so far.
  void show(double now_s, double elapsed_s, std::uint64_t appended);

  /// Seconds since a watermark last rose while something is unreleased; 0 when nothing is.
  [[nodiscard]] double stalled_s(double now_s) const;
  /// States over all streams, by index of the replica.
  [[nodiscard]] std::vector<ReplicaStatus::State> states() const;
  /// Lag and states, without verdicts.
  [[nodiscard]] std::vector<ReplicaResult> results() const;

 private:
  void look_at(const StreamStatus& status);
  [[nodiscard]] Position released() const;

  Primary& primary_;
  std::vector<RuleId> rules_;  ///< by stream
  bool shows_;
  bool on_terminal_;
  std::vector<ReplicaResult> replicas_;
  std::vector<std::uint64_t> lag_bytes_;  ///< at the last look, by replica
  StreamId next_stream_ = 0;
  Position released_ = 0;
  double released_at_s_ = 0;
  double shown_at_s_ = 0;
  std::uint64_t shown_appended_ = 0;
  Position shown_released_ = 0;
};

}  // namespace quorate::tools
