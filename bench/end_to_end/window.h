#pragma once

// The measured window of a round: time, CPU of the round's processes and of everybody else.
// Used by the lead role on its main thread.

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace quorate::bench {

class Window {
 public:
  /// `peers`: the other processes of the round; the calling process counts by itself.
  explicit Window(std::vector<pid_t> peers);

  void begin();
  void end();

  [[nodiscard]] double seconds() const { return end_.time_s - begin_.time_s; }
  /// User and system time of all processes of the round, to the nanosecond.
  [[nodiscard]] double cpu_ns() const { return end_.cpu_ns - begin_.cpu_ns; }
  /// What the machine spent beyond that, in cores; the kernel counts it in ticks of 10 ms.
  [[nodiscard]] double foreign_cores() const;
  /// What all processes of the round wrote to disks.
  [[nodiscard]] double disk_bytes() const { return end_.disk_bytes - begin_.disk_bytes; }

 private:
  struct Sample {
    double time_s = 0;
    double cpu_ns = 0;
    double machine_ns = 0;
    double disk_bytes = 0;
  };
  [[nodiscard]] Sample sample() const;

  std::vector<pid_t> pids_;
  Sample begin_;
  Sample end_;
};

/// VmRSS of the calling process.
std::uint64_t resident_kib();
std::uint64_t greatest_resident_kib();  ///< since this process began

/// The middle one; sorts a copy. 0 of nothing.
double median(std::vector<double> values);

}  // namespace quorate::bench
