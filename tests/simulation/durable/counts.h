#pragma once

// What happened in durable worlds: how often each fault was begun, and what the faults came to.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorate::simulation::durable {

enum class Count : std::uint8_t {
  kills,
  power_losses,
  closes,
  deaths_in_open,      ///< the process ended while its logs were being opened
  deaths_in_catch_up,  ///< of either side
  resets,
  cuts_of_links,
  slow_links,
  sync_errors,
  error_spells,    ///< for a while some operations of a disk fail
  dead_disks,      ///< for a while all do
  full_disks,
  slow_disks,
  slow_programs,
  pauses,
  reopenings,      ///< of a directory that held a log
  refused_opens,   ///< because of a fault of the disk just then
  catch_ups,
  log_cuts,        ///< a replica gave up a tail that its primary does not have
  tails_lost,      ///< the primary came back with less than it had taken
  replays,         ///< records that were shown to a program again out of the log
  rotations,
  given_up,        ///< segments that are not kept any more
  no_space,        ///< writes refused because the disk is full
  log_full,        ///< and because the log is, with what is not committed
  log_failures,
  damage_excused,  ///< a log that could not be read when it was opened
  resumes_refused, ///< resume_after was older than the log
  wipes,           ///< of a replica's disk
  offers,          ///< snapshots that a primary's program has offered
  installs,        ///< snapshots that a replica's program has taken
  installs_refused,
  written,
  applied,
  releases,
  releases_durable,
  releases_applied,
  examined,        ///< records found in logs and compared
  count_,
};
inline constexpr std::size_t kCounts = static_cast<std::size_t>(Count::count_);

inline constexpr std::array<std::string_view, kCounts> kCountNames = {
    "kills", "power_losses", "closes", "deaths_in_open", "deaths_in_catch_up", "resets",
    "cuts_of_links", "slow_links", "sync_errors", "error_spells", "dead_disks", "full_disks",
    "slow_disks", "slow_programs", "pauses", "reopenings", "refused_opens", "catch_ups",
    "log_cuts", "tails_lost", "replays", "rotations", "given_up", "no_space", "log_full",
    "log_failures", "damage_excused", "resumes_refused",
    "wipes", "offers", "installs", "installs_refused",
    "written", "applied", "releases", "releases_durable",
    "releases_applied", "examined"};

struct Counts {
  std::array<std::uint64_t, kCounts> values{};

  std::uint64_t& operator[](Count count) noexcept {
    return values[static_cast<std::size_t>(count)];
  }
  const std::uint64_t& operator[](Count count) const noexcept {
    return values[static_cast<std::size_t>(count)];
  }
  void add(const Counts& other) noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) values[i] += other.values[i];
  }
};

}  // namespace quorate::simulation::durable
