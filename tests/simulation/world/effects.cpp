#include "tests/simulation/world/effects.h"

namespace quorate::simulation {

namespace {

constexpr std::array<std::string_view, kEffects> kNames = {
    "held_by_cuts",      "limited",        "connections_reset", "half_open",
    "bits_flipped",      "unsynced_lost",  "torn_writes",       "garbled_sectors",
    "short_results",     "disk_errors",    "disk_dead",         "disk_stalls",
    "disk_misdirected",  "disk_stale",     "disk_bits_flipped", "disk_full",
    "disk_wiped",        "units_acknowledged", "units_confirmed", "units_excused",
    "waits_released",    "waits_given_up", "waits_for_space",   "strangers"};

}  // namespace

std::string_view to_string(Effect effect) noexcept {
  return kNames[static_cast<std::size_t>(effect)];
}

}  // namespace quorate::simulation
