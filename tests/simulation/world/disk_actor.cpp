#include "tests/simulation/world/disk_actor.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace quorate::simulation {

namespace {

using reactor::File;
using reactor::OpenMode;
using reactor::Operation;

constexpr std::size_t kUnitBytes = sizeof(LedgerUnit);
const std::string kDirectory = "/ledger";
const std::string kNext = "/ledger/next";
const std::string kPrefix = "ledger-";

}  // namespace

DiskActor::DiskActor(reactor::Reactor& reactor, DiskOracle& oracle, Draw draw)
    : files_(reactor.files()), oracle_(oracle), draw_(draw) {
  control_.owner = sync_.owner = this;
  control_.complete = [](Operation& operation, std::int32_t result) {
    static_cast<DiskActor*>(operation.owner)->on_step(result);
  };
  sync_.complete = [](Operation& operation, std::int32_t result) {
    static_cast<DiskActor*>(operation.owner)->on_sync(result);
  };
  for (Write& write : writes_) {
    write.actor = this;
    write.operation.owner = &write;
    write.operation.complete = [](Operation& operation, std::int32_t result) {
      Write& done = *static_cast<Write*>(operation.owner);
      done.actor->on_write(done, result);
    };
  }
}

std::string DiskActor::path_of(std::uint64_t generation) {
  return kDirectory + "/" + kPrefix + std::to_string(generation);
}

void DiskActor::start() {
  running_ = true;
  if (step_ != Step::none) return;
  if (live_) {
    pump();
  } else {
    begin_again();
  }
}

bool DiskActor::idle() const noexcept {
  return step_ == Step::none && !syncing_ && !any(State::writing) &&
         (!running_ || !any(State::written));
}

void DiskActor::close(File& file) noexcept {
  if (file.valid()) files_.close(file);
  file = File{};
}

void DiskActor::begin_again() {
  step_ = Step::none;
  if (running_) next(directory_.valid() ? Step::create : Step::open_root);
}

void DiskActor::next(Step step) {
  step_ = step;
  switch (step) {
    case Step::none: break;
    case Step::open_root: files_.open(control_, "/", OpenMode::directory, false); break;
    case Step::sync_root:
      // If it cannot be made, opening it tells.
      static_cast<void>(files_.make_directory(kDirectory));
      files_.sync(control_, root_);
      break;
    case Step::open_directory:
      files_.open(control_, kDirectory.c_str(), OpenMode::directory, false);
      break;
    case Step::create:
      generation_ = oracle_.begin_ledger();
      files_.open(control_, kNext.c_str(), OpenMode::create, draw_.chance(500));
      break;
    case Step::clear: files_.remove(control_, kNext.c_str()); break;
    case Step::preallocate: files_.preallocate(control_, file_, 0, kUnits * kUnitBytes); break;
    case Step::sync_file: files_.sync(control_, file_); break;
    case Step::rename:
      new_path_ = path_of(generation_);
      files_.rename(control_, kNext.c_str(), new_path_.c_str());
      break;
    case Step::remove_oldest:
      oracle_.retire(kept_.front());
      path_ = path_of(kept_.front());
      files_.remove(control_, path_.c_str());
      break;
    case Step::sync_directory:
    case Step::sync_removal: files_.sync(control_, directory_); break;
    case Step::open_found:
      path_ = path_of(kept_[found_]);
      files_.open(control_, path_.c_str(), OpenMode::read, draw_.chance(500));
      break;
    case Step::read_found: read_found(); break;
  }
}

void DiskActor::on_step(std::int32_t result) {
  if (recovering_) return on_found(result);
  if (step_ == Step::open_found || step_ == Step::read_found) return begin_again();
  // A removal is over whichever way it ends: what is still there is tried again later.
  if (result >= 0 || step_ == Step::remove_oldest || step_ == Step::sync_removal) {
    step_done(result);
  } else {
    step_failed(result);
  }
}

void DiskActor::step_done(std::int32_t result) {
  Step then = Step::none;
  switch (step_) {
    case Step::open_root: root_ = File{result}, then = Step::sync_root; break;
    case Step::sync_root: close(root_), then = Step::open_directory; break;
    case Step::open_directory: directory_ = File{result}, then = Step::create; break;
    case Step::clear: then = Step::create; break;
    case Step::create: file_ = File{result}, then = Step::preallocate; break;
    case Step::preallocate: then = Step::sync_file; break;
    case Step::sync_file: then = Step::rename; break;
    case Step::rename:
      // From here on it takes space and has to go some day, also if it never takes a unit.
      kept_.push_back(generation_);
      then = Step::sync_directory;
      break;
    case Step::sync_directory: return live();
    case Step::remove_oldest:
      if (result == 0 || result == -ENOENT) kept_.erase(kept_.begin());
      then = Step::sync_removal;
      break;
    case Step::sync_removal:
      if (kept_.size() > kKept) then = Step::remove_oldest;
      break;
    default: break;
  }
  step_ = Step::none;
  if (!running_ && !live_) close(file_);
  if (!running_) return;
  if (then != Step::none) return next(then);
  if (!live_) begin_again();
}

