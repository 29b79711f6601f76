#pragma once

// A child process of the controller: started by fork and exec, told and heard by pipes, stopped by
// its pid. It dies with the controller (PR_SET_PDEATHSIG), so nothing is left behind by Ctrl-C.
// Owned by one thread, the one that started it.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "bench/end_to_end/line.h"
#include "quorate/error.h"

namespace quorate::bench {

class Process {
 public:
  /// `program` is searched in PATH unless it holds a slash. stderr stays the controller's, or goes
  /// to /dev/null when `quiet`.
  static Result<Process> start(const std::string& program,
                               const std::vector<std::string>& arguments, bool quiet = false);
  /// This program again.
  static Result<Process> start_self(const std::vector<std::string>& arguments);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  ///< kills what still runs and reaps it

  [[nodiscard]] pid_t pid() const { return pid_; }
  void tell(std::string_view line);
  void signal(int number);

  /// The next line with that verb. An error when the process says `error`, ends, or `timeout_s`
  /// passes.
  Result<Line> expect(std::string_view verb, double timeout_s);
  /// The next line, whatever it is.
  Result<std::string> read_line(double timeout_s);
  /// Everything until the process closes its stdout.
  Result<std::string> read_all(double timeout_s);

 private:
  Process(pid_t pid, int in, int out) : pid_(pid), in_(in), out_(out) {}
  bool fill(double deadline_s);  ///< reads what is there; false at the end or after the deadline
  void end() noexcept;

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string pending_;
};

/// The same error with `who` in front of its text.
Error about(const char* who, const Error& error);

/// Seconds of the monotonic clock.
double now_s();

}  // namespace quorate::bench
