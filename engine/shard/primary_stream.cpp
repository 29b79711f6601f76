#include "shard/primary_stream.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/mutant.h"
#include "shard/primary_driver.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

namespace quorate::shard {

namespace {

/// Free space the loop keeps in front of the writers: what is older stays for replicas to resume.
constexpr std::uint64_t kFreeShare = 2;  // 1 / 2 of the ring

std::span<core::FrameEntry> entries_in(std::span<std::byte> memory, std::uint32_t slots) {
  auto* first = reinterpret_cast<core::FrameEntry*>(memory.data() +
                                                    slots * PrimaryStream::kPrologueStride);
  return {first, slots};
}

}  // namespace

std::size_t PrimaryStream::frame_memory_bytes(std::uint32_t frame_slots) noexcept {
  constexpr std::size_t kPage = 4096;
  const std::size_t bytes = frame_slots * (kPrologueStride + sizeof(core::FrameEntry));
  return (bytes + kPage - 1) / kPage * kPage;
}

PrimaryStream::PrimaryStream(PrimaryDriver& driver, Shard& shard, base::RingArena& arena,
                             std::uint32_t slice, const PrimaryStreamConfig& config,
                             std::span<std::byte> ring, std::span<std::byte> frame_memory,
                             const OpenedLog* opened)
    : driver_(driver),
      shard_(shard),
      arena_(arena),
      slice_(slice),
      config_(config),
      rules_(std::make_unique<RuleSlot[]>(kRulesMax)),
      counters_(std::make_unique<ReplicaCounters[]>(std::max(config.machine.replicas, 1u))),
      machine_(config.machine),
      frames_(entries_in(frame_memory, config.frame_slots)),
      frame_memory_(frame_memory),
      prologues_(frame_memory.data()) {
  const Position start = config.machine.start;
  ring_.attach(ring.data(), config.ring_bytes, config.max_record_bytes, start);
  sealed_.store(start);
  durable_.store(start);
  committed_.store(machine_.committed());
  reclaimed_ = start;
  if (opened == nullptr) return;
  const log::LogEnd& end = opened->found.start.end;
  last_epoch_ = end.epoch;
  last_checksum_ = end.frame_checksum;
  frames_.begin_after({start, start, end.epoch, end.frame_checksum, 0});
  for (const log::EpochEnd& each : opened->found.epochs) {
    log_epochs_.push_back({each.epoch, each.end});
  }
  log_ = std::make_unique<StreamLog>(shard.reactor(), *opened, config.log, *this);
  log_->on_committed(machine_.committed());
  snapshots_ = std::make_unique<SnapshotShelf>(shard, *log_, id(), config.log_is_state);
}

base::TailRing::Space PrimaryStream::open_and_claim(std::uint64_t payload_bytes) noexcept {
  // The budget first: an open ring may be written at once.
  // Without it, somebody else may have opened this very ring meanwhile.
  if (arena_.acquire() && !ring_.unpark()) arena_.release();
  return ring_.claim(payload_bytes);
}

void PrimaryStream::tell_loop() noexcept {
  if (QUORATE_MUTANT_AFTER(wake_up_lost, 1000)) return;
  shard_.notify(*this);
}

Error PrimaryStream::refusal_error(base::TailRing::Refusal refusal,
                                   std::uint64_t payload_bytes) const {
  using Refusal = base::TailRing::Refusal;
  switch (refusal) {
    case Refusal::too_large:
      return Error(Errc::too_large, "record: found " + std::to_string(payload_bytes) +
                                        " bytes, allowed 0…" +
                                        std::to_string(config_.max_record_bytes));
    case Refusal::closed:
      if (state() == StreamState::fenced) return Error(Errc::fenced, "this epoch was given up");
      return Error(Errc::closed, "the primary is closed");
    case Refusal::parked:
      return Error(Errc::busy, "ring_budget_bytes is used up by other streams, or this stream's "
                               "idle ring is being given back right now");
    case Refusal::full:
    case Refusal::none: break;
  }
  if (lacks_space_.load(std::memory_order_acquire)) {
    return Error(Errc::no_space, "the log's disk is full; writes are taken again when it is not");
  }
  if (log_full_.load(std::memory_order_acquire)) {
    return Error(Errc::log_full, "the log is at storage.retain_bytes_hard with what is not "
                                 "committed; writes are taken again when replicas have more of it");
  }
  return Error(Errc::busy, "the ring is full");
}

std::uint32_t PrimaryStream::copies_at(Position position, Level level) const noexcept {
  const bool own = level != Level::durable || durable_.load(std::memory_order_acquire) >= position;
  std::uint32_t copies = own ? 1 : 0;
  for (std::uint32_t i = 0; i < config_.machine.replicas; ++i) {
    const ReplicaCounters& replica = counters_[i];
    const auto& counter = level == Level::received  ? replica.received
                          : level == Level::durable ? replica.durable
                                                    : replica.applied;
    if (counter.load(std::memory_order_acquire) >= position) ++copies;
  }
  return copies;
}

Outcome PrimaryStream::outcome(Position target, RuleId rule) const noexcept {
  const RuleSlot& slot = rules_[rule.index];
  if (slot.watermark.load(std::memory_order_acquire) >= target) {
    // Counters may be ahead of the release, never behind it.
    const std::uint32_t copies = std::max(copies_at(target, slot.compiled.level),
                                          slot.compiled.count + 1);
    return {OutcomeKind::released, slot.compiled.level, copies};
  }
  const bool released =
      (QUORATE_MUTANT(fence_releases) && state() == StreamState::fenced) ||
      (QUORATE_MUTANT(close_releases) && state() == StreamState::closed);
  if (released) return {OutcomeKind::released, slot.compiled.level, slot.compiled.count + 1};
  const OutcomeKind kind =
      ended_.load(std::memory_order_acquire) ? OutcomeKind::unknown : OutcomeKind::pending;
  return {kind, slot.compiled.level, copies_at(target, slot.compiled.level)};
}

bool PrimaryStream::turns_here() { return shard_.host_here() && !shard_.turning(); }

bool PrimaryStream::wait_space(std::uint64_t payload_bytes, Instant deadline) {
  // Waking a writer for every frame costs more than it gains, so it waits for a part of the ring.
  const std::uint64_t record = base::record_bytes(payload_bytes);
  const std::uint64_t bytes = std::max(record, ring_.size() / 8);
  const auto fits = [&] { return !ring_.parked() && ring_.limit() >= ring_.claimed() + record; };
  const bool turns = turns_here();
  // A callback can only look: while it waits, its loop makes no space.
  if (shard_.hosted_here() && !turns) deadline = 0;
  if (!refusing_.load(std::memory_order_acquire) && fits()) return true;
  while (!refusing_.load(std::memory_order_acquire)) {
    const Position target = ring_.claimed() + bytes;
    // A parked ring has space, but its budget may be used up: that ends without a wake-up.
    const bool parked = ring_.parked();
    if (!parked && ring_.limit() >= target) return true;
    const Instant now = shard_.reactor().now();
    if (now >= deadline) return fits();
    const Instant until = parked ? std::min(deadline, now + kMillisecond_ns) : deadline;
    if (turns) {
      shard_.turn(until, {&ring_.limit_word(), parked ? ~Position{0} : target});
    } else {
      space_waiters_.wait_until(ring_.limit_word(), parked ? ~Position{0} : target, refusing_,
                                until);
    }
    if (parked && !refusing_.load(std::memory_order_acquire)) return true;
  }
  return false;
}

Status PrimaryStream::check_wait(const Ticket& ticket, RuleId rule) const {
  if (ticket.stream != id()) {
    return Error(Errc::invalid_option, "ticket: of stream " + std::to_string(ticket.stream) +
                                           ", this is stream " + std::to_string(id()));
  }
  if (ticket.epoch != epoch()) {
    return Error(Errc::fenced, "ticket: of another epoch than this primary's");
  }
  if (rule.index >= rule_count()) {
    return Error(Errc::invalid_option, "rule: id " + std::to_string(rule.index) +
                                           " is not registered on this stream");
  }
  return Done{};
}

Status PrimaryStream::wait_release(Position target, RuleId rule, Instant deadline) {
  RuleSlot& slot = rules_[rule.index];
  if (shard_.hosted_here() && shard_.turning()) {
    return Error(Errc::unsupported, "wait: not from a callback; it would wait for its own loop");
  }
  const Instant start = shard_.reactor().now();
  if (QUORATE_MUTANT(wait_outlasts)) deadline = start + 20 * (deadline - start);
  if (turns_here()) {
    const Goal goal{&slot.watermark, target};
    while (!goal.reached() && !ended_.load() && shard_.reactor().now() < deadline) {
      shard_.turn(deadline, goal);
    }
    return Done{};
  }
  slot.sleepers.fetch_add(1);
  const Instant spin_until =
      std::min(deadline, start + shard_.options().spin.count() * kMicrosecond_ns);
  bool reached = false;
  while (!reached && spin_until > start && shard_.reactor().now() < spin_until) {
    reached = slot.watermark.load(std::memory_order_acquire) >= target;
  }
  if (!reached) slot.waiters.wait_until(slot.watermark, target, ended_, deadline);
  slot.sleepers.fetch_sub(1);
  return Done{};
}

StreamStatus PrimaryStream::status(std::span<const std::string> names, Instant now) const {
  StreamStatus status;
  status.stream = id();
  status.epoch = epoch();
  // First, so that it is never beyond what is appended.
  if (log_) status.durable = durable_.load(std::memory_order_acquire);
  status.appended = sealed_.load(std::memory_order_acquire);
  // Before what is committed, which it never is beyond.
  status.log_first = log_first_.load(std::memory_order_acquire);
  status.committed = committed_.load(std::memory_order_acquire);
  status.log_bytes = log_bytes_.load(std::memory_order_relaxed);
  status.retention = retention_.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < config_.machine.replicas; ++i) {
    const ReplicaCounters& replica = counters_[i];
    ReplicaStatus one;
    one.name = names[i];
    one.state = replica.state.load(std::memory_order_acquire);
    one.sent = replica.sent.load(std::memory_order_acquire);
    one.received = replica.received.load(std::memory_order_acquire);
    one.durable = replica.durable.load(std::memory_order_acquire);
    one.applied = replica.applied.load(std::memory_order_acquire);
    one.lag_bytes = status.appended - std::min(status.appended, one.received);
    const Instant since = replica.lag_since.load(std::memory_order_acquire);
    one.catch_up_bytes_per_second =
        replica.catch_up_bytes_per_second.load(std::memory_order_relaxed);
    if (one.lag_bytes > 0) one.lag_seconds = static_cast<double>(now - since) / 1e9;
    status.replicas.push_back(std::move(one));
  }
  if (snapshots_) snapshots_->describe(status);
  return status;
}

