#include "shard/replica_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/mutant.h"
#include "shard/replica_link.h"
#include "transport/codec.h"
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
                             const ReplicaRings& rings, base::ReadyList& to_apply,
                             const OpenedLog* opened, bool confirmed)
    : machine_(config),
      waiting_(opened != nullptr ? config.frames_max : 0),
      shard_(shard),
      arena_(arena),
      slice_(slice),
      ring_(rings.received.data()),
      shown_(opened != nullptr ? rings.shown.data() : ring_),
      to_apply_(to_apply),
      confirmed_(confirmed) {
  apply_node_.stream = this;
  cursor_ = config.applied;
  read_.store(cursor_);
  applied_.store(cursor_);
  if (opened == nullptr) return;
  const log::LogOptions options = log_options(opened->storage, config.ring_bytes / 4);
  log_ = std::make_unique<StreamLog>(shard.reactor(), *opened, options, *this);
  if (config.takes_snapshots) {
    receiver_ = std::make_unique<SnapshotReceiver>(shard.reactor(), opened->directory,
                                                   config.stream, opened->snapshots);
  }
  feed_ = std::make_unique<ProgramFeed>(
      *log_, ProgramFeed::Rings{ring_, rings.shown.data(), config.ring_bytes}, config.applied,
      config.start, [this] {
        if (link != nullptr) link->on_log_progress(*this);
      });
  exposed_.store(config.applied);
  const auto& base = opened->snapshots.base;
  if (base && config.applied < base->program) ask_to_install(*base);
}

void ReplicaStream::start_log() {
  if (log_ && !std::exchange(log_started_, true)) log_->start();
}

void ReplicaStream::cut(Position position) {
  cut_at_ = position;
  link->on_log_progress(*this);
}

void ReplicaStream::begin_anew(const core::SnapshotHead& head) {
  anew_ = head;
  link->on_log_progress(*this);
}

void ReplicaStream::on_log_cut(const log::LogEnd& end) {
  if (anew_) {
    const core::SnapshotHead head = *std::exchange(anew_, std::nullopt);
    machine_.on_begun_anew(end.position, end.epoch, end.frame_checksum);
    receiver_->on_begun_anew(head);
    // The ring holds nothing that follows.
    feed_->begin_anew(std::max(head.program, machine_.read()), end.position);
    if (machine_.read() < head.program) ask_to_install(head);
  } else {
    machine_.on_truncated(end.position, end.epoch, end.frame_checksum);
  }
  cut_at_.reset();
  if (link != nullptr) link->on_log_cut(*this);
}

void ReplicaStream::on_frame(const wire::FrameHeader& header,
                             std::span<const std::byte> prologue) {
  receiving = false;
  machine_.on_frame(transport::frame_info(header));
  if (!log_) return;
  feed_->on_received(header.begin, header.end);
  std::copy(prologue.begin(), prologue.end(), waiting_.push().begin());
}

/// The applying thread may be among records before it; it sees none behind it before it is
/// installed.
void ReplicaStream::ask_to_install(const core::SnapshotHead& head) {
  installing_ = true;
  install_told_ = false;
  install_from_ = head.position;
  feed_->hold(head.program);
  to_install_ = {head.stream, head.program, receiver_->path(), head.bytes};
  install_pending_.store(true, std::memory_order_seq_cst);
}

void ReplicaStream::on_installed() {
  installing_ = false;
  machine_.on_installed(to_install_.position);
  feed_->go_on();
}

Status ReplicaStream::install(const Install& function) {
  if (!install_pending_.load(std::memory_order_seq_cst)) return Done{};
  if (auto installed = function(to_install_); !installed) {
    to_apply_.push(apply_node_);
    return installed;
  }
  cursor_ = to_install_.position;
  read_.store(cursor_, std::memory_order_seq_cst);
  Position applied = applied_.load(std::memory_order_relaxed);
  while (applied < cursor_ && !applied_.compare_exchange_weak(applied, cursor_)) {
  }
  install_pending_.store(false, std::memory_order_release);
  shard_.notify(*this);
  return Done{};
}

Position ReplicaStream::log_needed_from() const noexcept {
  return installing_ ? install_from_ : machine_.applied();
}

/// What the program has not read it is shown out of the log.
Position ReplicaStream::log_firm_from() const noexcept {
  return QUORATE_MUTANT(holds_ignored) ? log::kNoHold : machine_.read();
}

