#pragma once

// Brings what a replica's program may see into a ring of its own, from the ring into which frames
// are received while that still holds it, else from the log. So neither a program that is slow, nor
// records that are not committed for long, keep frames from being received, stored and
// acknowledged. What is received is copied ahead of what may be seen, as far as there is room: the
// ring of the frames need not hold it until the disk has it. Used on the stream's loop; the program
// reads what it has been told of.

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "log/log_reader.h"
#include "quorate/types.h"

namespace quorate::shard {

class StreamLog;

class ProgramFeed final : private log::LogReader::Listener {
 public:
  struct Rings {
    const std::byte* received = nullptr;  ///< mapped twice in a row, as is
    std::byte* shown = nullptr;           ///< what the program reads
    std::uint64_t bytes = 0;              ///< of each
  };

  /// `from`: up to where the program has seen the stream in earlier lives. `received`: the stream's
  /// position now; the ring holds nothing before it. `wake`: feed() is to be called.
  ProgramFeed(const StreamLog& log, const Rings& rings, Position from, Position received,
              std::function<void()> wake);

  /// Bytes up to `end` are being received, over what lay a ring before.
  void on_placed(Position end) noexcept;
  /// A frame has been received there.
  void on_received(Position begin, Position end);
  /// The ring into which frames are received has been emptied.
  void on_emptied(Position received) noexcept { floor_ = received; }

  /// The log holds what follows `received` now and nothing before; the program goes on at `from`,
  /// which may lie behind.
  void begin_anew(Position from, Position received);
  /// Brings nothing until go_on(), and then what follows `from`.
  void hold(Position from);
  void go_on() noexcept { held_ = false; }

  /// `visible`: what lies before may be seen; `received`: what was received ends there; both are
  /// ends of frames. `read`: up to where the program has read. True when there is more to see.
  bool feed(Position visible, Position received, Position read);
  [[nodiscard]] Position shown() const noexcept { return shown_; }
  /// The receiving ring need not hold what lies before. Not before shown().
  [[nodiscard]] Position copied() const noexcept { return copied_; }
  /// The receiving ring holds what follows.
  [[nodiscard]] Position floor() const noexcept { return floor_; }
  /// The program has not made room for what it may see.
  [[nodiscard]] bool full() const noexcept { return full_; }

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  /// Brings nothing more. What is in flight still ends: see idle().
  void stop() noexcept;
  [[nodiscard]] bool idle() const noexcept { return !reader_ || reader_->idle(); }

 private:
  void on_readable() override { wake_(); }
  void copy(Position received, Position read);
  void show(Position visible);
  void read_log(Position visible, Position read);
  bool begin_reading();
  void check_begin(const std::byte* records, Position begin, Position end);
  void place(const std::byte* bytes, Position begin, Position end);
  [[nodiscard]] std::uint64_t offset(Position position) const noexcept {
    return position & (rings_.bytes - 1);
  }

  const StreamLog& log_;
  const Rings rings_;
  const std::function<void()> wake_;
  std::unique_ptr<log::LogReader> reader_;
  Position shown_;
  Position copied_;  ///< may lie within a record. Invariant: shown_ <= copied_.
  Position floor_;
  bool full_ = false;
  bool checked_ = false;  ///< a record begins at shown_; nothing is copied before that is known
  bool held_ = false;
  bool stopped_ = false;
  std::string failure_;
};

}  // namespace quorate::shard