Result<RuleId> PrimaryStream::register_rule(const Rule& rule, std::span<const std::string> names,
                                            std::uint32_t floor_copies) {
  const std::uint32_t count = rule_count();
  auto compiled = core::compile_rule(rule, names, floor_copies, log_ != nullptr);
  if (!compiled) return compiled.error();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rules_[i].compiled == compiled.value()) return RuleId{static_cast<std::uint8_t>(i)};
  }
  if (count == kRulesMax) {
    return Error(Errc::invalid_option, "rules: this stream has " + std::to_string(kRulesMax) +
                                           " already, the most that is allowed");
  }
  rules_[count].rule = rule;
  rules_[count].compiled = compiled.value();
  machine_.on_rule(count, compiled.value(), effects);
  rules_[count].watermark.store(machine_.watermark(count), std::memory_order_release);
  rule_count_.store(count + 1, std::memory_order_release);
  return RuleId{static_cast<std::uint8_t>(count)};
}

void PrimaryStream::on_ready() { driver_.on_published(*this); }

bool PrimaryStream::seal(std::uint32_t frames_max, Instant now) {
  bool sealed = false;
  for (std::uint32_t i = 0; i < frames_max && !frames_.full(); ++i) {
    const auto walk = ring_.walk(machine_.sealed(), config_.max_batch_bytes);
    if (walk.records == 0) break;
    seal_frame(walk, now);
    sealed = true;
  }
  return sealed;
}

