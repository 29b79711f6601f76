#include "base/mutant.h"

#ifdef QUORATE_MUTANTS

namespace quorate::base {

namespace {

constexpr MutantName kNames[] = {
#define QUORATE_PLANT(name, text) {#name, text, false},
    QUORATE_MUTANT_LIST(QUORATE_PLANT)
#undef QUORATE_PLANT
#define QUORATE_PLANT(name, text) {#name, text, true},
    QUORATE_DISK_MUTANT_LIST(QUORATE_PLANT)
#undef QUORATE_PLANT
};

}  // namespace

Mutant active_mutant = Mutant::none;
std::uint64_t mutant_passes = 0;

bool select_mutant(std::string_view name) noexcept {
  for (std::uint8_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i].name != name) continue;
    active_mutant = static_cast<Mutant>(i + 1);
    return true;
  }
  return false;
}

std::span<const MutantName> mutant_names() noexcept { return kNames; }

}  // namespace quorate::base

#endif
