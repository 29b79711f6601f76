#include "shard/primary_driver.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace quorate::shard {

namespace {

/// Frames sealed of one stream in one turn, so that one stream cannot keep the loop to itself.
constexpr std::uint32_t kFramesPerTurn = 8;
/// While every connection is busy, published records wait so long to become a larger frame.
constexpr std::int64_t kSealDelay_ns = 200 * kMicrosecond_ns;
/// A record that is claimed and not published is polled for: at once at first, then ever less.
constexpr std::int64_t kStuckSpin_ns = 20 * kMicrosecond_ns;
constexpr std::int64_t kStuckPoll_ns = kMillisecond_ns;
/// How often streams that hold ring pages are looked at, and when an unused ring is given back.
constexpr std::int64_t kHouse_ns = 100 * kMillisecond_ns;
constexpr std::int64_t kIdle_ns = kSecond_ns;
/// Goodbyes and cancelled operations have so long before connections are cut.
constexpr std::int64_t kLeave_ns = kSecond_ns;
constexpr std::uint32_t kStrangersMax = 128;

}  // namespace

PrimaryDriver::PrimaryDriver(PrimaryShared& shared, Shard& shard, std::uint32_t loop)
    : shared_(shared), shard_(shard), loop_(loop), sessions_(shard.reactor().random_seed() >> 1) {}

PrimaryDriver::~PrimaryDriver() {
  if (frame_memory_ != nullptr) munmap(frame_memory_, frame_memory_bytes_);
}

Status PrimaryDriver::make_streams() {
  const PrimaryOptions& options = shared_.options;
  const std::uint32_t count = (options.streams - loop_ + shared_.loops - 1) / shared_.loops;
  waiters_ = std::make_unique<ReleaseWaiters>(shard_, options.waiters_max, count);
  if (count == 0) return Done{};
  std::uint64_t budget = shard_.options().ring_budget_bytes;
  if (budget == 0) budget = std::max<std::uint64_t>(256u << 20, 4 * options.ring_bytes);
  auto arena = base::RingArena::create(budget, options.ring_bytes, count);
  if (!arena) return arena.error();
  arena_ = std::move(arena).value();

  PrimaryStreamConfig config;
  config.machine.epoch = shared_.epoch;
  config.machine.replicas = static_cast<std::uint32_t>(options.replicas.size());
  config.machine.protected_copies = options.protected_copies;
  config.machine.lag = options.lag.kind;
  config.machine.stall_limit_ns = options.lag.stall_limit.count() * kMillisecond_ns;
  config.machine.courtesy_ns = options.lag.courtesy.count() * kMillisecond_ns;
  config.ring_bytes = options.ring_bytes;
  config.max_record_bytes = options.max_record_bytes;
  config.max_batch_bytes = options.max_batch_bytes;
  config.frame_slots = core::frame_slots_for(options.ring_bytes);
  const std::size_t frame_bytes = PrimaryStream::frame_memory_bytes(config.frame_slots);
  frame_memory_bytes_ = frame_bytes * count;
  void* memory = mmap(nullptr, frame_memory_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Error(Errc::io, std::string("memory for frame headers: ") + std::strerror(errno), errno);
  }
  frame_memory_ = static_cast<std::byte*>(memory);
  for (std::uint32_t local = 0; local < count; ++local) {
    config.machine.stream = local * shared_.loops + loop_;
    config.local_index = local;
    const OpenedLog* opened = nullptr;
    if (!shared_.logs.empty()) {
      opened = &shared_.logs[config.machine.stream];
      config.machine.durable = true;
      config.machine.start = opened->found.start.end.position;
      config.machine.committed =
          std::min<Position>(opened->metadata.known_committed, config.machine.start);
      config.log = log_options(options.storage, shared_.frame_bytes_max);
      config.log_is_state = options.log_is_state;
    }
    auto ring = arena_->map(local);
    if (!ring) return ring.error();
    streams_.push_back(std::make_unique<PrimaryStream>(
        *this, shard_, *arena_, local, config, ring.value(),
        std::span<std::byte>(frame_memory_ + frame_bytes * local, frame_bytes), opened));
  }
  encoder_.reserve(count);
  acknowledgements.reserve(transport::kEntriesPerMessage);
  commits.reserve(transport::kEntriesPerMessage);
  active_.reserve(count);
  touched_.reserve(count);
  resident_.reserve(count);
  logging_.reserve(count);
  return Done{};
}

