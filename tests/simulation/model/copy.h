#pragma once

// What one process has of one stream: how much of which reign it holds, what its program has seen
// of it, and what it has said about it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/simulation/model/history.h"
#include "tests/simulation/model/stream_log.h"

namespace quorate::simulation {

class Copy {
 public:
  /// Null while it holds nothing.
  [[nodiscard]] StreamLog* log() const noexcept { return log_; }

  /// `log` is that of the frame's epoch, null when there is none that could reach the process.
  void take_frame(const HistoryEvent& event, StreamLog* log, Violation& violation);
  void say_claim(const HistoryEvent& event, Violation& violation);
  /// `known`: the epoch named is one whose primary the process may talk to.
  void say_acknowledgement(const HistoryEvent& event, bool known, Violation& violation);
  bool apply(const HistoryEvent& event, Violation& violation);
  void show(const HistoryEvent& event, Violation& violation);

  /// Whether it has said as much of that epoch: nothing else can have been delivered.
  [[nodiscard]] bool has_said(const HistoryEvent& event) const noexcept;
  /// What is missing when it should have all of `log`; empty when nothing is.
  [[nodiscard]] std::string lacks(StreamLog& log);
  /// Its process has ended. What it said remains.
  void end() noexcept { log_ = nullptr; }

 private:
  /// Where the program stands is behind every abandoned record that it may pass. Only while it
  /// holds something.
  void pass_abandoned();
  void fail_apply(const HistoryEvent& event, std::string_view why, Violation& violation) const;

  StreamLog* log_ = nullptr;
  Epoch epoch_;
  Position held_ = 0;
  std::size_t held_records_ = 0;
  Position cursor_ = 0;  ///< the program has applied, or passed as abandoned, what is before
  std::size_t cursor_records_ = 0;
  Position said_received_ = 0;
  Position said_applied_ = 0;
  Position shown_received_ = 0;
  Position shown_exposed_ = 0;
  Position shown_applied_ = 0;
};

}  // namespace quorate::simulation
