#pragma once

// A child process: started by fork and exec, told and heard by pipes, stopped by its pid. It dies
// with its parent (PR_SET_PDEATHSIG: with the thread that started it), so nothing is left behind by
// Ctrl-C. Owned by one thread, the one that started it.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"
#include "tools/process/line.h"

namespace quorate::tools {

class Process {
 public:
  /// `program` is searched in PATH unless it holds a slash. stderr stays the parent's, or goes to
  /// /dev/null when `quiet`.
  static Result<Process> start(const std::string& program,
                               const std::vector<std::string>& arguments, bool quiet = false);
  /// This program again.
  static Result<Process> start_self(const std::vector<std::string>& arguments);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  ///< kills what still runs and reaps it

  [[nodiscard]] pid_t pid() const { return pid_; }  ///< -1 once it has ended and was reaped
  void tell(std::string_view line);
  void signal(int number);

  /// The next line with that verb. An error when the process says `error`, ends, or `timeout_s`
  /// passes.
  Result<Line> expect(std::string_view verb, double timeout_s);
  /// The next line, whatever it is.
  Result<std::string> read_line(double timeout_s);
  /// Everything until the process closes its stdout.
  Result<std::string> read_all(double timeout_s);

  // For parents that look after several children at once.

  /// To poll for input; -1 once the child has closed it.
  [[nodiscard]] int output_fd() const { return out_; }
  /// The lines that are there now; never waits.
  std::vector<std::string> lines_now();
  /// How it ended, once it has: an exit code, or 128 + the number of the signal. Never waits.
  std::optional<int> ended();

 private:
  Process(pid_t pid, int in, int out) : pid_(pid), in_(in), out_(out) {}
  bool fill(double deadline_s);  ///< reads what is there; false at the end or after the deadline
  bool take();                   ///< one read, when something is there; false at the end
  void end() noexcept;

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::optional<int> ended_;
  std::string pending_;
};

/// The same error with `who` in front of its text.
Error about(const char* who, const Error& error);

/// Seconds of the monotonic clock.
double now_s();

}  // namespace quorate::tools
