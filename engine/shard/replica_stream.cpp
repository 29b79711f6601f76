#include "shard/replica_stream.h"

#include "base/mutant.h"
#include "shard/replica_link.h"
#include "wire/records.h"

namespace quorate::shard {

namespace {
/// A ring that was not written for so long gives its pages back.
constexpr std::int64_t kIdle_ns = kSecond_ns;
/// The loop is told of applied records after so many bytes at the latest, so that credit flows
/// while the applying thread is busy.
constexpr std::uint64_t kTellBytes = 256u << 10;
}  // namespace

ReplicaStream::ReplicaStream(const core::ReplicaStreamConfig& config, Shard& shard,
                             base::RingArena& arena, std::uint32_t slice,
                             std::span<std::byte> ring, base::ReadyList& to_apply)
    : machine_(config),
      shard_(shard),
      arena_(arena),
      slice_(slice),
      ring_(ring.data()),
      to_apply_(to_apply) {
  apply_node_.stream = this;
}

std::size_t ReplicaStream::apply(const Apply& function, std::size_t records_max,
                                 const std::atomic<bool>& stop) {
  apply_node_.queued.store(false, std::memory_order_seq_cst);
  const Position exposed = exposed_.load(std::memory_order_seq_cst);
  const std::uint64_t mask = machine_.config().ring_bytes - 1;
  const StreamId id = machine_.config().stream;
  std::size_t count = 0;
  Position told = cursor_;
  const auto tell = [&] {
    told = cursor_;
    applied_.store(QUORATE_MUTANT(applied_told_early) ? exposed : cursor_,
                   std::memory_order_seq_cst);
    shard_.notify(*this);
  };
  while (cursor_ < exposed && count < records_max && !stop.load(std::memory_order_relaxed)) {
    // The ring is mapped twice in a row, so a record that wraps is contiguous all the same.
    const std::byte* at = ring_ + (cursor_ & mask);
    const wire::RecordWord word = wire::read_record_word(at);
    const Position end = cursor_ + wire::padded_record_bytes(word.length);
    if (word.kind == wire::RecordKind::data) {
      function({id, cursor_, end, {at + sizeof word, word.length}});
      ++count;
    }
    cursor_ = end;
    if (cursor_ - told >= kTellBytes) tell();
  }
  if (cursor_ != told) tell();
  if (has_more()) to_apply_.push(apply_node_);
  return count;
}

void ReplicaStream::on_ready() {
  queued.store(false, std::memory_order_seq_cst);
  machine_.on_applied(applied_.load(std::memory_order_seq_cst));
  if (link != nullptr) link->touch(*this);
}

bool ReplicaStream::publish() {
  received_.store(machine_.received(), std::memory_order_release);
  epoch_number_.store(machine_.epoch().number, std::memory_order_relaxed);
  epoch_incarnation_.store(machine_.epoch().incarnation, std::memory_order_relaxed);
  needs_full_copy_.store(machine_.state() == core::ReplicaMachine::State::needs_full_copy,
                         std::memory_order_release);
  const Position exposed = machine_.exposed();
  if (exposed == exposed_.load(std::memory_order_relaxed)) return false;
  exposed_.store(exposed, std::memory_order_seq_cst);
  return to_apply_.push(apply_node_);
}

std::byte* ReplicaStream::place(Position begin, Instant now) noexcept {
  // The budget covers every ring, so this only counts.
  if (!resident_) resident_ = arena_.acquire();
  receiving = true;
  used_at = now;
  return ring_ + (begin & (machine_.config().ring_bytes - 1));
}

void ReplicaStream::give_back_if_idle(Instant now) {
  if (!resident_ || receiving || now - used_at < kIdle_ns) return;
  if (machine_.applied() != machine_.received() && !QUORATE_MUTANT(unread_pages_dropped)) return;
  arena_.give_back(slice_);
  resident_ = false;
}

ReplicaStreamStatus ReplicaStream::status() const {
  return {machine_.config().stream,
          {epoch_number_.load(std::memory_order_relaxed),
           epoch_incarnation_.load(std::memory_order_relaxed)},
          received_.load(std::memory_order_acquire),
          exposed_.load(std::memory_order_acquire),
          applied_.load(std::memory_order_acquire)};
}

}  // namespace quorate::shard