void DiskActor::step_failed(std::int32_t result) {
  const Step failed = step_;
  close(file_);
  close(root_);
  step_ = Step::none;
  if (!running_) return;
  if (failed == Step::create && result == -EEXIST) return next(Step::clear);
  if (result == -ENOSPC && !kept_.empty()) return next(Step::remove_oldest);
  begin_again();
}

void DiskActor::live() {
  live_ = true;
  broken_ = false;
  next_sequence_ = 0;
  step_ = Step::none;
  if (!running_) return;
  if (kept_.size() > kKept) next(Step::remove_oldest);
  pump();
}

bool DiskActor::any(State state) const noexcept {
  return std::any_of(writes_.begin(), writes_.end(),
                     [&](const Write& write) { return write.state == state; });
}

void DiskActor::pump() {
  if (!live_ || !running_) return;
  for (Write& write : writes_) {
    if (broken_ || write.state != State::free || next_sequence_ == kUnits) continue;
    write.unit = LedgerUnit::make(generation_, next_sequence_++);
    write.durable = draw_.chance(500);
    write.done = 0;
    write.damage = oracle_.damage();
    write.state = State::writing;
    write_rest(write);
  }
  if (!broken_ && !syncing_ && any(State::written)) start_sync();
  const bool over = broken_ || next_sequence_ == kUnits;
  if (over && !syncing_ && !any(State::writing) && (broken_ || !any(State::written))) end_ledger();
}

void DiskActor::write_rest(Write& write) {
  write.vector.iov_base = reinterpret_cast<std::byte*>(&write.unit) + write.done;
  write.vector.iov_len = kUnitBytes - write.done;
  files_.write(write.operation, file_, {&write.vector, 1},
               write.unit.sequence * kUnitBytes + write.done, write.durable);
}

void DiskActor::on_write(Write& write, std::int32_t result) {
  if (result > 0) write.done += static_cast<std::size_t>(result);
  if (result <= 0) broken_ = true;
  if (!broken_ && write.done < kUnitBytes && running_) return write_rest(write);
  write.state = State::free;
  if (!broken_ && write.done == kUnitBytes) {
    if (write.durable) oracle_.acknowledge(generation_, write.unit.sequence, write.damage);
    if (!write.durable) write.state = State::written;
  }
  pump();
}

void DiskActor::start_sync() {
  for (Write& write : writes_) {
    if (write.state == State::written) write.state = State::covered;
  }
  syncing_ = true;
  files_.sync(sync_, file_);
}

void DiskActor::on_sync(std::int32_t result) {
  syncing_ = false;
  broken_ = broken_ || result < 0;
  for (Write& write : writes_) {
    if (write.state != State::covered) continue;
    write.state = State::free;
    if (!broken_) oracle_.acknowledge(generation_, write.unit.sequence, write.damage);
  }
  pump();
}

void DiskActor::end_ledger() {
  for (Write& write : writes_) write.state = State::free;
  close(file_);
  live_ = false;
  if (step_ == Step::none) begin_again();
}

void DiskActor::recover() {
  const auto names = files_.list(kDirectory);
  // A disk that does not answer is no loss; one that has no such directory may be.
  if (!names && names.error().system_errno != ENOENT) return;
  kept_.clear();
  for (const std::string& name : names ? *names : std::vector<std::string>{}) {
    if (!name.starts_with(kPrefix)) continue;
    kept_.push_back(std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10));
  }
  std::sort(kept_.begin(), kept_.end());
  oracle_.judge_files(kept_);
  recovering_ = true;
  found_ = 0;
  tries_ = 0;
  next_found();
}

void DiskActor::next_found() {
  if (found_ < kept_.size()) return next(Step::open_found);
  recovering_ = false;
  begin_again();
}

void DiskActor::read_found() {
  Write& unit = writes_[0];
  unit.vector.iov_base = reinterpret_cast<std::byte*>(&unit.unit) + unit.done;
  unit.vector.iov_len = kUnitBytes - unit.done;
  files_.read(control_, file_, {&unit.vector, 1}, next_sequence_ * kUnitBytes + unit.done);
}

void DiskActor::on_found(std::int32_t result) {
  Write& unit = writes_[0];
  const bool opened = step_ == Step::open_found;
  if (result < 0 && ++tries_ < kTries) return next(step_);
  if (result < 0 && opened) {
    ++found_, tries_ = 0;
    return next_found();
  }
  if (opened) file_ = File{result}, next_sequence_ = 0;
  if (!opened && result > 0) unit.done += static_cast<std::size_t>(result);
  const bool whole = unit.done == kUnitBytes || result == 0;
  if (!opened && result > 0 && !whole) return next(Step::read_found);
  // What cannot be read is not known to be lost.
  if (!opened && result >= 0) oracle_.judge(kept_[found_], next_sequence_, unit.unit);
  if (!opened) ++next_sequence_;
  tries_ = 0;
  unit.done = 0;
  unit.unit = LedgerUnit{};
  if (next_sequence_ < kUnits) return next(Step::read_found);
  close(file_);
  ++found_;
  next_found();
}

}  // namespace quorate::simulation