// Streams.

void PrimaryDriver::on_published(PrimaryStream& stream) {
  if (stream.active) return;
  stream.active = true;
  active_.push_back(&stream);
}

void PrimaryDriver::start_logs() {
  for (auto& stream : streams_) stream->start_log();
  house_at_ = shared_.options.directory.empty() ? kNever : shard_.now() + kHouse_ns;
}

void PrimaryDriver::on_log_progress(PrimaryStream& stream) {
  touch(stream);
  if (stream.logging || stream.log()->taken() == stream.machine().sealed()) return;
  stream.logging = true;
  logging_.push_back(&stream);
}

void PrimaryDriver::on_log_changed(PrimaryStream& stream) {
  touch(stream);
  StreamLog& log = *stream.log();
  const std::string name = "stream " + std::to_string(stream.id());
  if (log.failed()) {
    fence(stream, "its log has ended: " + log.error().text);
  } else if (log.lacks_space()) {
    shard_.trace(TraceLevel::warning, name + ": " + log.error().text + "; writes are refused");
  } else if (log.stalled()) {
    shard_.trace(TraceLevel::warning, name + ": the disk has not ended a write for 2 s");
  }
}

/// The disk works while the frames are on their way to the replicas. They were handed over first:
/// what they wait for takes longer.
void PrimaryDriver::write_logs() {
  std::erase_if(logging_, [](PrimaryStream* stream) {
    stream->logging = stream->write_log();
    return !stream->logging;
  });
}

void PrimaryDriver::touch(PrimaryStream& stream) {
  if (stream.touched) return;
  stream.touched = true;
  touched_.push_back(&stream);
}

void PrimaryDriver::touch(PrimaryStream& stream, std::uint32_t replica) {
  stream.changed_replicas |= 1ull << replica;
  touch(stream);
}

void PrimaryDriver::step(Instant now) {
  seal_at_ = kNever;
  for (PrimaryStream* stream : touched_) {
    reclaim(*stream, now);
    if (stream->crowded && !stream->frames().full()) {
      stream->crowded = false;
      on_published(*stream);
    }
  }
  for (PrimaryStream* stream : active_) seal(*stream, now);
  std::erase_if(active_, [&](PrimaryStream* stream) { return settle(*stream, now); });
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    PrimaryStream& stream = *touched_[i];
    perform(stream);
    if (!stream.effects.committed_advanced) continue;
    // Before the logs are written: one that is full may go on.
    if (stream.log() != nullptr) stream.log()->on_committed(stream.machine().committed());
    for (std::uint32_t r = 0; r < stream.machine().replica_count(); ++r) {
      PrimaryLink* link = by_replica_[r];
      if (link == nullptr || !link->admitted()) continue;
      if (stream.machine().replica(r).state != core::ReplicaState::streaming) continue;
      link->want_commit(stream.local_index(), stream.machine().awaits(Level::applied), now);
    }
  }
  if (phase_ != Phase::open) close_step(now);
}

void PrimaryDriver::seal(PrimaryStream& stream, Instant now) {
  if (!worth_sealing(stream, now)) return;
  const Position begin = stream.machine().sealed();
  if (!stream.seal(kFramesPerTurn, now)) return;
  stream.held_since = stream.stuck_since = kNever;
  after_seal(stream, begin);
  reclaim(stream, now);
}

void PrimaryDriver::reclaim(PrimaryStream& stream, Instant now) {
  // Patience with a replica ends without an event.
  house_at_ = std::min(house_at_, stream.reclaim(now));
}

/// Batching by occupancy: a free connection takes what there is; while all are busy, records gather
/// until they make a full frame, but not for long, because async writes wait for no connection.
bool PrimaryDriver::worth_sealing(PrimaryStream& stream, Instant now) {
  if (!stream.can_seal()) return false;
  bool busy = false;
  for (const auto& link : links_) {
    if (link->free()) return true;
    busy = busy || link->admitted();
  }
  if (!busy || stream.unsealed_bytes() >= shared_.options.max_batch_bytes) return true;
  if (stream.held_since == kNever) stream.held_since = now;
  return now - stream.held_since >= kSealDelay_ns;
}

