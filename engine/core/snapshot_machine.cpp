#include "core/snapshot_machine.h"

#include <algorithm>

namespace quorate::core {

bool SnapshotMachine::on_begin(const SnapshotHead& head, Position expected,
                               Position held) noexcept {
  if (step_ != Step::idle || head.stream != stream_ || head.id == 0) return false;
  if (head.position != expected || head.position <= held) return false;
  // Every frame is of an epoch; without one, what is held could not be claimed.
  if (head.epoch == Epoch() || head.program < head.position) return false;
  if (!head.has_file && (head.bytes != 0 || head.crc != 0)) return false;
  head_ = head;
  if (!held_ || held_->head != head) {
    held_.reset();
    step_ = Step::prepare;
  } else if (held_->whole) {
    received_ = head.bytes;
    step_ = Step::done;
  } else {
    receive_from(std::min(held_->bytes, head.bytes));
  }
  return true;
}

void SnapshotMachine::receive_from(std::uint64_t offset) noexcept {
  received_ = offset;
  step_ = received_ < head_.bytes ? Step::receive : Step::check;
}

void SnapshotMachine::on_prepared() noexcept {
  if (step_ != Step::prepare) return;
  held_ = HeldSnapshot{head_, 0, !head_.has_file};
  receive_from(0);
  if (!head_.has_file) step_ = Step::done;
}

bool SnapshotMachine::on_chunk(std::uint64_t id, std::uint64_t offset,
                               std::uint64_t bytes) noexcept {
  if (step_ != Step::receive || id != head_.id || offset != received_ || bytes == 0) return false;
  if (bytes > head_.bytes - received_) return false;
  received_ += bytes;
  return true;
}

void SnapshotMachine::on_written(std::uint64_t bytes) noexcept {
  if (step_ != Step::receive) return;
  held_->bytes = std::max(held_->bytes, std::min(bytes, received_));
  if (held_->bytes == head_.bytes) step_ = Step::check;
}

bool SnapshotMachine::on_checked(std::uint32_t crc) noexcept {
  if (step_ != Step::check) return false;
  if (crc == head_.crc) {
    held_->whole = true;
    step_ = Step::done;
    return true;
  }
  on_failed();
  return false;
}

void SnapshotMachine::on_failed() noexcept {
  held_.reset();
  step_ = Step::idle;
}

void SnapshotMachine::on_used() noexcept {
  held_.reset();
  step_ = Step::idle;
}

void SnapshotMachine::on_ended() noexcept { step_ = Step::idle; }

}  // namespace quorate::core
