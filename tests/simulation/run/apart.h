#pragma once

// A world in a process of its own: an engine that aborts, hangs or corrupts its memory costs that
// process and nothing else.

#include <array>
#include <climits>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/world/world.h"

namespace quorate::simulation {

/// What a process says of its world. Fits into one atomic write to a pipe, so it arrives whole.
struct Report {
  std::uint64_t seed;
  std::uint32_t done;  ///< 0: has only begun
  std::uint32_t failed;
  std::uint64_t hash, events, offered, appended, applied, releases, reigns;
  std::int64_t simulated_ns, counted_ns, primary_bytes_max, replica_bytes_max;
  std::int64_t cpu_ns;  ///< that its process has taken so far
  std::array<std::uint64_t, kFaults> faults;
  Effects effects;
  std::array<std::uint64_t, kForgeries> forged;
  char what[1024];  ///< empty unless it failed
};
static_assert(sizeof(Report) <= PIPE_BUF);

/// Of a seed that stands for something else than the world of a plan; no text: it passed.
Report report_of(std::uint64_t seed, const std::string& failure);
/// Sets what its process has taken, and sends it.
void write_report(int pipe, Report report);
/// In this process.
Report run_here(const Plan& plan, bool trace);
/// Of this process, from now on: it is ended by a signal when its world takes so long.
void limit_time(std::uint32_t cpu_limit_s);
/// From what waitpid() said.
std::string how_it_died(int status);

/// In a process of its own. `trace`: printed to the standard output.
Report run_apart(const Plan& plan, bool trace, std::uint32_t cpu_limit_s);
/// The end of the trace of a world, at most so many lines.
std::vector<std::string> last_lines(const Plan& plan, std::uint32_t cpu_limit_s, std::size_t most);

}  // namespace quorate::simulation