void PrimaryDriver::after_seal(PrimaryStream& stream, Position begin) {
  for (std::uint32_t i = 0; i < stream.machine().replica_count(); ++i) {
    const core::ReplicaProgress& replica = stream.machine().replica(i);
    // Who had everything begins to lag with this frame.
    if (replica.received >= begin) stream.changed_replicas |= 1ull << i;
    if (replica.state == core::ReplicaState::streaming && by_replica_[i] != nullptr) {
      by_replica_[i]->want(stream.local_index());
    }
  }
  if (!stream.resident) {
    stream.resident = true;
    resident_.push_back(&stream);
    house_at_ = std::min(house_at_, shard_.now() + kHouse_ns);
  }
  if (stream.log() != nullptr) on_log_progress(stream);
  touch(stream);
}

/// True when the stream leaves the active list: whoever publishes next will tell the loop.
bool PrimaryDriver::settle(PrimaryStream& stream, Instant now) {
  stream.active = looks_on(stream, now);
  return !stream.active;
}

/// Whether the loop has to look at the stream again by itself; seal_at_ gets when.
bool PrimaryDriver::looks_on(PrimaryStream& stream, Instant now) {
  if (stream.state() == StreamState::fenced) return false;
  if (stream.frames().full()) {
    // Reclaiming brings it back.
    stream.crowded = true;
    return false;
  }
  if (stream.can_seal()) {
    const bool held = stream.held_since != kNever;
    seal_at_ = std::min(seal_at_, held ? stream.held_since + kSealDelay_ns : now);
    return true;
  }
  if (stream.unsealed_bytes() != 0) return awaits_claim(stream, now);
  stream.stuck_since = kNever;
  stream.queued.store(false, std::memory_order_seq_cst);
  // Claimed meanwhile: either this loop looks on, or the writer has told it through the list.
  return stream.unsealed_bytes() != 0 && !stream.queued.exchange(true);
}

/// Somebody holds a claim: true until that lasts too long.
bool PrimaryDriver::awaits_claim(PrimaryStream& stream, Instant now) {
  if (stream.stuck_since == kNever) stream.stuck_since = now;
  const std::int64_t age_ns = now - stream.stuck_since;
  const std::int64_t deadline_ns = shared_.options.claim_deadline.count() * kMillisecond_ns /
                                   (QUORATE_MUTANT(fenced_early) ? 50 : 1);
  if (age_ns >= deadline_ns && !QUORATE_MUTANT(never_fenced)) {
    fence(stream, "a claim stayed unpublished beyond claim_deadline");
    return false;
  }
  const std::int64_t pause_ns = age_ns < kStuckSpin_ns ? 0 : std::min(age_ns, kStuckPoll_ns);
  seal_at_ = std::min(seal_at_, now + pause_ns);
  return true;
}

void PrimaryDriver::fence(PrimaryStream& stream, const std::string& why) {
  shard_.trace(TraceLevel::error, "stream " + std::to_string(stream.id()) + ": " + why +
                                      "; its epoch is given up");
  stream.end(StreamState::fenced);
  touch(stream);
}

void PrimaryDriver::perform(PrimaryStream& stream) {
  core::PrimaryEffects& effects = stream.effects;
  for (std::uint32_t i = 0; i < stream.machine().replica_count(); ++i) {
    const std::uint64_t bit = 1ull << i;
    if (((effects.park | effects.dropped | effects.lost) & bit) == 0) continue;
    stream.changed_replicas |= bit;
    PrimaryLink* link = by_replica_[i];
    if ((effects.park & bit) && link != nullptr) link->park();
    if (effects.dropped & bit) {
      Counters::add(counters.replicas_dropped);
      shard_.trace(TraceLevel::warning, "stream " + std::to_string(stream.id()) + ": replica " +
                                            shared_.options.replicas[i] +
                                            " made no progress and holds nobody any more");
    }
    if (effects.lost & bit) {
      shard_.trace(TraceLevel::warning, "stream " + std::to_string(stream.id()) + ": replica " +
                                            shared_.options.replicas[i] + " needs a full copy");
      if (link != nullptr && link->admitted()) link->tell_lost(stream.id(), stream.reclaimed());
    }
  }
  effects.park = effects.dropped = effects.lost = 0;
}

