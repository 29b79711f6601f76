#pragma once

// Decides what the writer of a log does: which unit takes a frame, when a unit is written, when to
// sync, and how far the log is durable. Sans-I/O; bytes and files are the driver's.
//
// Group commit is by occupancy, without a timer: while few writes are in flight a unit leaves as
// soon as it has a frame, and otherwise it grows until it is full or a write has ended. Units
// become durable in any order, but count only in a row: a unit keeps its place until all before it
// are durable, so that at most `units_in_flight` units can be torn by a crash.

#include <cstdint>
#include <vector>

#include "log/format.h"

namespace quorate::log {

struct LogLimits {
  std::uint64_t segment_bytes = 64u << 20;
  std::uint32_t unit_bytes_max = 512u << 10;  ///< takes the largest frame of the stream
  std::uint32_t units_in_flight = 8;
  std::uint32_t eager_units = 2;  ///< with fewer in flight, a unit does not wait to grow
};

enum class Admission : std::uint8_t {
  taken,
  busy,           ///< every buffer is in use: again after a write has ended
  segment_full,   ///< again in the next segment
  too_large,      ///< for any unit
};

struct Unit {
  enum class State : std::uint8_t { free, open, writing, written, durable };
  State state = State::free;
  std::uint64_t number = 0;
  std::uint64_t offset = 0;  ///< in the segment
  Position first = 0;
  Position end = 0;
  Position durable_before = 0;
  std::uint32_t frames = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t written_bytes = 0;

  [[nodiscard]] std::uint32_t unit_bytes() const {
    return static_cast<std::uint32_t>(blocks_up(kHeaderBytes + body_bytes));
  }
};

class WriteMachine {
 public:
  /// `syncs`: a write is durable only after a sync that was started when it had ended.
  WriteMachine(const LogLimits& limits, bool syncs);

  void begin_segment(std::uint64_t offset, Position position);

  /// May a frame of that size come next? Closes the open unit when it has to.
  Admission admit(std::uint32_t frame_bytes);
  /// Only when admitted. The unit that takes it, at body_bytes.
  Unit& place();
  /// The frame has been copied there.
  void add(std::uint32_t frame_bytes, Position end);

  /// The next unit to write, with its place decided; null: none now.
  Unit* next_write();
  /// True when the unit is complete, false when its rest is to be written.
  bool on_written(std::uint64_t number, std::uint32_t bytes);
  /// A sync is to be started now; it covers what is written.
  bool begin_sync();
  void on_synced();

  [[nodiscard]] Position durable() const noexcept { return durable_; }
  /// What units that are complete state as durable: damage below it is noticed for certain.
  [[nodiscard]] Position marked() const noexcept { return marked_; }
  [[nodiscard]] bool drained() const noexcept { return oldest_ == next_; }
  /// Number of the first unit that is not durable.
  [[nodiscard]] std::uint64_t oldest() const noexcept { return oldest_; }
  /// As it was when it became durable, until another one takes its place: see place().
  [[nodiscard]] const Unit& unit_at(std::uint64_t number) const { return units_[slot_of(number)]; }
  [[nodiscard]] std::uint32_t in_flight() const noexcept {
    return static_cast<std::uint32_t>(unsealed_ - oldest_);
  }
  [[nodiscard]] std::size_t slot_of(std::uint64_t number) const { return number % units_.size(); }
  [[nodiscard]] std::size_t slots() const noexcept { return units_.size(); }
  /// The open unit leaves at once, whatever else is in flight.
  void hurry() noexcept { full_ = open_exists(); }

 private:
  [[nodiscard]] bool open_exists() const noexcept { return unsealed_ != next_; }
  Unit& unit(std::uint64_t number) { return units_[slot_of(number)]; }
  void settle();

  LogLimits limits_;
  const bool syncs_;
  std::vector<Unit> units_;  ///< by number
  // Invariant: oldest_ <= unsealed_ <= next_ <= unsealed_ + 1.
  std::uint64_t oldest_ = 0;    ///< not durable yet
  std::uint64_t unsealed_ = 0;  ///< the open unit, if there is one
  std::uint64_t next_ = 0;      ///< number of the next unit to open
  std::uint64_t offset_ = 0;
  Position position_ = 0;
  Position durable_ = 0;
  Position marked_ = 0;
  std::vector<std::uint8_t> covered_;  ///< by slot: written before the sync in flight began
  bool syncing_ = false;
  bool full_ = false;  ///< the open unit takes nothing more
};

}  // namespace quorate::log
