#pragma once

// What faults did, counted where it happened: an episode that met nothing has no effect.

#include <array>
#include <cstdint>
#include <string_view>

namespace quorate::simulation {

enum class Effect : std::uint8_t {
  held_by_cuts,        ///< pieces that waited for a cut link to heal
  limited,             ///< pieces that waited for bandwidth
  connections_reset,
  half_open,           ///< ends that the death of a machine left behind
  bits_flipped,        ///< on a link
  unsynced_lost,       ///< sectors that a power cut took back
  torn_writes,         ///< of which it left some sectors new, some old
  garbled_sectors,
  short_results,       ///< reads and writes that did only a part
  disk_errors,         ///< EIO once
  disk_dead,           ///< EIO of a disk that answers nothing else
  disk_stalls,
  disk_misdirected,    ///< writes that went to another sector
  disk_stale,          ///< writes that never happened and said success
  disk_bits_flipped,
  disk_full,           ///< ENOSPC
  disk_wiped,
  units_acknowledged,  ///< told durable to the program that keeps ledgers on a disk
  units_confirmed,     ///< read back after a crash
  units_excused,       ///< damaged by the medium, and noticed
  waits_released,      ///< calls of wait() that blocked until a release
  waits_given_up,      ///< or until their time was over
  waits_for_space,
  strangers,           ///< connections of who is no replica
};
inline constexpr std::size_t kEffects = static_cast<std::size_t>(Effect::strangers) + 1;
std::string_view to_string(Effect effect) noexcept;

struct Effects {
  std::array<std::uint64_t, kEffects> counts{};

  std::uint64_t& operator[](Effect effect) noexcept {
    return counts[static_cast<std::size_t>(effect)];
  }
};

}  // namespace quorate::simulation
