#include "tests/simulation/run/apart.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "base/check.h"

namespace quorate::simulation {

namespace {

/// A process may get little of a busy machine; one that blocks gets nothing, and ends as well.
constexpr std::uint32_t kWallPerCpu = 20;
constexpr std::size_t kLineMax = 2000;

struct Child {
  pid_t pid;
  int pipe;
};

void say(Report& report, const std::string& what) {
  report.failed = 1;
  std::strncpy(report.what, what.c_str(), sizeof report.what - 1);
}

/// `out`: where its standard output goes; -1: where that of this process does.
Child begin(const Plan& plan, bool trace, std::uint32_t cpu_limit_s, int out) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  std::fflush(nullptr);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    if (out >= 0) CHECK(dup2(out, STDOUT_FILENO) == STDOUT_FILENO);
    // The lines before a violent end are those that matter.
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    limit_time(cpu_limit_s);
    write_report(ends[1], run_here(plan, trace));
    // Sanitizers look for leaks at a regular exit.
    std::exit(0);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

Report end(const Child& child, std::uint64_t seed) {
  Report report{};
  const bool told = ::read(child.pipe, &report, sizeof report) == sizeof report;
  close(child.pipe);
  int status = 0;
  waitpid(child.pid, &status, 0);
  report.seed = seed;
  // Whoever read the trace has seen enough: that is nobody's failure.
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE) raise(SIGPIPE);
  if (status != 0 || !told) say(report, how_it_died(status));
  return report;
}

/// Takes what was read into lines; the last one may go on.
void add_text(std::deque<std::string>& lines, const char* text, std::size_t size,
              std::size_t most) {
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] == '\n') {
      lines.emplace_back();
      if (lines.size() > most + 1) lines.pop_front();
    } else if (lines.back().size() < kLineMax) {
      lines.back() += text[i];
    }
  }
}

}  // namespace

Report report_of(std::uint64_t seed, const std::string& failure) {
  Report report{};
  report.seed = seed;
  report.done = 1;
  if (!failure.empty()) say(report, failure);
  return report;
}

void write_report(int pipe, Report report) {
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  report.cpu_ns = cpu.tv_sec * kSecond_ns + cpu.tv_nsec;
  CHECK(::write(pipe, &report, sizeof report) == static_cast<ssize_t>(sizeof report));
}

Report run_here(const Plan& plan, bool trace) {
  World world(plan, trace);
  const WorldResult result = world.run();
  Report report{};
  report.seed = plan.seed;
  report.done = 1;
  report.hash = result.hash;
  report.events = result.events;
  report.offered = result.offered;
  report.appended = result.appended;
  report.applied = result.applied;
  report.releases = result.releases;
  report.reigns = result.reigns;
  report.simulated_ns = result.simulated_ns;
  report.counted_ns = result.counted_ns;
  report.primary_bytes_max = result.primary_bytes_max;
  report.replica_bytes_max = result.replica_bytes_max;
  report.faults = result.faults;
  report.effects = result.effects;
  report.forged = result.forged;
  if (!result.failure.empty()) {
    say(report,
        "at " + std::to_string(result.failed_at / kMillisecond_ns) + " ms: " + result.failure);
  }
  return report;
}

void limit_time(std::uint32_t cpu_limit_s) {
  const itimerval cpu{{0, 0}, {static_cast<time_t>(cpu_limit_s), 0}};
  const itimerval wall{{0, 0}, {static_cast<time_t>(cpu_limit_s) * kWallPerCpu, 0}};
  setitimer(ITIMER_PROF, &cpu, nullptr);
  setitimer(ITIMER_REAL, &wall, nullptr);
}

std::string how_it_died(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
    return "liveness: no end within the CPU limit of a seed";
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    return "liveness: no end, and hardly any CPU time used: it waits for something real";
  }
  if (WIFSIGNALED(status)) return std::string("died: ") + strsignal(WTERMSIG(status));
  return "died with status " + std::to_string(WEXITSTATUS(status));
}

Report run_apart(const Plan& plan, bool trace, std::uint32_t cpu_limit_s) {
  return end(begin(plan, trace, cpu_limit_s, -1), plan.seed);
}

std::vector<std::string> last_lines(const Plan& plan, std::uint32_t cpu_limit_s,
                                    std::size_t most) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  const Child child = begin(plan, true, cpu_limit_s, ends[1]);
  close(ends[1]);
  std::deque<std::string> lines(1);
  std::vector<char> buffer(1 << 16);
  for (ssize_t got; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    add_text(lines, buffer.data(), static_cast<std::size_t>(got), most);
  }
  close(ends[0]);
  end(child, plan.seed);
  if (lines.back().empty()) lines.pop_back();
  while (lines.size() > most) lines.pop_front();
  return {lines.begin(), lines.end()};
}

}  // namespace quorate::simulation
