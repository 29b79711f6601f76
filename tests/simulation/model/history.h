#pragma once

// What a run did, as the model of the world is told: one plain event at a time, in the order in
// which it happened. A history can be kept, changed and judged again.
//
// An epoch that is all zero means "not told" in commit_delivered and applied, and "of nothing" in
// claims of a process that holds nothing.

#include <cstdint>

#include "quorate/types.h"

namespace quorate::simulation {

/// How a reign or a process ended, and what became of a record that was claimed.
enum class EventKind : std::uint8_t {
  // The primary. A reign has an epoch; there is one at a time.
  reign_began,    ///< epoch
  stream_fenced,  ///< stream: a claim stayed open too long; nothing new is appended or released
  closing,        ///< closed or killed: waiters may be told `unknown` from now on; may be repeated
  reign_ended,    ///< killed or closed: no callback runs any more
  // Writers. Claims of one stream follow each other without a gap.
  claimed,        ///< stream, begin, end, content (of what will be published)
  published,      ///< stream, begin
  abandoned,      ///< stream, begin: becomes padding
  awaited,        ///< stream, end, rule, waiter: numbers rise within a reign
  resolved,       ///< waiter, outcome, copies
  watermark,      ///< stream, rule, end: what the primary shows as released
  committed,      ///< stream, end: what the primary shows as committed
  // Replicas. A process of a replica has a number that is never used again.
  process_began,  ///< replica, process
  process_ended,  ///< replica, process
  // The wire. Only what arrived whole and unchanged is delivered.
  frame_delivered,  ///< process, stream, epoch, begin, end
  commit_sent,      ///< stream, end: the primary says so on its way to somebody
  commit_delivered, ///< process, stream, end, epoch if known
  claim_sent,       ///< process, stream, epoch, end: what it says it holds, when it resumes
  claim_delivered,  ///< process, stream, epoch, end
  /// refused: it needs a full copy.
  claim_answered,   ///< process, stream: the primary has looked at what was delivered, and says so
  ack_sent,         ///< process, stream, epoch, end (received), applied
  ack_delivered,    ///< process, stream, epoch, end (received), applied
  session_ended,    ///< process: its connection is gone; what it was told of commits stays known
  // The program on a replica.
  applied,          ///< process, stream, begin, end, content, epoch if known
  shown,            ///< process, stream, end (received), begin (exposed), applied: as reported
  // The end.
  /// content: bit r set means that replica r must have converged: a live process of it has all
  /// that is written, has applied what is committed, and the primary knows. Time enough has passed.
  quiet,
};

struct HistoryEvent {
  EventKind kind = EventKind::reign_began;
  std::uint8_t rule = 0;
  bool refused = false;
  OutcomeKind outcome = OutcomeKind::pending;
  std::uint32_t copies = 0;
  StreamId stream = 0;
  std::uint32_t replica = 0;
  std::uint32_t process = 0;
  std::uint64_t waiter = 0;
  Epoch epoch{};
  Position begin = 0;
  Position end = 0;
  Position applied = 0;
  Position durable = 0;  ///< of an acknowledgement
  std::uint64_t content = 0;
};

}  // namespace quorate::simulation
