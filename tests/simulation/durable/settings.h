#pragma once

// What a durable world is like, drawn from its seed.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "quorate/options.h"

namespace quorate::simulation::durable {

inline constexpr std::uint32_t kPrimaryHost = 0;
inline constexpr std::uint16_t kPrimaryPort = 7400;

struct Settings {
  std::uint64_t seed = 0;
  std::uint32_t replicas = 2;
  std::uint32_t streams = 1;
  std::uint32_t primary_loops = 1;
  std::uint32_t replica_loops = 1;
  PrimaryOptions primary;   ///< without names and addresses
  ReplicaOptions replica;
  std::vector<Rule> rules;
  std::uint32_t protected_copies = 0;  ///< as it applies
  std::uint32_t record_bytes_max = 0;
  std::uint64_t bytes_per_s = 0;       ///< written while there is load
  std::uint32_t load_per_mille = 0;    ///< of the time
  bool snapshots = false;  ///< replicas take them, and their disks are wiped now and then
  bool left_alone = false;  ///< all replicas are away for so long that much has to be kept for them
  Instant fault_gap_max_ns = 0;
  Instant disk_latency_max_ns = 0;
  Instant horizon = 0;

  static Settings draw(std::uint64_t seed, Instant horizon);
  [[nodiscard]] std::string to_string() const;
};

}  // namespace quorate::simulation::durable
