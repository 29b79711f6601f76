#pragma once

// What must hold of durable clusters with one primary host: what was promised is found again,
// wherever it is looked for. Shares nothing with the engine but its vocabulary.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/rule.h"
#include "quorate/status.h"
#include "quorate/types.h"

namespace quorate::simulation::durable {

/// One record, as it was written or found.
struct Entry {
  StreamId stream = 0;
  Position begin = 0;
  Position end = 0;
  std::uint64_t content = 0;
  Epoch epoch;
};

/// Whose log it is: the primary's, or that of a replica by its number.
inline constexpr std::uint32_t kPrimaryNode = ~std::uint32_t{0};

class Oracle {
 public:
  Oracle(std::uint32_t streams, std::uint32_t replicas, std::vector<Rule> rules,
         std::uint32_t protected_copies);

  // The primary's program.

  /// It goes on there. Returns true when something that it had taken is gone.
  bool on_reopened(StreamId stream, Position start);
  void on_written(const Entry& entry);
  /// `all_seen`: and nothing that it showed before was missed in this reign.
  void on_status(const StreamStatus& status, bool all_seen);
  /// Released under that rule up to there: told by an outcome or by a watermark.
  void on_released(StreamId stream, std::uint32_t rule, Position end);

  // A log, looked at before it is opened.

  void on_found(std::uint32_t node, const Entry& entry);
  /// It reaches from `first` to `end`, and could be read.
  void on_found_whole(std::uint32_t node, StreamId stream, Position first, Position end);
  /// The disk did not let it be read: nothing counts that this replica acknowledged.
  void on_damaged(std::uint32_t replica);

  /// Its disk is empty now: its log need not have what it acknowledged, and its program begins
  /// anew. What it said before was true, and may still be counted.
  void on_wiped(std::uint32_t replica);
  /// Logs may begin behind what was applied: a snapshot stands for what is missing.
  void expect_snapshots() noexcept { snapshots_ = true; }

  // A replica's program.

  /// Its state is that of the position: of what is committed, and where a record ends.
  void on_installed(std::uint32_t replica, StreamId stream, Position position);

  void on_applied(std::uint32_t replica, const Entry& entry);
  /// What it has applied in all its lives.
  [[nodiscard]] Position applied(std::uint32_t replica, StreamId stream) const {
    return streams_[stream].applied[replica];
  }
  /// The end of a record, at `position` or before.
  [[nodiscard]] Position record_end_before(StreamId stream, Position position) const;

  [[nodiscard]] Position written(StreamId stream) const { return end_of(streams_[stream]); }
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }

 private:
  struct History {
    std::vector<Entry> entries;
    Position must = 0;       ///< up to here the primary's log keeps it, whatever happens
    std::string must_why;
    Position committed = 0;
    bool blind = false;      ///< copies may have been counted that nobody saw
    std::vector<Position> durable;  ///< by replica: acknowledged, and of this history
    std::vector<Position> applied;  ///< by replica
    std::vector<Position> told_applied;  ///< the same, whatever became of its disk
    std::vector<bool> wiped;             ///< by replica
  };

  [[nodiscard]] static Position end_of(const History& history) {
    return history.entries.empty() ? 0 : history.entries.back().end;
  }
  [[nodiscard]] static const Entry* find(const History& history, Position begin);
  [[nodiscard]] static Position limit_of(const History& history, std::uint32_t node);
  void keep(History& history, Position end, const char* why);
  static void note_applied(History& history, std::uint32_t replica, Position position);
  [[nodiscard]] std::uint32_t copies(const std::vector<Position>& reached, const Rule& rule,
                                     Position end) const;
  void fail(const std::string& what);

  const std::vector<Rule> rules_;
  const std::uint32_t replicas_;
  const std::uint32_t protected_copies_;
  std::vector<History> streams_;
  bool snapshots_ = false;
  std::string violation_;
};

}  // namespace quorate::simulation::durable
