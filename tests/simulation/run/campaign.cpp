#include "tests/simulation/run/campaign.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/check.h"

namespace quorate::simulation {

namespace {

using Clock = std::chrono::steady_clock;

/// How often a budget of CPU time is looked at.
constexpr int kBudgetLook_ms = 100;

struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  std::uint64_t next = 0;     ///< where a successor goes on
  std::uint64_t running = 0;  ///< the seed that has begun and not ended; 0: none
  double cpu_s = 0;           ///< that it had taken when that seed began
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_s(const rusage& usage) { return seconds(usage.ru_utime) + seconds(usage.ru_stime); }

/// Of all children that have ended.
double cpu_of_the_ended() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return cpu_s(usage);
}

double cpu_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class Campaign {
 public:
  Campaign(const CampaignOptions& options,
           const std::function<void(const SeedFailure&)>& on_failure,
           const std::function<void(const CampaignResult&)>& on_progress)
      : options_(options), on_failure_(on_failure), on_progress_(on_progress) {}

  CampaignResult run();

 private:
  [[nodiscard]] std::uint64_t end() const { return options_.first_seed + options_.seeds; }
  [[noreturn]] void work(int pipe, std::uint64_t seed);
  void start(Worker& worker);
  bool take(Worker& worker);
  bool bury(Worker& worker);
  void wait_and_take();
  void count(const Report& report);
  void fail(const SeedFailure& failure);
  void measure();
  void tell_progress();
  [[nodiscard]] int patience_ms() const;
  void kill_all();

  const CampaignOptions& options_;
  const std::function<void(const SeedFailure&)>& on_failure_;
  const std::function<void(const CampaignResult&)>& on_progress_;
  const Clock::time_point began_ = Clock::now();
  const double cpu_before_ = cpu_of_the_ended();
  Clock::time_point told_ = began_;
  std::vector<Worker> workers_;
  std::uint64_t next_ = 0;  ///< the first seed that no worker was given, where each has a process
  CampaignResult result_;
};

void Campaign::work(int pipe, std::uint64_t seed) {
  const std::uint64_t step = options_.each_apart ? options_.seeds : options_.jobs;
  for (; seed < end() && Clock::now() < options_.until; seed += step) {
    if (options_.left_out.contains(seed)) continue;
    Report begun{};
    begun.seed = seed;
    write_report(pipe, begun);
    limit_time(options_.cpu_limit_s);
    if (options_.before_seed) options_.before_seed(seed);
    write_report(pipe, run_seed(options_, seed));
  }
  // Sanitizers look for leaks at a regular exit.
  std::exit(0);
}

void Campaign::start(Worker& worker) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  std::fflush(nullptr);
  worker.pid = fork();
  CHECK(worker.pid >= 0);
  if (worker.pid == 0) {
    close(ends[0]);
    work(ends[1], worker.next);
  }
  close(ends[1]);
  worker.pipe = ends[0];
}

void Campaign::count(const Report& report) {
  ++result_.seeds;
  base::Random mix(report.hash ^ report.seed);
  result_.hash ^= mix.next();
  result_.events += report.events;
  result_.offered += report.offered;
  result_.appended += report.appended;
  result_.applied += report.applied;
  result_.releases += report.releases;
  result_.reigns += report.reigns;
  result_.simulated_s += static_cast<double>(report.simulated_ns) / 1e9;
  result_.counted_s += static_cast<double>(report.counted_ns) / 1e9;
  result_.primary_bytes_max = std::max(result_.primary_bytes_max, report.primary_bytes_max);
  result_.replica_bytes_max = std::max(result_.replica_bytes_max, report.replica_bytes_max);
  for (std::size_t f = 0; f < kFaults; ++f) result_.faults[f] += report.faults[f];
  for (std::size_t e = 0; e < kEffects; ++e) {
    result_.effects.counts[e] += report.effects.counts[e];
  }
  for (std::size_t f = 0; f < kForgeries; ++f) result_.forged[f] += report.forged[f];
}

void Campaign::fail(const SeedFailure& failure) {
  result_.failures.push_back(failure);
  on_failure_(failure);
}