void PrimaryStream::seal_frame(const base::TailRing::Walk& walk, Instant now) {
  const std::uint32_t slot = next_prologue_++ & (config_.frame_slots - 1);
  std::byte* prologue = prologues_ + slot * kPrologueStride;
  const Position begin = machine_.sealed();
  const std::span<std::byte, wire::kBatchPrefixBytes> prefix(prologue + wire::kFrameHeaderBytes,
                                                             wire::kBatchPrefixBytes);
  wire::write_batch_prefix(prefix, walk.records, static_cast<std::uint64_t>(now), walk.end - begin);
  wire::FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(wire::kBatchPrefixBytes + (walk.end - begin));
  header.stream = id();
  header.record_count = walk.records;
  header.epoch_number = epoch().number;
  header.epoch_incarnation = epoch().incarnation;
  header.begin = begin;
  header.end = walk.end;
  header.previous_epoch_number = last_epoch_.number;
  header.previous_epoch_incarnation = last_epoch_.incarnation;
  header.previous_checksum = last_checksum_;
  header.body_crc = wire::crc32c({ring_.at(begin), walk.end - begin}, wire::crc32c(prefix));
  last_checksum_ = wire::encode_frame_header(
      header, std::span<std::byte, wire::kFrameHeaderBytes>(prologue, wire::kFrameHeaderBytes));
  last_epoch_ = epoch();
  frames_.push({begin, walk.end, epoch(), last_checksum_, slot});
  machine_.on_sealed(walk.end, effects);
  records_sealed += walk.records;
  bytes_sealed += walk.end - begin;
  ++frames_sealed;
  used_at = now;
}