bool ReplicaStream::store() {
  if (anew_) {
    waiting_.clear();
    if (!log_->cutting()) log_->begin_anew({anew_->position, 0, anew_->epoch, anew_->checksum});
  }
  while (!waiting_.empty()) {
    const Head& head = waiting_.front();
    wire::FrameHeader header;
    std::memcpy(&header, head.data(), sizeof header);
    if (cut_at_ && header.end > *cut_at_) {
      waiting_.clear();
      break;
    }
    const std::byte* records = ring_ + (header.begin & (machine_.config().ring_bytes - 1));
    const std::span<const std::byte> pieces[] = {head, {records, header.end - header.begin}};
    if (!log_->append(header, pieces)) break;
    machine_.on_stored(header.end);
    waiting_.pop();
  }
  if (cut_at_ && waiting_.empty() && !log_->cutting()) log_->cut(*cut_at_);
  log_->flush();
  feed();
  return !waiting_.empty() || cut_at_.has_value() || anew_.has_value();
}

void ReplicaStream::feed() {
  if (feed_->feed(machine_.exposed(), machine_.received(), machine_.read())) link->touch(*this);
  machine_.on_fed({feed_->shown(), feed_->copied(), feed_->floor(), feed_->full()});
  if (feed_->failure().empty() || std::exchange(feed_failed_, true)) return;
  link->on_feed_failed(*this, feed_->failure());
}

bool ReplicaStream::close_log() {
  if (!log_) return true;
  if (log_started_) log_->lift_limit();
  // What the disk has no room for is received again in another life.
  if (log_started_ && !log_->failed() && !log_->lacks_space() && store()) return false;
  feed_->stop();
  if (log_started_) log_->close();
  if (receiver_ && !receiver_->idle()) return false;
  return !log_started_ || (log_->closed() && log_->idle() && feed_->idle());
}

void ReplicaStream::on_log_durable(Position durable) {
  machine_.on_durable(durable);
  if (link != nullptr) link->on_log_progress(*this);
}

void ReplicaStream::on_log_changed() {
  if (link != nullptr) link->on_log_changed(*this);
}

void ReplicaStream::on_log_trouble(const Error& error) {
  shard_.trace(TraceLevel::warning,
               "stream " + std::to_string(machine_.config().stream) + ": " + error.text);
}

