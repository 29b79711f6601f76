#pragma once

// Known bugs of this field, planted on purpose: each must be found by the simulation, or its
// checkers have a hole. They exist only where QUORATE_MUTANTS is defined, which is one library of
// the tests; everywhere else QUORATE_MUTANT() is the constant false and leaves no trace.

#ifdef QUORATE_MUTANTS

#include <cstdint>
#include <span>
#include <string_view>

#define QUORATE_MUTANT_LIST(plant)                                                        \
  plant(received_before_it_came, "a replica holds a frame when its header has arrived")   \
  plant(stale_epoch_counts, "acknowledgements of an older epoch count")                   \
  plant(stale_incarnation_counts, "acknowledgements of another process count")            \
  plant(sent_is_received, "what was sent counts as received")                             \
  plant(quorum_off_by_one, "a rule is met with one replica too few")                      \
  plant(detached_keeps_sending, "a replica that is gone is still thought to be fed")      \
  plant(committed_beyond_held, "a replica exposes what it was told, held or not")         \
  plant(committed_of_old_session, "a word of an older session is kept unproved")          \
  plant(exposes_received, "a replica exposes what is not committed")                      \
  plant(acknowledgement_lost, "acknowledgements get lost and are never repeated")         \
  plant(fence_releases, "who waits is told released when the stream is fenced")           \
  plant(close_releases, "who waits is told released when the primary closes")             \
  plant(pin_ignored, "the ring is used again while a send still reads it")                \
  plant(rest_dropped, "the rest of a frame whose send was cut is dropped")                \
  plant(body_unchecked, "the checksum of a frame's records is not looked at")             \
  plant(gap_accepted, "a frame that leaves a gap is taken")                               \
  plant(credit_ignored, "a primary sends beyond the credit of a replica")                 \
  plant(history_unmatched, "a replica of another history is resumed")                     \
  plant(never_fenced, "a claim may stay open for ever")                                   \
  plant(commit_waits_for_frame, "a commit is told only together with a frame")            \
  plant(gives_up_dialing, "a replica dials three times and no more")

namespace quorate::base {

enum class Mutant : std::uint8_t {
  none,
#define QUORATE_PLANT(name, text) name,
  QUORATE_MUTANT_LIST(QUORATE_PLANT)
#undef QUORATE_PLANT
};

struct MutantName {
  std::string_view name;
  std::string_view text;
};

/// One at a time; chosen before the first loop turns.
extern Mutant active_mutant;
extern std::uint64_t mutant_passes;
bool select_mutant(std::string_view name) noexcept;
std::span<const MutantName> mutant_names() noexcept;

}  // namespace quorate::base

#define QUORATE_MUTANT(name) (::quorate::base::active_mutant == ::quorate::base::Mutant::name)
/// Only from the n-th time on.
#define QUORATE_MUTANT_AFTER(name, n) \
  (QUORATE_MUTANT(name) && ++::quorate::base::mutant_passes > (n))

#else

#define QUORATE_MUTANT(name) false
#define QUORATE_MUTANT_AFTER(name, n) false

#endif
