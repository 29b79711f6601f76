#include "bench/end_to_end/window.h"
#include "tools/process/process.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>


namespace quorate::bench {
namespace {

using tools::now_s;

/// The clock of a process holds user and system time of all its threads. A process that ended
/// counts nothing: its round fails anyway.
double process_cpu_ns(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

/// By all threads of a process, the kernel's for its io_uring included.
double process_disk_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/io");
  for (std::string word; file >> word;) {
    double bytes = 0;
    if (word == "write_bytes:" && file >> bytes) return bytes;
  }
  return 0;
}

/// All but idle and waiting for disks, stolen time included.
double machine_cpu_ns() {
  std::ifstream file("/proc/stat");
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  file >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  const double tick_ns = 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return (user + nice + system + irq + softirq + steal) * tick_ns;
}

}  // namespace

Window::Window(std::vector<pid_t> peers) : pids_(std::move(peers)) {
  pids_.push_back(::getpid());
}

Window::Sample Window::sample() const {
  Sample sample;
  sample.machine_ns = machine_cpu_ns();
  for (const pid_t pid : pids_) {
    sample.cpu_ns += process_cpu_ns(pid);
    sample.disk_bytes += process_disk_bytes(pid);
  }
  sample.time_s = now_s();
  return sample;
}

void Window::begin() {
  begin_ = sample();
}
void Window::end() {
  end_ = sample();
}

double Window::foreign_cores() const {
  const double foreign_ns = end_.machine_ns - begin_.machine_ns - cpu_ns();
  return seconds() > 0 ? std::max(0.0, foreign_ns / (seconds() * 1e9)) : 0;
}

namespace {

std::uint64_t status_kib(std::string_view field) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    std::uint64_t kib = 0;
    if (word == field && file >> kib) return kib;
  }
  return 0;
}

}  // namespace

std::uint64_t resident_kib() { return status_kib("VmRSS:"); }

std::uint64_t greatest_resident_kib() { return status_kib("VmHWM:"); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

}  // namespace quorate::bench
