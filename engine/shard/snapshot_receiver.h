#pragma once

// A replica's side of taking a snapshot of one stream: performs on the disk what the stream's
// snapshot machine decides. Files are written and read back without blocking the loop, through two
// buffers that exist only while a snapshot comes. Owned by the stream, used on its loop by the link
// that catches up; what is in flight when a connection ends goes on to its end: see idle().

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/snapshot_machine.h"
#include "log/aligned_buffer.h"
#include "reactor/reactor.h"
#include "shard/file_steps.h"
#include "shard/snapshot_files.h"
#include "transport/codec.h"

namespace quorate::shard {

class SnapshotReceiver {
 public:
  SnapshotReceiver(reactor::Reactor& reactor, std::string directory, StreamId stream,
                   const FoundSnapshots& found);
  ~SnapshotReceiver();

  /// The primary's offer; while idle(). `expected`: the position of its verdict; `held`: the end of
  /// this replica's log. False: it is not what the verdict promised.
  bool begin(const core::SnapshotHead& head, Position expected, Position held);
  /// A piece. False: it is not what was asked for.
  bool take(const transport::SnapshotChunk& chunk);
  /// For another piece; while there is none, nothing more is to be read from the connection.
  [[nodiscard]] bool room() const noexcept;
  /// What is to be asked of the primary now, once.
  [[nodiscard]] std::optional<core::SnapshotRequest> take_request();
  /// The disk holds all of it: the log may begin anew behind it.
  [[nodiscard]] bool done() const noexcept {
    return machine_.step() == core::SnapshotMachine::Step::done && idle();
  }
  [[nodiscard]] const core::SnapshotHead& head() const noexcept { return machine_.head(); }
  [[nodiscard]] std::uint64_t held_bytes() const noexcept { return machine_.received(); }
  /// Why it cannot go on; empty: it can.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  /// More of it is on the disk than when it began.
  [[nodiscard]] bool progressed() const noexcept { return progressed_; }

  /// Between begin() and end().
  [[nodiscard]] bool active() const noexcept { return active_; }
  /// The connection is gone.
  void end();

  /// The log has begun anew behind it: what was before it is of no use any more.
  void on_begun_anew(const core::SnapshotHead& head);
  /// The log holds what follows `first`: the snapshot it began with may be older. `goes_on`: the
  /// primary goes on behind what the log holds, so that what came of another snapshot only takes
  /// space, which the log may lack.
  void keep_house(Position first, bool goes_on);
  [[nodiscard]] std::string path() const;  ///< of the snapshot that the log began with

  [[nodiscard]] bool idle() const noexcept { return steps_.idle() && !operation_.in_flight(); }

 private:
  using Step = core::SnapshotMachine::Step;
  struct Piece {
    log::AlignedBuffer buffer;
    std::size_t bytes = 0;
  };

  [[nodiscard]] std::string path(std::uint64_t id, SnapshotFile file) const;
  void prepare();
  void open_part();
  void on_prepared(const Status& status, std::int32_t result);
  void write();
  void on_written(std::int32_t result);
  void check();
  void read_back();
  void on_read_back(std::int32_t result);
  void finish_check();
  void keep_whole();
  void fail(const std::string& why, std::int32_t result);
  void remove_all(std::uint64_t id);
  bool ended();
  void release_buffers() noexcept;
  void close_file() noexcept;

  reactor::Reactor& reactor_;
  const std::string directory_;
  core::SnapshotMachine machine_;
  std::uint64_t on_disk_ = 0;  ///< id of what the machine holds, or an attempt has left; 0: nothing
  std::optional<core::SnapshotHead> base_;  ///< what the log began with, while it is there
  FileSteps steps_;
  log::AlignedBuffer head_block_;
  reactor::File file_;                 ///< the part, while it is written and read back
  std::array<Piece, 2> pieces_;
  std::size_t filling_ = 0;            ///< the other one is being written, or is empty
  std::uint64_t written_ = 0;          ///< offset in the file; read back: what was read
  std::size_t part_written_ = 0;       ///< of the piece that is being written
  std::uint32_t crc_ = 0;
  bool active_ = false;
  bool request_due_ = false;
  bool asked_ = false;                 ///< only then there are buffers for what comes
  bool progressed_ = false;
  std::string failure_;
  iovec vector_{};
  reactor::Operation operation_;
};

}  // namespace quorate::shard
