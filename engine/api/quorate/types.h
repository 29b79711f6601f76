#pragma once

// The vocabulary of Quorate: what a program names when it appends, waits and applies.
// Only std is included. Every type here is a plain value.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quorate {

/// A byte address in a stream: counts the record bytes before it (headers and padding of records
/// included), nothing else. Ranges are half-open; a watermark names the end.
using Position = std::uint64_t;

/// Index of a stream within one primary: 0 … streams - 1.
using StreamId = std::uint32_t;

/// One reign of a primary. Ordered by number, then by the owner's incarnation, which is drawn
/// afresh at each start, so that no two reigns are equal.
struct Epoch {
  std::uint64_t number = 0;
  std::uint64_t incarnation = 0;

  friend constexpr auto operator<=>(const Epoch&, const Epoch&) = default;
};

/// What `append` returns: the end of the record, and the epoch and stream in which that position
/// means this record. After a failover another epoch may hold other bytes at the same position.
struct Ticket {
  Epoch epoch;
  Position end = 0;
  StreamId stream = 0;

  friend constexpr bool operator==(const Ticket&, const Ticket&) = default;
};

/// How far a copy has got before it counts.
enum class Level : std::uint8_t {
  received,  ///< in the memory of that node, verified and in order
  durable,   ///< flushed to that node's disk
  applied,   ///< the apply function of that replica's program has returned
};

/// A record as the apply function of a replica sees it. `payload` is valid until apply returns.
struct Record {
  StreamId stream = 0;
  Position begin = 0;  ///< where the record begins; `end` of one record is `begin` of the next
  Position end = 0;
  std::span<const std::byte> payload;

  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

/// A program's state of one stream after everything up to `position`, as another program of the
/// same cluster wrote it: in place of records that nobody keeps any more.
struct Snapshot {
  StreamId stream = 0;
  Position position = 0;  ///< what it is the state of, a Record::end
  /// The file; it is there until a newer one is installed or the log no longer goes back to
  /// `position`. "": the primary's program has no state but what is in the log, so there is nothing
  /// before `position` (PrimaryOptions::log_is_state).
  std::string path;
  std::uint64_t bytes = 0;  ///< of it
};

/// What became of a write whose release was awaited.
enum class OutcomeKind : std::uint8_t {
  released,  ///< the rule is met: `level` was reached on `copies` nodes, the primary included
  pending,   ///< stopped waiting; the write stays in the stream and can be awaited again
  unknown,   ///< the primary was closed or fenced while waiting: the write may or may not survive
  lost,      ///< proved cut
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::pending;
  Level level = Level::received;
  std::uint32_t copies = 0;  ///< copies known when the outcome was made, at least what was asked

  [[nodiscard]] bool released() const { return kind == OutcomeKind::released; }
};

/// Wait without a time limit.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

inline constexpr std::uint32_t kReplicasMax = 64;       ///< replicas of one primary
inline constexpr std::uint32_t kRulesMax = 16;          ///< release rules of one stream
inline constexpr std::uint32_t kStreamsMax = 65536;     ///< streams of one primary
inline constexpr std::uint32_t kRecordHeaderBytes = 8;  ///< stream bytes a record takes beyond its
                                                        ///< payload, which is padded to 8

[[nodiscard]] std::string_view to_string(Level level) noexcept;
[[nodiscard]] std::string_view to_string(OutcomeKind kind) noexcept;

}  // namespace quorate