std::size_t ReplicaStream::apply(const Apply& function, std::size_t records_max,
                                 const std::atomic<bool>& stop) {
  const Position exposed = exposed_.load(std::memory_order_seq_cst);
  const std::uint64_t mask = machine_.config().ring_bytes - 1;
  const StreamId id = machine_.config().stream;
  std::size_t count = 0;
  Position told = cursor_;
  const auto tell = [&] {
    told = cursor_;
    read_.store(cursor_, std::memory_order_seq_cst);
    if (!confirmed_) {
      applied_.store(QUORATE_MUTANT(applied_told_early) ? exposed : cursor_,
                     std::memory_order_seq_cst);
    }
    shard_.notify(*this);
  };
  while (cursor_ < exposed && count < records_max && !stop.load(std::memory_order_relaxed)) {
    // The ring is mapped twice in a row, so a record that wraps is contiguous all the same.
    const std::byte* at = shown_ + (cursor_ & mask);
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

Status ReplicaStream::confirm(Position position) {
  if (position > read_.load(std::memory_order_acquire)) {
    return Error(Errc::invalid_option,
                 "confirm: found position " + std::to_string(position) +
                     ", allowed what apply has returned from, at most " +
                     std::to_string(read_.load(std::memory_order_acquire)));
  }
  Position applied = applied_.load(std::memory_order_relaxed);
  while (applied < position && !applied_.compare_exchange_weak(applied, position)) {
  }
  shard_.notify(*this);
  return Done{};
}

void ReplicaStream::on_ready() {
  queued.store(false, std::memory_order_seq_cst);
  if (installing_ && !install_pending_.load(std::memory_order_acquire)) on_installed();
  // Applied first: whoever confirms has seen what it confirms.
  const Position applied = applied_.load(std::memory_order_seq_cst);
  machine_.on_read(std::max(read_.load(std::memory_order_seq_cst), machine_.read()));
  machine_.on_applied(applied);
  if (link == nullptr) return;
  link->touch(*this);
  // There may be room for more that it is to see.
  if (log_) link->on_log_progress(*this);
}

bool ReplicaStream::publish() {
  received_.store(machine_.received(), std::memory_order_release);
  durable_.store(machine_.durable(), std::memory_order_release);
  if (log_) log_->on_committed(machine_.committed());
  epoch_number_.store(machine_.epoch().number, std::memory_order_relaxed);
  epoch_incarnation_.store(machine_.epoch().incarnation, std::memory_order_relaxed);
  needs_full_copy_.store(machine_.state() == core::ReplicaMachine::State::needs_full_copy,
                         std::memory_order_release);
  if (installing_) return !std::exchange(install_told_, true) && to_apply_.push(apply_node_);
  const Position exposed = log_ ? feed_->shown() : machine_.exposed();
  if (exposed == exposed_.load(std::memory_order_relaxed)) return false;
  exposed_.store(exposed, std::memory_order_seq_cst);
  return to_apply_.push(apply_node_);
}

std::byte* ReplicaStream::place(Position begin, Position end, Position committed,
                                Instant now) noexcept {
  if (feed_) {
    // What lies there now may become visible with this very frame's envelope.
    machine_.on_committed(committed);
    if (end > feed_->copied() + machine_.config().ring_bytes) feed();
    feed_->on_placed(end);
  }
  // The budget covers every ring, so this only counts.
  if (!resident_) resident_ = arena_.acquire();
  receiving = true;
  used_at = now;
  return ring_ + (begin & (machine_.config().ring_bytes - 1));
}

void ReplicaStream::keep_house(Instant now) {
  give_back_if_idle(now);
  if (!log_) return;
  log_->keep_house(now);
  tell_limit();
  const bool snapshot_is_at_rest = !installing_ && !anew_;
  if (receiver_ && snapshot_is_at_rest) receiver_->keep_house(log_->first(), machine_.matched());
  const Position shown = feed_->shown();
  if (shown == shown_at_house_ && feed_->copied() < machine_.received()) {
    machine_.on_nothing_shown();
    link->touch(*this);
  }
  shown_at_house_ = shown;
  // A reader that had to be waited for does not say that it has ended.
  if (shown < machine_.exposed() && link != nullptr) link->on_log_progress(*this);
}

/// For what is not committed it goes on: that is bounded by the primary, and what others wait for
/// may be this very acknowledgement. It waits for its own program only.
void ReplicaStream::tell_limit() {
  using log::LimitState;
  // The two enums are one list, told by two layers.
  retention_.store(static_cast<RetentionState>(log_->retention()), std::memory_order_relaxed);
  LimitState limit = log_->limit();
  // Told as one: it waits.
  if (limit == LimitState::beyond) limit = LimitState::last_segment;
  if (limit == LimitState::parting || limit == LimitState::lifted) return;
  if (std::exchange(limit_, limit) == limit) return;
  const std::string name = "stream " + std::to_string(machine_.config().stream);
  switch (limit) {
    case LimitState::within:
      return shard_.trace(TraceLevel::info, name + ": the log is within its hard limit again");
    case LimitState::gives_way:
      return shard_.trace(TraceLevel::warning, name + ": the log goes beyond its hard limit with "
                                                      "what is not committed");
    case LimitState::last_segment:
      return shard_.trace(TraceLevel::warning,
                          name + ": the log is at its hard limit with what the program has not "
                                 "read; until it has, no more is received than there is room for");
    case LimitState::beyond:
    case LimitState::parting:
    case LimitState::lifted: return;
  }
}

void ReplicaStream::give_back_if_idle(Instant now) {
  if (!resident_ || receiving || now - used_at < kIdle_ns) return;
  // With a log the program reads elsewhere.
  const Position used = log_ ? machine_.stored() : machine_.read();
  if (used != machine_.received() && !QUORATE_MUTANT(unread_pages_dropped)) return;
  if (log_ && feed_->shown() < machine_.exposed()) return;
  arena_.give_back(slice_);
  resident_ = false;
  if (feed_) feed_->on_emptied(machine_.received());
}

ReplicaStreamStatus ReplicaStream::status() const {
  return {machine_.config().stream,
          {epoch_number_.load(std::memory_order_relaxed),
           epoch_incarnation_.load(std::memory_order_relaxed)},
          received_.load(std::memory_order_acquire),
          durable_.load(std::memory_order_acquire),
          exposed_.load(std::memory_order_acquire),
          applied_.load(std::memory_order_acquire),
          retention_.load(std::memory_order_relaxed)};
}

}  // namespace quorate::shard