void PrimaryDriver::send(Instant now) {
  for (auto& link : links_) link->send(now);
  write_logs();
}

void PrimaryDriver::publish(Instant now) {
  // What was released when its callback was registered is due without any change.
  if (touched_.empty()) return waiters_->run();
  std::uint64_t frames = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  for (PrimaryStream* stream : touched_) {
    stream->touched = false;
    stream->publish_effects(now);
    waiters_->collect(*stream, stream->local_index());
    stream->effects.clear();
    frames += std::exchange(stream->frames_sealed, 0);
    records += std::exchange(stream->records_sealed, 0);
    bytes += std::exchange(stream->bytes_sealed, 0);
  }
  touched_.clear();
  Counters::add(counters.frames_sealed, frames);
  Counters::add(counters.records_sealed, records);
  Counters::add(counters.bytes_sealed, bytes);
  waiters_->run();
}

// Connections.

void PrimaryDriver::add_link(reactor::Socket socket, std::span<const std::byte> read_ahead) {
  if (phase_ == Phase::leaving || phase_ == Phase::closed) return shard_.reactor().close(socket);
  links_.push_back(std::make_unique<PrimaryLink>(*this, socket, read_ahead, shard_.now()));
  if (QUORATE_MUTANT(connection_kept)) static_cast<void>(::operator new(64u << 10));
  if (read_ahead.empty()) Counters::add(counters.connections_accepted);
  PrimaryLink& link = *links_.back();
  link.start();
  if (phase_ != Phase::open) link.refuse(core::GoodbyeReason::closing, "the primary closes");
  if (strangers() > kStrangersMax) drop_oldest_stranger();
}

/// The oldest has had the most time to say hello; newcomers may be replicas.
void PrimaryDriver::drop_oldest_stranger() {
  for (auto& link : links_) {
    if (link->greeted() || link->closing()) continue;
    return link->refuse(core::GoodbyeReason::busy, "too many connections have not said hello");
  }
}

std::uint32_t PrimaryDriver::strangers() const noexcept {
  return static_cast<std::uint32_t>(std::count_if(
      links_.begin(), links_.end(),
      [](const auto& link) { return !link->greeted() && !link->closing() && !link->gone(); }));
}

std::uint32_t PrimaryDriver::clients() const noexcept {
  return static_cast<std::uint32_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->client(); }));
}

std::uint32_t PrimaryDriver::catch_ups() const noexcept {
  return static_cast<std::uint32_t>(std::count_if(
      links_.begin(), links_.end(), [](const auto& link) { return link->catch_up() != nullptr; }));
}

void PrimaryDriver::on_admitted(PrimaryLink& link) {
  PrimaryLink*& current = by_replica_[link.replica()];
  const std::string& name = shared_.options.replicas[link.replica()];
  if (current != nullptr) {
    // Its operations still read the rings; the newer connection comes back in a moment.
    current->refuse(core::GoodbyeReason::replaced,
                    "another process of the name " + name + " connected");
    link.refuse(core::GoodbyeReason::busy,
                "an older connection of replica " + name + " is being closed; try again");
    return;
  }
  current = &link;
  shard_.trace(TraceLevel::info, "replica " + name + " connected");
}

void PrimaryDriver::on_link_closed(PrimaryLink& link, const std::string& why) {
  links_gone_ = true;
  if (by_replica_[link.replica()] != &link) return;
  by_replica_[link.replica()] = nullptr;
  shard_.trace(phase_ == Phase::open ? TraceLevel::warning : TraceLevel::info,
               "replica " + shared_.options.replicas[link.replica()] + " disconnected: " + why);
  for (auto& stream : streams_) {
    stream->machine().on_detached(link.replica());
    if (stream->snapshots() != nullptr) stream->snapshots()->note_waiting(link.replica(), false);
    touch(*stream, link.replica());
  }
}

