#pragma once

// What a log does at its hard limit. Sans-I/O: retention judges, the log asks here and acts.
//
// With what is kept firmly, and will go by itself before long, the log waits at the limit: it
// begins no other segment, and takes what its last one has room for. For what it must not wait for
// it goes beyond. A log that is beyond the limit already and waits takes nothing at all, so that to
// be opened again is no way to grow.

#include <cstdint>

#include "log/retention.h"

namespace quorate::log {

enum class LimitState : std::uint8_t {
  within,        ///< another segment is begun when one is wanted
  gives_way,     ///< at the limit, with what is not committed and is not waited for: as within
  last_segment,  ///< it waits: no other segment is begun
  beyond,        ///< it waits: nothing is taken into the last segment either
  parting,       ///< the segment that cuts the log, or begins it anew, is begun in any case
  lifted,        ///< for good
};

class LogLimit {
 public:
  /// `parts`: the log goes on in a segment that cuts it or begins it anew.
  explicit LogLimit(bool parts) noexcept
      : state_(parts ? LimitState::parting : LimitState::within) {}

  /// What is committed the program may read, and that is waited for. What is not is waited for only
  /// where `waits_for_commit`.
  void on_verdict(const RetentionVerdict& verdict, Position committed,
                  bool waits_for_commit) noexcept;
  /// The log is about to go on in a segment that cuts it or begins it anew.
  void on_parting() noexcept;
  void on_segment_begun() noexcept;
  void lift() noexcept { state_ = LimitState::lifted; }
  /// Once a turn. `segment_is_full`: the last one, and frames wait for another. True: full() has
  /// changed.
  [[nodiscard]] bool update_full(bool segment_is_full) noexcept;

  [[nodiscard]] LimitState state() const noexcept { return state_; }
  /// No other segment may be begun.
  [[nodiscard]] bool holds() const noexcept {
    return state_ == LimitState::last_segment || state_ == LimitState::beyond;
  }
  /// Frames may go into the segment that there is.
  [[nodiscard]] bool takes() const noexcept { return state_ != LimitState::beyond; }
  /// Something waits for the limit, as of the last update_full(): what the last segment has room
  /// for does not.
  [[nodiscard]] bool full() const noexcept { return full_; }

 private:
  LimitState state_;
  bool full_ = false;
};

}  // namespace quorate::log
