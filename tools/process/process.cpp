#include "tools/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

namespace quorate::tools {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;

  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  void close() const {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
};

Error system_error(const std::string& what) {
  const int number = errno;
  return {Errc::io, what + ": " + std::strerror(number), number};
}

/// Between fork and exec: only what is safe there.
[[noreturn]] void become(const char* program, char* const* argv, int in, int out, bool quiet,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // the parent died before the line above
  // Ctrl-C is for the parent, which ends its children in its own order.
  ::setpgid(0, 0);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  if (quiet) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  }
  ::execvp(program, argv);
  ::_exit(127);
}

}  // namespace

Error about(const char* who, const Error& error) {
  return {error.code, std::string(who) + ": " + error.text, error.system_errno};
}

double now_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Result<Process> Process::start(const std::string& program,
                               const std::vector<std::string>& arguments, bool quiet) {
  Pipe in;
  Pipe out;
  if (!in.open() || !out.open()) {
    Error error = system_error("pipe");
    in.close();
    return error;
  }
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(program.c_str(), argv.data(), in.read, out.write, quiet, parent);
  if (pid < 0) {
    Error error = system_error("fork");
    in.close();
    out.close();
    return error;
  }
  ::close(in.read);
  ::close(out.write);
  return Process(pid, in.write, out.read);
}

Result<Process> Process::start_self(const std::vector<std::string>& arguments) {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Error(Errc::io, "/proc/self/exe: " + error.message(), error.value());
  return start(path.string(), arguments);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      ended_(other.ended_),
      pending_(std::move(other.pending_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  end();
  pid_ = std::exchange(other.pid_, -1);
  in_ = std::exchange(other.in_, -1);
  out_ = std::exchange(other.out_, -1);
  ended_ = other.ended_;
  pending_ = std::move(other.pending_);
  return *this;
}

Process::~Process() {
  end();
}

void Process::end() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0) ::close(out_);
  pid_ = in_ = out_ = -1;
}

void Process::tell(std::string_view line) {
  std::string text(line);
  text += '\n';
  // A child that is gone shows itself at the next read; SIGPIPE is ignored by main.
  [[maybe_unused]] const ssize_t written = ::write(in_, text.data(), text.size());
}

void Process::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<int> Process::ended() {
  if (ended_ || pid_ <= 0) return ended_;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  // The pid may now be given to somebody else.
  pid_ = -1;
  ended_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return ended_;
}

bool Process::take() {
  std::array<char, 4096> bytes{};
  const ssize_t count = ::read(out_, bytes.data(), bytes.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  pending_.append(bytes.data(), static_cast<std::size_t>(count));
  return true;
}

std::vector<std::string> Process::lines_now() {
  for (pollfd wanted{out_, POLLIN, 0}; out_ >= 0 && ::poll(&wanted, 1, 0) > 0;) {
    if (take()) continue;
    ::close(std::exchange(out_, -1));
  }
  std::vector<std::string> lines;
  for (auto newline = pending_.find('\n'); newline != std::string::npos;
       newline = pending_.find('\n')) {
    lines.push_back(pending_.substr(0, newline));
    pending_.erase(0, newline + 1);
  }
  return lines;
}

bool Process::fill(double deadline_s) {
  for (;;) {
    const double left_s = deadline_s - now_s();
    if (left_s <= 0) return false;
    pollfd wanted{out_, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left_s * 1e3) + 1);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    return take();
  }
}

Result<std::string> Process::read_line(double timeout_s) {
  const double deadline_s = now_s() + timeout_s;
  for (;;) {
    const auto newline = pending_.find('\n');
    if (newline != std::string::npos) {
      std::string line = pending_.substr(0, newline);
      pending_.erase(0, newline + 1);
      return line;
    }
    if (fill(deadline_s)) continue;
    if (now_s() >= deadline_s) return Error(Errc::timed_out, "no answer in time");
    return Error(Errc::io, "ended without an answer");
  }
}

Result<std::string> Process::read_all(double timeout_s) {
  const double deadline_s = now_s() + timeout_s;
  while (fill(deadline_s)) {
  }
  if (now_s() >= deadline_s) return Error(Errc::timed_out, "no end in time");
  return std::exchange(pending_, {});
}

Result<Line> Process::expect(std::string_view verb, double timeout_s) {
  const double deadline_s = now_s() + timeout_s;
  for (;;) {
    Result<std::string> text = read_line(std::max(0.0, deadline_s - now_s()));
    if (!text) {
      return about(("waiting for " + std::string(verb)).c_str(), text.error());
    }
    Line line = Line::parse(*text);
    if (line.verb == "error") return Error(Errc::io, line.text);
    if (line.verb == verb) return line;
  }
}

}  // namespace quorate::tools