core::History PrimaryStream::history(bool takes_snapshots) const {
  core::History history{frames_, reclaimed_, log_ ? log_->first() : core::kNoLog, log_epochs_};
  const auto snapshot = takes_snapshots && snapshots_ ? snapshots_->serving() : nullptr;
  if (snapshot) history.snapshot = snapshot->head().position;
  return history;
}

Status PrimaryStream::offer_snapshot(std::string path, Position position) {
  if (!log_) return Error(Errc::unsupported, "offer_snapshot: this primary has no directory");
  if (position == 0 || path.empty()) {
    return Error(Errc::invalid_option, "offer_snapshot: found an empty path or position 0, "
                                       "allowed a file and the end of a record");
  }
  if (state() == StreamState::fenced) return Error(Errc::fenced, "this epoch was given up");
  if (state() == StreamState::closed) return Error(Errc::closed, "the primary is closed");
  const Position committed = committed_.load(std::memory_order_acquire);
  if (position > committed) {
    return Error(Errc::busy, "offer_snapshot: found position " + std::to_string(position) +
                                 ", committed is " + std::to_string(committed) + "; try later");
  }
  const bool posted = shard_.post([this, path = std::move(path), position]() mutable {
    snapshots_->offer(std::move(path), position);
  });
  if (!posted) return Error(Errc::busy, "offer_snapshot: the loop is far behind; try later");
  return Done{};
}

void PrimaryStream::start_log() {
  if (log_) log_->start();
}

