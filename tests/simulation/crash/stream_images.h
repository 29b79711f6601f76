#pragma once

// Power losses at the events of a disk while a stream gives up segments and takes snapshots.

#include <cstdint>
#include <string>
#include <vector>

namespace quorate::simulation {

struct StreamTotals {
  std::uint64_t images = 0;
  std::uint64_t given_up = 0;
  std::uint64_t installed = 0;
  std::uint64_t undone = 0;
  std::vector<std::string> violations;  ///< each with its image; the first few
};

inline constexpr std::uint64_t kStreamWorkloads = 4;
/// That many, drawn from all workloads and events.
[[nodiscard]] StreamTotals run_stream_images(std::uint64_t first_seed, std::uint64_t count);
/// Each event of every workload.
[[nodiscard]] StreamTotals run_every_stream_image();

}  // namespace quorate::simulation
