#include "shard/snapshot_shelf.h"

#include <utility>

#include "shard/shard.h"
#include "shard/stream_log.h"

namespace quorate::shard {

namespace {

constexpr const char* kTooOld = "the log does not reach back to it any more";

}  // namespace

void SnapshotShelf::offer(std::string path, Position position) {
  if (stopped_) return;
  next_ = Request{std::move(path), position};
  keep_house();
}

void SnapshotShelf::begin(std::string path, Position position) {
  made_ = false;
  making_ = std::make_unique<SnapshotOffer>(shard_.reactor(), log_, stream_,
                                            [this](Made made) { on_made(std::move(made)); });
  making_->start(std::move(path), position);
}

/// What it was made by is still inside its completion, and goes later.
void SnapshotShelf::on_made(Made made) {
  made_ = true;
  if (!made) return fail(made.error().text);
  ready_ = std::move(made).value();
  if (!reaches(ready_)) return drop(ready_->head().id, kTooOld);
  error_.clear();
  publish();
  shard_.trace(TraceLevel::info, "stream " + std::to_string(stream_) + ": a snapshot of " +
                                     std::to_string(ready_->head().bytes) +
                                     " bytes is ready, as of position " +
                                     std::to_string(ready_->head().program));
}

void SnapshotShelf::on_begin_found(Made made) {
  found_ = true;
  if (!made) return fail(made.error().text);
  log_begin_ = std::move(made).value();
}

bool SnapshotShelf::reaches(const std::shared_ptr<const OpenSnapshot>& snapshot) const noexcept {
  return snapshot && snapshot->head().position >= log_.first();
}

std::shared_ptr<const OpenSnapshot> SnapshotShelf::serving() const {
  if (reaches(ready_)) return ready_;
  return reaches(log_begin_) ? log_begin_ : nullptr;
}

void SnapshotShelf::drop(std::uint64_t id, const std::string& why) {
  if (!ready_ || ready_->head().id != id) return;
  ready_.reset();
  fail(why);
}

void SnapshotShelf::fail(const std::string& why) {
  error_ = why;
  shard_.trace(TraceLevel::warning,
               "stream " + std::to_string(stream_) + ": the snapshot cannot be offered: " + why);
  publish();
}

void SnapshotShelf::note_waiting(std::uint32_t replica, bool waits) {
  const std::uint64_t bit = 1ull << replica;
  if (((waiting_ & bit) != 0) == waits) return;
  waiting_ ^= bit;
  publish();
}

void SnapshotShelf::keep_house() {
  if (ready_ && !reaches(ready_)) {
    drop(ready_->head().id, kTooOld);
  }
  if (making_ && !made_) making_->look();
  if (finding_ && !found_) finding_->look();
  if (made_ && making_ && making_->idle()) making_.reset();
  if (found_ && finding_ && finding_->idle()) finding_.reset();
  if (stopped_) return;
  if (next_ && !making_) {
    Request request = *std::exchange(next_, std::nullopt);
    begin(std::move(request.path), request.position);
  }
  if (!log_is_state_ || finding_ || log_.first() == 0 || reaches(log_begin_)) return;
  found_ = false;
  finding_ = std::make_unique<SnapshotOffer>(
      shard_.reactor(), log_, stream_, [this](Made made) { on_begin_found(std::move(made)); });
  finding_->start_at_begin_of_log();
}

void SnapshotShelf::stop() noexcept {
  stopped_ = true;
  next_.reset();
  if (making_) making_->stop();
  if (finding_) finding_->stop();
}

bool SnapshotShelf::idle() const noexcept {
  return (!making_ || making_->idle()) && (!finding_ || finding_->idle());
}

void SnapshotShelf::publish() {
  std::lock_guard lock(mutex_);
  told_.snapshot_position = ready_ ? ready_->head().program : 0;
  told_.snapshot_bytes = ready_ ? ready_->head().bytes : 0;
  told_.snapshot_wanted = waiting_ != 0;
  told_.snapshot_error = error_;
}

void SnapshotShelf::describe(StreamStatus& status) const {
  std::lock_guard lock(mutex_);
  status.snapshot_position = told_.snapshot_position;
  status.snapshot_bytes = told_.snapshot_bytes;
  status.snapshot_wanted = told_.snapshot_wanted;
  status.snapshot_error = told_.snapshot_error;
}

}  // namespace quorate::shard
