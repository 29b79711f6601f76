#pragma once

// A program's feed with a ring of its own, the ring into which frames are received, and a log on
// this machine's file system; and what stands in for the program, which compares each byte that it
// is shown with the stream as it is.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ring_memory.h"
#include "reactor/reactor.h"
#include "shard/program_feed.h"
#include "shard/stream_log.h"
#include "tests/support/log_frames.h"

namespace quorate::shard {

class FeedRig final : public StreamLog::Owner {
 public:
  static constexpr std::uint64_t kRing = 4096;

  FeedRig();
  ~FeedRig();

  /// A feed of a program that has seen the stream up to `from` in earlier lives. What was received
  /// before now is in the log alone.
  void open(Position from);
  /// A frame of so many records of that size, header included. Returns its end.
  Position receive(int count, std::uint64_t record_bytes);
  /// All that was received is in the log and durable.
  void store();
  /// The receiving ring is given back: what it held is gone.
  void empty_ring();
  /// What was received behind counts no more. Not of the log.
  void cut(Position position);
  /// The log goes on so far ahead; nothing before it is there any more.
  Position begin_log_anew(Position gap);

  /// The program is to take a snapshot of what lies before, and then to go on.
  void hold(Position from);
  /// It goes on there, with a log that holds what follows `received`.
  void begin_anew(Position from, Position received);

  /// Shows the program what may be seen. What the ring no longer holds of that is in the log.
  bool feed(Position visible);
  /// What was begun has come.
  void settle();
  /// The program reads: whole records up to there.
  void read(Position until);
  /// Both, until nothing more comes.
  void drain(Position visible);

  [[nodiscard]] Position received() const noexcept { return end_.position; }
  [[nodiscard]] const std::string& directory() const noexcept { return opened_.directory; }

  std::unique_ptr<ProgramFeed> program;
  int woken = 0;

 private:
  void turn();
  void check_shown(Position visible, Position before);
  void on_log_durable(Position) override {}
  void on_log_changed() override {}
  void on_log_trouble(const Error& error) override { ADD_FAILURE() << error.text; }
  [[nodiscard]] Position log_needed_from() const override { return 0; }
  void on_log_cut(const log::LogEnd& end) override { end_ = end; }

  std::string root_;
  std::unique_ptr<reactor::Reactor> reactor_;
  std::unique_ptr<base::RingArena> arena_;
  std::span<std::byte> received_;
  std::span<std::byte> shown_;
  OpenedLog opened_;
  std::unique_ptr<StreamLog> log_;
  std::vector<log::LogFrame> to_store_;
  log::LogEnd end_;              ///< of what was received
  std::vector<std::byte> stream_;  ///< as it is, from position 0
  std::set<Position> ends_{0};     ///< of records
  std::uint64_t cuts_ = 0;
  Position read_ = 0;
};

}  // namespace quorate::shard
