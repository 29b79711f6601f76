#pragma once

// What a seed means: the shape of the cluster, its options, its load, and the faults with their
// times. Drawn once, before the run, so that a failing run can be made smaller by leaving things
// out of its plan.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "quorate/options.h"
#include "quorate/rule.h"
#include "tests/simulation/system/host.h"

namespace quorate::simulation {

inline constexpr HostId kPrimaryHost = 0;  ///< replicas are on those that follow
inline constexpr std::uint16_t kPrimaryPort = 7400;

enum class Fault : std::uint8_t {
  slow_link,        ///< latencies of a link rise
  narrow_link,      ///< little bandwidth: a slow receiver
  reset,            ///< connections break at whatever byte they are
  isolate,          ///< nothing passes between the primary and one replica
  cut_to,           ///< only what goes to the replica is lost
  cut_from,         ///< only what comes from it
  partition,        ///< several replicas are cut off at once
  flap,             ///< a link that comes and goes
  flip,             ///< bits arrive flipped
  crash_replica,    ///< SIGKILL, then a new process
  crash_primary,
  power_replica,    ///< its peers hear nothing of it
  power_primary,
  pause_replica,    ///< stopped, its clock goes on
  pause_primary,
  close_primary,    ///< closed in good order, then a new reign
  clock_leap,
  slow_loops,       ///< a host that schedules its processes late
  slow_apply,       ///< the program on a replica takes its time
  held_claim,       ///< a writer holds its claim over many turns
  dead_claim,       ///< a writer dies with its claim
  twin_replica,     ///< a second process that says it is the same replica
  stranger,         ///< something else connects to the primary
  forgery,          ///< a unit that nobody sent gets into a connection
  disk_short,       ///< reads and writes do only a part
  disk_error,       ///< EIO now and then
  disk_sync_error,  ///< EIO of one sync, which may have lost what it was to keep
  disk_dead,        ///< EIO of everything
  disk_stall,       ///< operations take a second
  disk_full,
  disk_misdirect,   ///< writes go elsewhere and say success
  disk_stale,       ///< writes are not done and say success
  disk_flip,        ///< bits of what is durable change
  disk_wipe,        ///< another disk, empty, and a machine that starts anew
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::disk_wipe) + 1;
std::string_view to_string(Fault fault) noexcept;
/// Only worlds whose programs use their disks have those.
constexpr bool is_of_disk(Fault fault) noexcept { return fault >= Fault::disk_short; }

struct Episode {
  Fault fault = Fault::reset;
  Instant at = 0;
  Instant lasts_ns = 0;
  std::uint32_t replica = 0;
  bool on_primary = false;  ///< a fault of a disk: of the primary's
  std::uint64_t dice = 0;   ///< what else is drawn for it, whichever episodes are left out
};

struct Plan {
  std::uint64_t seed = 0;

  std::uint32_t replicas = 2;
  std::uint32_t streams = 1;
  std::uint32_t loops = 1;
  std::uint32_t replica_loops = 1;
  PrimaryOptions primary;   ///< but for addresses and names
  ReplicaOptions replica;
  std::vector<Rule> rules;

  std::uint32_t rate_per_s = 100;  ///< records offered
  std::uint32_t burst = 1;         ///< how many at once
  std::uint32_t record_bytes_max = 256;
  std::uint32_t waited_of_1000 = 100;
  std::uint32_t blocked_of_10000 = 0;  ///< records whose writer blocks until the release
  bool ledgers = false;                ///< programs write to their disks as well
  std::int64_t drift_ppm_max = 0;
  std::uint32_t late_sends = 100;

  Instant horizon = 360 * kSecond_ns;  ///< when faults end
  std::vector<Episode> episodes;

  /// `rate_per_s` 0: drawn too, at least 100.
  static Plan draw(std::uint64_t seed, std::uint32_t rate_per_s, Instant horizon);
  [[nodiscard]] std::string to_string() const;
};

}  // namespace quorate::simulation
