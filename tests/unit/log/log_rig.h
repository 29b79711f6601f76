#pragma once

// A log in a directory of its own, on this machine's file system, with a writer, an index that
// follows it, and what was written.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "log/log_reader.h"
#include "log/recovery.h"
#include "log/segment_collector.h"
#include "reactor/reactor.h"
#include "tests/support/log_frames.h"

namespace quorate::log {

class LogRig : public LogWriter::Listener, public LogReader::Listener {
 public:
  explicit LogRig(Backend backend, bool direct = true);
  virtual ~LogRig();

  void turn();
  BlockingFiles blocking() {
    return BlockingFiles(reactor->files(), [this] { turn(); });
  }
  /// A writer that goes on at `start`.
  void open_writer(const WriteStart& start);
  void close_writer();
  /// Appends a frame with that many record bytes. False: the log is busy.
  bool append(std::size_t records_bytes);
  /// Appends so many and waits until they are durable.
  void write(int count, std::size_t records_bytes);
  /// Flips one bit of a segment's file.
  void flip(std::uint64_t segment, std::uint64_t offset);
  [[nodiscard]] std::unique_ptr<LogReader> make_reader();
  /// Reads until `limit` or an error, comparing each frame with the one that was written. Frames
  /// are released at once.
  std::size_t read(LogReader& reader, Position limit);
  /// As soon as there is one.
  bool await_frame(LogReader& reader, Position limit, LogReader::Frame& frame);
  /// The frame that was written at that position.
  [[nodiscard]] const LogFrame* written_at(Position position) const;
  [[nodiscard]] LogEnd end() const {
    return written.empty() ? begin : end_after(written.back());
  }
  /// Begins the log anew that far behind its end; the writer is ready afterwards.
  void begin_anew(Position gap);
  [[nodiscard]] bool has_file(std::uint64_t segment) const;

  void on_durable(Position position) override;
  void on_log_failed(const Error& error) override { ADD_FAILURE() << error.text; }
  void on_unit_durable(const DurableUnit& unit) override;
  void on_segment_begun(const SegmentHeader& header) override;
  void on_readable() override { ++readable; }

  std::unique_ptr<reactor::Reactor> reactor;
  std::string root, directory;
  LogOptions options;
  LogIdentity identity{{11, 22}, 0};
  SegmentIndex index;
  std::unique_ptr<LogWriter> writer;
  LogEnd begin;  ///< what the first that was written follows
  std::vector<LogFrame> written;
  std::vector<DurableUnit> units;
  Position durable = 0;
  Epoch epoch{1, 1};
  int readable = 0;
};

/// Whether a frame is, byte by byte, the one that was written.
[[nodiscard]] bool is_same(const LogReader::Frame& frame, const LogFrame& written);

}  // namespace quorate::log
