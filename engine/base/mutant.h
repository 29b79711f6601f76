#pragma once

// Known bugs of this field, planted on purpose, so that the simulation can be tested as well: it
// must find each of them, or its checkers or its faults have a hole. `if (QUORATE_MUTANT(name))`
// stands where the bug would be made, which is never a header: the checkers see headers, and are
// compiled without bugs. Only the program `mutants` of tests/simulation is compiled with
// QUORATE_MUTANTS, has all bugs in it and turns on one at a time. Everywhere else the macro is the
// constant false: the compiler drops the bug, and nothing of this file is in the library.

#ifdef QUORATE_MUTANTS

#include <cstdint>
#include <span>
#include <string_view>

#define QUORATE_MUTANT_LIST(plant)                                                        \
  plant(received_before_it_came, "a replica holds a frame when its header has arrived")   \
  plant(stale_epoch_counts, "acknowledgements of an older epoch count")                   \
  plant(stale_incarnation_counts, "acknowledgements of another process count")            \
  plant(restart_unnoticed, "what an earlier process of a replica held still counts")      \
  plant(sent_is_received, "what was sent counts as received")                             \
  plant(quorum_off_by_one, "a rule is met with one replica too few")                      \
  plant(detached_keeps_sending, "a replica that is gone is still thought to be fed")      \
  plant(committed_beyond_held, "a replica exposes what it was told, held or not")         \
  plant(session_unchecked, "words of an older session count")                             \
  plant(sender_unchecked, "words of a sender of an older epoch count")                    \
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
  plant(gives_up_dialing, "replicas dial six times in all and no more")                   \
  plant(acknowledges_ahead, "a replica acknowledges more than it holds")                  \
  plant(all_means_any, "a rule for all is met by one")                                    \
  plant(commits_what_is_sealed, "a primary tells as committed what it only sent")         \
  plant(applied_told_early, "a replica tells as applied what it only shows its program")  \
  plant(abandoned_is_data, "a claim that was given up is sent as a record")               \
  plant(waiter_told_twice, "who waits is told twice")                                     \
  plant(one_waiter_woken, "a release tells one of those who wait for it")                 \
  plant(wake_up_lost, "a loop is not woken for what was published")                       \
  plant(space_not_zeroed, "space is claimed again with old records in it")                \
  plant(unread_pages_dropped, "an idle replica gives back what its program has not read") \
  plant(silence_unnoticed, "a peer that says nothing is never given up")                  \
  plant(control_unchecked, "the checksum of messages is not looked at")                   \
  plant(fenced_early, "a claim is open for too long at once")                             \
  plant(waiters_refused, "nobody may wait any more after a while")                        \
  plant(wait_outlasts, "a wait goes on beyond its time")                                  \
  plant(durable_told, "a replica tells as durable what it holds in memory")               \
  plant(connection_kept, "the memory of a connection is never given back")                \
  plant(resume_refused, "whoever comes back needs a full copy")                           \
  plant(stall_never_ends, "a replica that stands still holds writers up for ever")        \
  plant(park_forgotten, "a send that nobody takes keeps its space")                       \
  plant(sequence_skips, "a cut send leaves a gap in the sequence numbers")

// Bugs of what is on disk, which only worlds with disks can find.
#define QUORATE_DISK_MUTANT_LIST(plant)                                                    \
  plant(write_unsynced, "a write of the log is not asked to be durable")                   \
  plant(sync_left_out, "what was written to the page cache counts as durable")             \
  plant(sync_covers_later, "a sync covers what was written after it began")                \
  plant(write_error_ignored, "a write that failed counts as done")                         \
  plant(sync_error_ignored, "a sync that failed counts as done")                           \
  plant(durable_over_a_gap, "a unit is durable though one before it is not")               \
  plant(mark_ahead, "a unit states as durable what is still in flight")                    \
  plant(torn_body_taken, "the checksum of a unit's body is not looked at")                 \
  plant(damage_cut, "damage of what was durable is cut like a torn tail")                  \
  plant(torn_is_damage, "a torn tail is taken for damage")                                 \
  plant(torn_left, "a torn tail is not overwritten")                                       \
  plant(metadata_unsynced, "what is remembered is not asked to be durable")                \
  plant(metadata_over_itself, "what is remembered is written over the copy that counts")   \
  plant(segment_unsynced, "the name of a new segment is not made durable")                 \
  plant(closed_early, "a log says that it is closed while its last writes are in flight")  \
  plant(own_copy_at_once, "the primary's copy counts as durable when it is sealed")        \
  plant(cut_copies_kept, "a program is shown what was copied for it and then cut")         \
  plant(shown_in_flight, "a program is shown what its replica may still lose")             \
  plant(cut_forgotten, "where a log is cut is not remembered before it goes on")           \
  plant(catch_up_without_end, "a catch-up never hands over to the live stream")            \
  plant(holds_ignored, "a log gives up what replicas still need")                          \
  plant(given_up_unsaved, "a segment's file goes while what is remembered counts it")      \
  plant(snapshot_unsynced, "a snapshot is whole before its file is made durable")          \
  plant(uncommitted_given_up, "a log at its hard limit gives up what is not committed")

namespace quorate::base {

enum class Mutant : std::uint8_t {
  none,
#define QUORATE_PLANT(name, text) name,
  QUORATE_MUTANT_LIST(QUORATE_PLANT) QUORATE_DISK_MUTANT_LIST(QUORATE_PLANT)
#undef QUORATE_PLANT
};

struct MutantName {
  std::string_view name;
  std::string_view text;
  bool on_disk;
};

/// Chosen before the first loop turns; none at first.
extern Mutant active_mutant;
/// How often the active one was passed, for those that begin later.
extern std::uint64_t mutant_passes;
/// False: there is none of that name.
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