/// True when the worker is finished for good.
bool Campaign::take(Worker& worker) {
  Report report;
  const ssize_t got = ::read(worker.pipe, &report, sizeof report);
  if (got != static_cast<ssize_t>(sizeof report)) return bury(worker);
  const double taken_s = static_cast<double>(report.cpu_ns) / 1e9;
  if (report.done == 0) worker.cpu_s = taken_s;
  worker.running = report.done != 0 ? 0 : report.seed;
  worker.next = report.seed + (report.done != 0 ? options_.jobs : 0);
  if (report.done != 0) count(report);
  if (report.failed != 0) fail({report.seed, report.what, taken_s - worker.cpu_s});
  return false;
}

/// A worker that died has a successor, which goes on behind the seed that it died of. Where each
/// seed has a process, the next seed that has none yet is the successor's.
bool Campaign::bury(Worker& worker) {
  close(worker.pipe);
  int status = 0;
  rusage usage{};
  wait4(worker.pid, &status, 0, &usage);
  const bool died = worker.running != 0 || status != 0;
  if (!died && !options_.each_apart) return true;
  if (died) fail({worker.running, how_it_died(status), cpu_s(usage) - worker.cpu_s});
  if (options_.each_apart) {
    worker.next = next_++;
  } else if (worker.running != 0) {
    worker.next = worker.running + options_.jobs;
  }
  worker.running = 0;
  worker.cpu_s = 0;
  if (worker.next >= end()) return true;
  start(worker);
  return false;
}

void Campaign::measure() {
  result_.cpu_s = cpu_of_the_ended() - cpu_before_;
  for (const Worker& worker : workers_) result_.cpu_s += cpu_of(worker.pid);
  result_.wall_s = std::chrono::duration<double>(Clock::now() - began_).count();
}

void Campaign::tell_progress() {
  if (!on_progress_ || Clock::now() < told_ + options_.progress_every) return;
  told_ = Clock::now();
  measure();
  on_progress_(result_);
}

int Campaign::patience_ms() const {
  if (options_.cpu_budget_s > 0) return kBudgetLook_ms;
  if (!on_progress_) return -1;
  const auto left = told_ + options_.progress_every - Clock::now();
  const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 60'000));
}

void Campaign::kill_all() {
  for (Worker& worker : workers_) {
    kill(worker.pid, SIGKILL);
    close(worker.pipe);
    waitpid(worker.pid, nullptr, 0);
  }
  workers_.clear();
}

void Campaign::wait_and_take() {
  std::vector<pollfd> polls;
  for (const Worker& worker : workers_) polls.push_back({worker.pipe, POLLIN, 0});
  ::poll(polls.data(), polls.size(), patience_ms());
  for (std::size_t i = polls.size(); i-- > 0;) {
    if (polls[i].revents == 0 || !take(workers_[i])) continue;
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

CampaignResult Campaign::run() {
  workers_.resize(std::min<std::uint64_t>(options_.jobs, options_.seeds));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i].next = options_.first_seed + i;
    start(workers_[i]);
  }
  next_ = options_.first_seed + workers_.size();
  while (!workers_.empty()) {
    wait_and_take();
    tell_progress();
    if (options_.stop_at_failure && !result_.failures.empty()) kill_all();
    if (options_.cpu_budget_s <= 0 || workers_.empty()) continue;
    measure();
    result_.out_of_cpu = result_.cpu_s > options_.cpu_budget_s;
    if (result_.out_of_cpu) kill_all();
  }
  measure();
  return result_;
}

}  // namespace

Plan plan_of(const CampaignOptions& options, std::uint64_t seed) {
  Plan plan = Plan::draw(seed, options.rate_per_s, options.horizon);
  options.mix.apply(plan);
  return plan;
}

Report run_seed(const CampaignOptions& options, std::uint64_t seed) {
  return options.world ? options.world(seed) : run_here(plan_of(options, seed), false);
}

CampaignResult run_campaign(const CampaignOptions& options,
                            const std::function<void(const SeedFailure&)>& on_failure,
                            const std::function<void(const CampaignResult&)>& on_progress) {
  return Campaign(options, on_failure, on_progress).run();
}

}  // namespace quorate::simulation