bool PrimaryStream::write_log() {
  while (log_->taken() < machine_.sealed()) {
    const core::FrameEntry* frame = frames_.begins_at(log_->taken(), &log_hint_);
    CHECK(frame != nullptr);
    const std::span<const std::byte> prologue = this->prologue(*frame);
    wire::FrameHeader header;
    const auto decoded = wire::decode_frame_header(prologue.first<wire::kFrameHeaderBytes>(),
                                                   wire::kFrameRecordsMax, header);
    CHECK(decoded == wire::DecodeError::none);
    const std::span<const std::byte> pieces[] = {prologue, records(*frame)};
    if (!log_->append(header, pieces)) break;
  }
  log_->flush();
  return log_->taken() < machine_.sealed();
}

void PrimaryStream::on_log_durable(Position durable) {
  machine_.on_durable(durable, effects);
  driver_.on_log_progress(*this);
}

void PrimaryStream::on_log_changed() {
  lacks_space_.store(log_->lacks_space(), std::memory_order_release);
  const bool full = log_->full();
  const bool changed = log_full_.exchange(full, std::memory_order_acq_rel) != full;
  // What is closed takes no writes again: its limit is lifted, and nothing more is committed.
  if (changed && state() == StreamState::open) {
    shard_.trace(full ? TraceLevel::warning : TraceLevel::info,
                 "stream " + std::to_string(id()) +
                     (full ? ": the log is at its hard limit with what is not committed; writes "
                             "are refused until replicas have more of it"
                           : ": of the log more is committed; writes are taken again"));
  }
  driver_.on_log_changed(*this);
}

/// Whoever is behind, here or not, finds the rest in the log.
Position PrimaryStream::log_needed_from() const noexcept {
  Position needed = machine_.durable();
  for (std::uint32_t i = 0; i < machine_.replica_count(); ++i) {
    // One that keeps a log may lose what it has only received.
    const core::ReplicaProgress& replica = machine_.replica(i);
    needed = std::min(needed, replica.durable != 0 ? replica.durable : replica.received);
  }
  return std::min(needed, snapshots_->needed_from());
}

void PrimaryStream::on_log_trouble(const Error& error) {
  shard_.trace(TraceLevel::warning, "stream " + std::to_string(id()) + ": " + error.text);
}

void PrimaryStream::keep_log(Instant now) {
  log_->keep_house(now);
  snapshots_->keep_house();
  log_first_.store(log_->first(), std::memory_order_release);
  log_bytes_.store(log_->disk_bytes(), std::memory_order_relaxed);
  // The two enums are one list, told by two layers.
  const auto state = static_cast<RetentionState>(log_->retention());
  const RetentionState before = retention_.exchange(state, std::memory_order_relaxed);
  if (state == before) return;
  shard_.trace(state > before ? TraceLevel::warning : TraceLevel::info,
               "stream " + std::to_string(id()) + ": retention of the log is " +
                   std::string(to_string(state)) + ", was " + std::string(to_string(before)));
}

Instant PrimaryStream::reclaim(Instant now) {
  const Position claimed = ring_.claimed();
  const std::uint64_t ring = ring_.size();
  Position wanted = claimed + ring / kFreeShare > ring ? claimed + ring / kFreeShare - ring : 0;
  if (frames_.size() > config_.frame_slots / 4 * 3) {
    wanted = std::max(wanted, frames_.at(config_.frame_slots / 4).end);
  }
  if (log_) wanted = std::min(wanted, log_->taken());
  wanted = frames_.end_at_or_before(wanted, reclaimed_);
  if (wanted <= reclaimed_) return kNever;
  const Position allowed = machine_.reclaim(wanted, now, effects);
  const Position until = frames_.end_at_or_before(allowed, reclaimed_);
  if (until <= reclaimed_) return machine_.next_deadline();
  ring_.give_back(reclaimed_, until);
  reclaimed_ = until;
  frames_.pop_until(until);
  space_waiters_.on_advanced(ring_.limit());
  return machine_.next_deadline();
}

