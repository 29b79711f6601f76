// Frames on their way to the disk need no heap.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "../transport/counting_new.h"
#include "log/log_reader.h"
#include "log/recovery.h"
#include "reactor/reactor.h"
#include "tests/support/log_frames.h"

namespace quorate::log {
namespace {

struct Listener final : LogWriter::Listener, LogReader::Listener {
  void on_durable(Position) override {}
  void on_unit_durable(const DurableUnit& unit) override { index.on_unit(unit); }
  void on_segment_begun(const SegmentHeader& header) override {
    index.on_segment(header.number, header.first_position, header.segment_bytes);
  }
  void on_readable() override {}

  SegmentIndex index;
  void on_log_failed(const Error& error) override { ADD_FAILURE() << error.text; }
};

TEST(LogAllocation, AppendingAndReadingAllocateNothing) {
  std::string why;
  auto reactor = std::move(*reactor::make_reactor(Backend::automatic, why));
  std::string root = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  const auto turn = [&] {
    reactor->wait(kNever);
    reactor->reap();
  };
  BlockingFiles files(reactor->files(), turn);
  const std::string directory = root + "/log";
  ASSERT_TRUE(create_log(files, directory, Metadata()));
  std::vector<LogFrame> frames;
  LogEnd end;
  for (int i = 0; i < 200; ++i) {
    frames.push_back(make_frame(end, {1, 1}, 4000));
    end = end_after(frames.back());
  }
  std::vector<std::vector<std::span<const std::byte>>> pieces;
  for (const LogFrame& frame : frames) pieces.push_back(frame.pieces());
  LogOptions options;
  options.limits.segment_bytes = 4u << 20;
  options.limits.unit_bytes_max = 64u << 10;
  Listener listener;
  {
    LogWriter writer(reactor->files(), directory, options, WriteStart(), listener);
    writer.start();
    while (writer.state() != LogWriter::State::ready || !writer.idle()) turn();
    const std::size_t before = transport::allocations();
    for (std::size_t next = 0; next < frames.size() || writer.durable() < writer.end();) {
      while (next < frames.size() &&
             writer.append(frames[next].header, pieces[next]) == Admission::taken) {
        ++next;
      }
      writer.flush(reactor->now());
      if (!writer.idle()) turn();
    }
    EXPECT_EQ(transport::allocations(), before);
    LogReader reader(reactor->files(), directory, LogIdentity(), listener.index,
                     options.limits.unit_bytes_max, listener);
    reader.start(0);
    turn();
    const std::size_t opened = transport::allocations();
    LogReader::Frame frame;
    while (reader.position() < writer.durable()) {
      while (reader.next(writer.durable(), frame)) reader.release(frame.header.end);
      if (!reader.idle()) turn();
    }
    EXPECT_EQ(transport::allocations(), opened);
    writer.stop();
    while (!writer.idle() || !reader.idle()) turn();
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace quorate::log