void PrimaryDriver::bury_links() {
  if (!links_gone_ && !links_linger_) return;
  links_gone_ = false;
  std::erase_if(links_, [](const auto& link) { return link->gone(); });
  links_linger_ = std::any_of(links_.begin(), links_.end(),
                              [](const auto& link) { return link->lingers(); });
}

// Time.

void PrimaryDriver::expire(Instant now) {
  bury_links();
  // A link may close while it expires; it is buried in the next turn.
  for (std::size_t i = 0; i < links_.size(); ++i) links_[i]->expire(now);
  if (now >= house_at_) keep_house(now);
}

/// Stall limits end without an event, and rings fall idle without one.
void PrimaryDriver::keep_house(Instant now) {
  std::erase_if(resident_, [&](PrimaryStream* stream) {
    touch(*stream);
    const bool idle = now - stream->used_at >= kIdle_ns && stream->park_if_idle(now);
    if (idle) stream->resident = false;
    return idle;
  });
  bool logs = false;
  for (auto& stream : streams_) {
    if (stream->log() == nullptr) break;
    logs = true;
    stream->keep_log(now);
  }
  house_at_ = resident_.empty() && !logs ? kNever : now + kHouse_ns;
}

Instant PrimaryDriver::next_deadline(Instant now) const {
  if (links_gone_ || !touched_.empty()) return now;
  Instant next = std::min({seal_at_, house_at_, phase_ends_});
  for (const auto& link : links_) next = std::min(next, link->next_deadline());
  return next;
}

// Closing.

void PrimaryDriver::begin_close(Instant until) {
  if (phase_ != Phase::open) return;
  phase_ = Phase::draining;
  phase_ends_ = until;
  for (auto& stream : streams_) stream->begin_close();
}

/// Everything published is sealed and where it can go, and nobody waits for more.
bool PrimaryDriver::drained() const noexcept {
  if (!waiters_->empty()) return false;
  for (const auto& stream : streams_) {
    if (stream->state() == StreamState::fenced) continue;
    if (stream->ring().claimed() != stream->machine().sealed()) return false;
    if (stream->log() != nullptr && stream->machine().durable() < stream->machine().sealed()) {
      return false;
    }
    for (std::uint32_t r = 0; r < stream->rule_count(); ++r) {
      if (stream->rule(r).sleepers.load() != 0) return false;
    }
    for (std::uint32_t i = 0; i < stream->machine().replica_count(); ++i) {
      const core::ReplicaProgress& replica = stream->machine().replica(i);
      if (replica.state == core::ReplicaState::streaming &&
          replica.received < stream->machine().sealed()) {
        return false;
      }
    }
  }
  return true;
}

void PrimaryDriver::close_step(Instant now) {
  if (phase_ == Phase::draining && (drained() || now >= phase_ends_)) leave(now);
  if (phase_ != Phase::leaving) return;
  if (now >= phase_ends_) {
    phase_ends_ = kNever;
    for (auto& link : links_) link->shut_down("the primary closes");
  }
  bool done = std::all_of(links_.begin(), links_.end(),
                          [](const auto& link) { return link->gone(); });
  for (auto& stream : streams_) {
    if (stream->log() == nullptr) break;
    done = done && stream->log()->closed() && stream->log()->idle();
    done = done && stream->snapshots()->idle();
  }
  if (done) finish_close();
}

void PrimaryDriver::leave(Instant now) {
  phase_ = Phase::leaving;
  phase_ends_ = now + kLeave_ns;
  // What was sealed in this turn is taken before the logs are closed.
  write_logs();
  for (auto& link : links_) link->say_goodbye(now);
  for (auto& stream : streams_) {
    if (stream->log() == nullptr) break;
    stream->snapshots()->stop();
    stream->log()->close();
  }
}

void PrimaryDriver::finish_close() {
  phase_ = Phase::closed;
  phase_ends_ = kNever;
  for (auto& stream : streams_) {
    stream->end(StreamState::closed);
    touch(*stream);
  }
  // The waiters are resolved before anybody is told that the primary is closed.
  publish(shard_.now());
  waiters_->close();
  waiters_->run();
  closed_.store(true, std::memory_order_release);
  closed_.notify_all();
}

}  // namespace quorate::shard