Instant PrimaryStream::sealed_at(Position position) const noexcept {
  const auto* frame = frames_.begins_at(position, nullptr);
  if (frame == nullptr) return kNever;
  const auto view = wire::view_batch_prefix(
      std::span<const std::byte, wire::kBatchPrefixBytes>(
          prologue(*frame).data() + wire::kFrameHeaderBytes, wire::kBatchPrefixBytes),
      frame->end - frame->begin);
  return static_cast<Instant>(view.sealed_at_ns);
}

void PrimaryStream::publish_effects(Instant now) {
  sealed_.store(machine_.sealed(), std::memory_order_release);
  committed_.store(machine_.committed(), std::memory_order_release);
  durable_.store(machine_.durable(), std::memory_order_release);
  if (log_) log_->on_committed(machine_.committed());
  // Counters before watermarks: who sees a release also sees the copies that made it.
  for (; changed_replicas != 0; changed_replicas &= changed_replicas - 1) {
    publish_replica(static_cast<std::uint32_t>(std::countr_zero(changed_replicas)), now);
  }
  for (std::uint32_t left = effects.rules_advanced; left != 0; left &= left - 1) {
    const auto r = static_cast<std::uint32_t>(std::countr_zero(left));
    rules_[r].watermark.store(machine_.watermark(r), std::memory_order_release);
    rules_[r].waiters.on_advanced(machine_.watermark(r));
  }
}

void PrimaryStream::publish_replica(std::uint32_t index, Instant now) noexcept {
  const core::ReplicaProgress& replica = machine_.replica(index);
  ReplicaCounters& counters = counters_[index];
  counters.sent.store(replica.sent, std::memory_order_release);
  counters.received.store(replica.received, std::memory_order_release);
  counters.durable.store(replica.durable, std::memory_order_release);
  counters.applied.store(replica.applied, std::memory_order_release);
  counters.state.store(static_cast<ReplicaStatus::State>(replica.state), std::memory_order_release);
  const Instant since = replica.received < machine_.sealed() ? sealed_at(replica.received) : now;
  // What it lacks has left the ring: it goes on lagging since when it began to.
  if (since != kNever) counters.lag_since.store(since, std::memory_order_release);
}

bool PrimaryStream::park_if_idle(Instant now) {
  const Position end = machine_.sealed();
  if (end == 0 || ring_.claimed() != end) return false;
  if (log_ && log_->taken() != end) return false;
  bool wanted = false;
  for (std::uint32_t i = 0; i < machine_.replica_count(); ++i) {
    const core::ReplicaProgress& replica = machine_.replica(i);
    wanted = wanted || (replica.received < end &&
                        replica.state != core::ReplicaState::needs_full_copy);
  }
  // Whoever comes back to a quiet stream finds what it lacks, as long as there is memory for all.
  if (wanted && !arena_.under_pressure()) return false;
  if (machine_.reclaim(end, now, effects) != end || !ring_.park(end)) return false;
  frames_.pop_until(end);
  reclaimed_ = end;
  arena_.give_back(slice_);
  madvise(frame_memory_.data(), frame_memory_.size(), MADV_DONTNEED);
  ring_.reset_limit(end);
  return true;
}

void PrimaryStream::begin_close() {
  StreamState open = StreamState::open;
  state_.compare_exchange_strong(open, StreamState::closed);
  ring_.close();
  refusing_.store(true, std::memory_order_release);
  space_waiters_.wake_all();
  if (log_) log_->lift_limit();
}

void PrimaryStream::end(StreamState state) {
  // A fenced stream stays fenced when its primary closes.
  StreamState open = StreamState::open;
  state_.compare_exchange_strong(open, state);
  ring_.close();
  refusing_.store(true, std::memory_order_release);
  ended_.store(true, std::memory_order_release);
  for (std::uint32_t r = 0; r < rule_count(); ++r) rules_[r].waiters.wake_all();
  space_waiters_.wake_all();
}

}  // namespace quorate::shard
