#include "tests/simulation/run/campaign.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace quorate::simulation {

namespace {

/// What a worker writes for each seed: once when it begins, once when it is done. Shorter than
/// PIPE_BUF, so that it arrives whole.
struct Line {
  std::uint64_t seed;
  std::uint32_t done;
  std::uint32_t failed;
  std::uint64_t hash, events, offered, appended, applied, releases, reigns;
  std::int64_t simulated_ns, counted_ns;
  std::array<std::uint64_t, kFaults> faults;
  char what[1024];
};

struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  std::uint64_t next = 0;     ///< where a successor goes on
  std::uint64_t running = 0;  ///< the seed that has begun and not ended; 0: none
};

void write_line(int pipe, const Line& line) {
  CHECK(::write(pipe, &line, sizeof line) == static_cast<ssize_t>(sizeof line));
}

void limit_cpu(std::uint32_t seconds) {
  const itimerval limit{{0, 0}, {static_cast<time_t>(seconds), 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

Line run_seed(std::uint64_t seed, const CampaignOptions& options) {
  World world(Plan::draw(seed, options.rate_per_s, options.horizon), false);
  const WorldResult result = world.run();
  Line line{};
  line.seed = seed;
  line.done = 1;
  line.failed = result.failure.empty() ? 0 : 1;
  line.hash = result.hash;
  line.events = result.events;
  line.offered = result.offered;
  line.appended = result.appended;
  line.applied = result.applied;
  line.releases = result.releases;
  line.reigns = result.reigns;
  line.simulated_ns = result.simulated_ns;
  line.counted_ns = result.counted_ns;
  line.faults = result.faults;
  const std::string what = result.failure.empty()
                               ? ""
                               : "at " + std::to_string(result.failed_at / kMillisecond_ns) +
                                     " ms: " + result.failure;
  std::strncpy(line.what, what.c_str(), sizeof line.what - 1);
  return line;
}

[[noreturn]] void work(int pipe, std::uint64_t seed, const CampaignOptions& options) {
  for (; seed < options.first_seed + options.seeds; seed += options.jobs) {
    Line begun{};
    begun.seed = seed;
    write_line(pipe, begun);
    limit_cpu(options.cpu_limit_s);
    write_line(pipe, run_seed(seed, options));
  }
  // Sanitizers look for leaks at a regular exit.
  std::exit(0);
}

void start(Worker& worker, const CampaignOptions& options) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  std::fflush(nullptr);
  worker.pid = fork();
  CHECK(worker.pid >= 0);
  if (worker.pid == 0) {
    close(ends[0]);
    work(ends[1], worker.next, options);
  }
  close(ends[1]);
  worker.pipe = ends[0];
}

void count(CampaignResult& result, const Line& line) {
  ++result.seeds;
  base::Random mix(line.hash ^ line.seed);
  result.hash ^= mix.next();
  result.events += line.events;
  result.offered += line.offered;
  result.appended += line.appended;
  result.applied += line.applied;
  result.releases += line.releases;
  result.reigns += line.reigns;
  result.simulated_s += static_cast<double>(line.simulated_ns) / 1e9;
  result.counted_s += static_cast<double>(line.counted_ns) / 1e9;
  for (std::size_t f = 0; f < kFaults; ++f) result.faults[f] += line.faults[f];
}

std::string how_it_died(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
    return "liveness: no end within the CPU limit of a seed";
  }
  if (WIFSIGNALED(status)) return std::string("died: ") + strsignal(WTERMSIG(status));
  return "died with status " + std::to_string(WEXITSTATUS(status));
}

/// True when the worker is finished for good.
bool take(Worker& worker, const CampaignOptions& options, CampaignResult& result,
          const std::function<void(const SeedFailure&)>& fail) {
  Line line;
  const ssize_t got = ::read(worker.pipe, &line, sizeof line);
  if (got == static_cast<ssize_t>(sizeof line)) {
    worker.running = line.done ? 0 : line.seed;
    worker.next = line.seed + (line.done ? options.jobs : 0);
    if (line.done) count(result, line);
    if (line.failed) fail({line.seed, line.what});
    return false;
  }
  close(worker.pipe);
  int status = 0;
  waitpid(worker.pid, &status, 0);
  if (worker.running == 0 && status == 0) return true;
  fail({worker.running, how_it_died(status)});
  if (worker.running != 0) worker.next = worker.running + options.jobs;
  worker.running = 0;
  if (worker.next >= options.first_seed + options.seeds) return true;
  start(worker, options);
  return false;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void kill_all(std::vector<Worker>& workers) {
  for (Worker& worker : workers) {
    kill(worker.pid, SIGKILL);
    close(worker.pipe);
    waitpid(worker.pid, nullptr, 0);
  }
  workers.clear();
}

}  // namespace

bool fails(const Plan& plan, std::uint32_t cpu_limit_s) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    limit_cpu(cpu_limit_s);
    World world(plan, false);
    _exit(world.run().failure.empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status != 0;
}

CampaignResult run_campaign(const CampaignOptions& options,
                            const std::function<void(const SeedFailure&)>& on_failure) {
  const auto began = std::chrono::steady_clock::now();
  rusage before{};
  getrusage(RUSAGE_CHILDREN, &before);
  CampaignResult result;
  const auto fail = [&](const SeedFailure& failure) {
    result.failures.push_back(failure);
    on_failure(failure);
  };
  std::vector<Worker> workers(std::min<std::uint64_t>(options.jobs, options.seeds));
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers[i].next = options.first_seed + i;
    start(workers[i], options);
  }
  while (!workers.empty()) {
    std::vector<pollfd> polls;
    for (const Worker& worker : workers) polls.push_back({worker.pipe, POLLIN, 0});
    ::poll(polls.data(), polls.size(), -1);
    for (std::size_t i = polls.size(); i-- > 0;) {
      if (polls[i].revents == 0 || !take(workers[i], options, result, fail)) continue;
      workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (options.stop_at_failure && !result.failures.empty()) kill_all(workers);
  }
  rusage after{};
  getrusage(RUSAGE_CHILDREN, &after);
  result.cpu_s = seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime) -
                 seconds(before.ru_stime);
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

}  // namespace quorate::simulation
