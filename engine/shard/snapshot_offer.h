#pragma once

// Makes a snapshot of a file that the program offers: opens it, reads it once for its size and
// checksum, and finds in the log the frame behind which a log goes on from it. Or, of no file, one
// that begins where the log begins. Used on the stream's loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/message.h"
#include "log/aligned_buffer.h"
#include "log/log_reader.h"
#include "reactor/reactor.h"

namespace quorate::shard {

class StreamLog;

/// A snapshot that can be sent. Its file is open as long as somebody may read it.
class OpenSnapshot {
 public:
  OpenSnapshot(reactor::Files& files, reactor::File file, const core::SnapshotHead& head) noexcept
      : files_(files), file_(file), head_(head) {}
  ~OpenSnapshot() {
    if (file_.valid()) files_.close(file_);
  }
  OpenSnapshot(const OpenSnapshot&) = delete;
  OpenSnapshot& operator=(const OpenSnapshot&) = delete;

  [[nodiscard]] const core::SnapshotHead& head() const noexcept { return head_; }
  [[nodiscard]] reactor::File file() const noexcept { return file_; }

 private:
  reactor::Files& files_;
  const reactor::File file_;
  const core::SnapshotHead head_;
};

class SnapshotOffer final : private log::LogReader::Listener {
 public:
  /// Called once, from within a completion, unless it is stopped before.
  using Ready = std::function<void(Result<std::shared_ptr<const OpenSnapshot>>)>;

  SnapshotOffer(reactor::Reactor& reactor, const StreamLog& log, StreamId stream, Ready ready);
  ~SnapshotOffer();

  /// One of these, once. `position`: committed, and so durable in this log.
  void start(std::string path, Position position);
  void start_at_begin_of_log();
  /// The log may have more by now.
  void look() {
    if (reader_) on_readable();
  }

  void stop() noexcept;
  /// Nothing is in flight, so that it can be destroyed.
  [[nodiscard]] bool idle() const noexcept {
    return !operation_.in_flight() && (!reader_ || reader_->idle());
  }

 private:
  void on_opened(std::int32_t result);
  void read_file();
  void on_read(std::int32_t result);
  void find_frame(Position from);
  void on_readable() override;
  void on_frame(const log::LogReader::Frame& frame);
  void end(Result<std::shared_ptr<const OpenSnapshot>> result);

  reactor::Reactor& reactor_;
  const StreamLog& log_;
  Ready ready_;
  std::string path_;
  reactor::File file_;
  log::AlignedBuffer buffer_;
  iovec vector_{};
  reactor::Operation operation_;
  std::unique_ptr<log::LogReader> reader_;
  core::SnapshotHead head_;
};

}  // namespace quorate::shard
