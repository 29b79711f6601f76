// Processes that write a log and are killed. Machines that are, only the simulation has.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "log/recovery.h"
#include "reactor/reactor.h"
#include "tests/support/log_frames.h"

namespace quorate::log {
namespace {

constexpr int kCycles = 12;

/// The one frame that can follow.
LogFrame frame_after(const LogEnd& end) {
  return make_frame(end, {1, 1}, 8 + end.position % 4001 * 8);
}

struct Node final : LogWriter::Listener {
  explicit Node(std::string in) : directory(std::move(in)) {
    std::string why;
    reactor = std::move(*reactor::make_reactor(Backend::automatic, why));
  }
  void on_durable(Position position) override {
    static_cast<void>(!write(pipe, &position, sizeof position));
  }
  void on_log_failed(const Error&) override { std::abort(); }
  void turn() {
    reactor->wait(kNever);
    reactor->reap();
  }
  Recovered recover() {
    BlockingFiles files(reactor->files(), [this] { turn(); });
    MetadataFile metadata(reactor->files(), directory);
    found = FrameCollector();
    Recovered recovered = *Recovery(files, metadata, directory, 0, found).run();
    if (recovered.state != RecoveryState::none) return recovered;
    if (!create_log(files, directory, Metadata())) std::abort();
    return *Recovery(files, metadata, directory, 0, found).run();
  }
  /// Until it is killed.
  [[noreturn]] void write_for_ever() {
    LogOptions options;
    options.limits.segment_bytes = 1u << 20;
    options.limits.unit_bytes_max = 64u << 10;
    const Recovered recovered = recover();
    LogEnd end = recovered.start.end;
    LogWriter writer(reactor->files(), directory, options, recovered.start, *this);
    writer.start();
    LogFrame next = frame_after(end);
    for (;;) {
      while (writer.append(next.header, next.pieces()) == Admission::taken) {
        end = end_after(next);
        next = frame_after(end);
      }
      writer.flush(reactor->now());
      turn();
    }
  }

  std::string directory;
  std::unique_ptr<reactor::Reactor> reactor;
  FrameCollector found;
  int pipe = -1;
};

/// Kills a writer when it has reported so much more. What it reported last.
Position kill_a_writer(const std::string& directory, Position target) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    Node node(directory);
    node.pipe = ends[1];
    node.write_for_ever();
  }
  close(ends[1]);
  Position reported = 0, position = 0;
  bool killed = false;
  while (read(ends[0], &position, sizeof position) == sizeof position) {
    reported = position;
    if (reported >= target && !killed) killed = kill(child, SIGKILL) == 0;
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return reported;
}

TEST(LogKill, WhatWasReportedDurableIsThereAfterwards) {
  std::string root = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  const std::string directory = root + "/log";
  Position known = 0;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    const Position step = (1u << 17) + 377777u * static_cast<Position>(cycle % 4);
    const Position reported = kill_a_writer(directory, known + step);
    Node node(directory);
    const Recovered recovered = node.recover();
    ASSERT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    ASSERT_GE(recovered.start.end.position, reported);
    LogEnd end;
    for (const LogFrame& frame : node.found.frames) {
      const LogFrame expected = frame_after(end);
      ASSERT_EQ(frame.bytes, expected.bytes) << end.position;
      end = end_after(expected);
    }
    known = recovered.start.end.position;
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace quorate::log
