#pragma once

// Crash images: a workload on a log, something that goes wrong at one boundary of its disk's
// events, and what recovery makes of it, twice. An image is a function of its seed.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/crash/log_host.h"

namespace quorate::simulation {

struct CrashImage {
  std::uint64_t workload = 0;
  CrashFault fault = CrashFault::kill;
  std::uint64_t boundary = 1;  ///< of the disk's events
  std::uint64_t seed = 1;      ///< what happens afterwards
};
[[nodiscard]] std::string to_string(const CrashImage& image);

struct CrashTotals {
  std::uint64_t images = 0;
  std::array<std::uint64_t, kCrashFaults> by_fault{};
  std::uint64_t reported_bytes = 0;
  std::uint64_t recovered_bytes = 0;
  std::uint64_t cuts = 0;         ///< of torn tails
  std::uint64_t truncations = 0;  ///< of the log
  std::uint64_t restarts = 0;     ///< of the log, at a later position
  std::uint64_t undone = 0;       ///< truncations and restarts that a crash left undone
  std::uint64_t reused = 0;       ///< segments
  std::uint64_t faults = 0;
  std::uint64_t refusals = 0;
  std::uint64_t unprovable = 0;
  std::uint64_t torn_writes = 0;
  std::vector<std::string> violations;  ///< each with its image; the first few
};

inline constexpr std::uint64_t kCrashWorkloads = 12;
/// How many boundaries the workload has when nothing goes wrong.
[[nodiscard]] std::uint64_t crash_boundaries(std::uint64_t workload);
void run_crash_image(const CrashImage& image, CrashTotals& totals);
/// That many, drawn from all workloads, faults and boundaries.
[[nodiscard]] CrashTotals run_crash_images(std::uint64_t first_seed, std::uint64_t count);
/// Every `stride`-th boundary of every workload, with every fault.
[[nodiscard]] CrashTotals run_every_crash_image(std::uint64_t stride);

}  // namespace quorate::simulation
