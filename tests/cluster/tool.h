#pragma once

// The command-line tool itself, as a child of a test.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cluster.h"

namespace quorate::cluster {

/// A child that says everything, also its notices, line by line.
class Tool {
 public:
  Tool(std::string who, std::vector<std::string> arguments) : who_(std::move(who)) {
    // The shell becomes the tool, so that signals reach it.
    arguments.insert(arguments.begin(), {"-c", "exec \"$0\" \"$@\" 2>&1", QUORATE_TOOL});
    auto process = tools::Process::start("sh", arguments);
    if (!process) throw std::runtime_error(process.error().text);
    process_ = std::move(*process);
  }

  /// The next line with that text in it; nothing when the tool ends before it says so.
  std::optional<std::string> hear_or_end(const std::string& text) {
    const double deadline_s = tools::now_s() + kPatience_s;
    for (;;) {
      auto line = process_->read_line(std::max(0.0, deadline_s - tools::now_s()));
      if (!line && line.error().code == Errc::io) return std::nullopt;
      if (!line) throw std::runtime_error(who_ + ": waiting for \"" + text + "\"\n" + said_);
      said_ += *line + '\n';
      if (line->find(text) != std::string::npos) return *line;
    }
  }
  std::string hear(const std::string& text) {
    if (auto line = hear_or_end(text)) return *line;
    throw std::runtime_error(who_ + ": ended without \"" + text + "\"\n" + said_);
  }

  void tell(const std::string& line) { process_->tell(line); }
  void interrupt() { process_->signal(SIGINT); }
  void kill() {
    process_->signal(SIGKILL);
    EXPECT_EQ(exit_code(), 128 + SIGKILL);
  }
  int exit_code() {
    std::optional<int> code;
    eventually(who_ + " has ended", [&] {
      code = process_->ended();
      return code.has_value();
    });
    return *code;
  }
  /// All that was said; to be asked when it has ended.
  std::string said() {
    said_ += process_->read_all(kPatience_s).value();
    return said_;
  }

 private:
  std::string who_;
  std::optional<tools::Process> process_;
  std::string said_;
};

}  // namespace quorate::cluster
