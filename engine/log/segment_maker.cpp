#include "log/segment_maker.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "log/format.h"

namespace quorate::log {

namespace {

using reactor::File;
using reactor::OpenMode;

constexpr std::size_t kZeroBytes = 1u << 20;
constexpr std::string_view kPrefix = "segment-";
constexpr std::size_t kDigits = 16;

/// By Step.
constexpr std::array<std::string_view, 13> kStepNames = {
    "open",    "open",          "read",  "rename", "removal", "creation",
    "removal", "preallocation", "write", "sync",   "rename",  "sync",
    "removal"};

}  // namespace

std::string segment_path(const std::string& directory, std::uint64_t number) {
  char digits[kDigits + 1];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, number);
  return directory + "/" + std::string(kPrefix) + digits;
}

std::uint64_t segment_number(const std::string& name) {
  if (name.size() != kPrefix.size() + kDigits || name.compare(0, kPrefix.size(), kPrefix) != 0) {
    return 0;
  }
  const std::string digits = name.substr(kPrefix.size());
  if (digits.find_first_not_of("0123456789abcdef") != std::string::npos) return 0;
  return std::strtoull(digits.c_str(), nullptr, 16);
}

SegmentMaker::SegmentMaker(reactor::Files& files, std::string directory,
                           std::uint64_t segment_bytes, bool direct,
                           const LogIdentity& identity, Listener& listener)
    : files_(files),
      directory_(std::move(directory)),
      draft_(directory_ + "/segment.new"),
      segment_bytes_(segment_bytes),
      identity_(identity),
      listener_(listener),
      direct_(direct),
      zeros_(std::min<std::uint64_t>(kZeroBytes, segment_bytes)) {
  old_.reserve(kOldMax);
  bind<&SegmentMaker::on_step>(operation_, *this);
}

SegmentMaker::~SegmentMaker() {
  CHECK(!in_flight());
  if (file_.valid()) files_.close(file_);
  if (folder_.valid()) files_.close(folder_);
}

void SegmentMaker::make(std::uint64_t number) {
  CHECK(state_ == State::idle && !in_flight());
  if (stopping_) return;
  number_ = number;
  path_ = segment_path(directory_, number);
  state_ = State::working;
  allowed_ = 0;
  finishing_ = false;
  if (!folder_.valid()) return next(Step::open_directory);
  begin();
}

void SegmentMaker::begin() {
  if (old_.empty()) return next(Step::create);
  old_number_ = old_.front();
  old_.erase(old_.begin());
  old_path_ = segment_path(directory_, old_number_);
  next(Step::open_old);
}

bool SegmentMaker::offer(std::uint64_t number) {
  if (stopping_ || state_ == State::failed || old_.size() == kOldMax) return false;
  old_.push_back(number);
  if (std::exchange(waiting_, false)) leave_draft();
  try_again();
  return true;
}

void SegmentMaker::try_again() {
  if (state_ != State::no_space || stopping_) return;
  state_ = State::working;
  // Who waits for space does not write, so no zeros would be allowed, and must not wait for more.
  finishing_ = true;
  begin();
}

NamedFile SegmentMaker::take() {
  CHECK(state_ == State::made);
  state_ = State::idle;
  return {std::exchange(file_, File{}), path_, direct_};
}

void SegmentMaker::next(Step step) {
  step_ = step;
  switch (step) {
    case Step::open_directory:
      return files_.open(operation_, directory_.c_str(), OpenMode::directory, false);
    case Step::open_old:
      return files_.open(operation_, old_path_.c_str(), OpenMode::write, direct_);
    case Step::check_old:
      vector_ = {old_block_.data(), kBlockBytes};
      return files_.read(operation_, file_, {&vector_, 1}, 0);
    case Step::rename_old:
      return files_.rename(operation_, old_path_.c_str(), draft_.c_str());
    case Step::drop_old: return files_.remove(operation_, old_path_.c_str());
    case Step::create: return files_.open(operation_, draft_.c_str(), OpenMode::create, direct_);
    case Step::clear:
    case Step::give_up: return files_.remove(operation_, draft_.c_str());
    case Step::preallocate:
      zeroed_ = 0;
      return files_.preallocate(operation_, file_, 0, segment_bytes_);
    case Step::zero: return zero();
    case Step::sync: return files_.sync(operation_, file_);
    case Step::rename: return files_.rename(operation_, draft_.c_str(), path_.c_str());
    case Step::sync_directory: return files_.sync(operation_, folder_);
  }
}

void SegmentMaker::allow(std::uint64_t bytes) {
  allowed_ = std::max(allowed_, bytes);
  if (waiting_ && !stopping_ && allowed_ > zeroed_) next(Step::zero);
}

void SegmentMaker::finish() {
  finishing_ = true;
  if (std::exchange(waiting_, false) && !stopping_) next(Step::sync);
}

/// Not durably: one sync at the end is cheaper.
void SegmentMaker::zero() {
  if (finishing_) return next(Step::sync);
  waiting_ = allowed_ <= zeroed_;
  if (waiting_) return;
  vector_ = {zeros_.data(), std::min<std::uint64_t>(zeros_.size(), segment_bytes_ - zeroed_)};
  files_.write(operation_, file_, {&vector_, 1}, zeroed_, false);
}

void SegmentMaker::on_step(std::int32_t result) {
  if (stopping_) {
    // A file that was opened is closed by the destructor.
    const bool opened = step_ == Step::create || step_ == Step::open_old;
    if (opened && result >= 0) file_ = File{result};
    if (step_ == Step::open_directory && result >= 0) folder_ = File{result};
    return;
  }
  const bool nothing_written = step_ == Step::zero && result == 0;
  if (result >= 0 && !nothing_written) return on_done(result);
  on_refused(result);
}

void SegmentMaker::on_done(std::int32_t result) {
  switch (step_) {
    case Step::open_directory: folder_ = File{result}; return begin();
    case Step::open_old: file_ = File{result}; return next(Step::check_old);
    case Step::check_old:
      if (old_fits(result)) return next(Step::rename_old);
      files_.close(std::exchange(file_, File{}));
      return next(Step::drop_old);
    case Step::rename_old: return next(Step::rename);
    case Step::drop_old: return begin();
    case Step::create: file_ = File{result}; return next(Step::preallocate);
    case Step::clear: return next(Step::create);
    case Step::preallocate: return next(Step::zero);
    case Step::zero:
      // What a short write left inside a block is written again: direct access wants whole blocks.
      zeroed_ += static_cast<std::uint64_t>(result) / kBlockBytes * kBlockBytes;
      if (zeroed_ < segment_bytes_ && !old_.empty()) return leave_draft();
      return next(zeroed_ < segment_bytes_ ? Step::zero : Step::sync);
    case Step::sync: return next(Step::rename);
    case Step::rename:
      if (QUORATE_MUTANT(segment_unsynced)) {
        state_ = State::made;
        return listener_.on_segment_made();
      }
      return next(Step::sync_directory);
    case Step::sync_directory: state_ = State::made; return listener_.on_segment_made();
    case Step::give_up: return lack_space();
  }
}

/// Nothing of an old segment is trusted but its length and what its header says of it.
bool SegmentMaker::old_fits(std::int32_t result) const {
  SegmentHeader header;
  if (result != std::int32_t{kBlockBytes}) return false;
  const ConstBlock block(old_block_.data(), kBlockBytes);
  if (decode_segment_header(block, header) != Flaw::none) return false;
  // Asks an open file, so it does not wait for the disk.
  const Result<std::uint64_t> bytes = files_.size(file_);
  return bytes && *bytes == segment_bytes_ && header.segment_bytes == segment_bytes_ &&
         header.storage == identity_.storage && header.stream == identity_.stream &&
         header.number == old_number_;
}

/// What cannot be used again is no loss: it is removed if it can be, and one is made instead.
bool SegmentMaker::on_old_refused(std::int32_t result) {
  switch (step_) {
    case Step::open_old:
      if (result == -EINVAL && direct_) {
        direct_ = false;
        next(Step::open_old);
        return true;
      }
      next(result == -ENOENT ? Step::create : Step::drop_old);
      return true;
    case Step::check_old:
    case Step::rename_old:
      files_.close(std::exchange(file_, File{}));
      next(Step::drop_old);
      return true;
    case Step::drop_old: begin(); return true;
    default: return false;
  }
}

void SegmentMaker::on_refused(std::int32_t result) {
  if (is_passing(result)) return next(step_);
  if (on_old_refused(result)) return;
  if (step_ == Step::create && result == -EEXIST) return next(Step::clear);
  if (step_ == Step::create && result == -EINVAL && direct_) {
    direct_ = false;
    return next(Step::create);
  }
  if (step_ == Step::preallocate && result == -EOPNOTSUPP) return next(Step::zero);
  const bool takes_space =
      step_ == Step::create || step_ == Step::preallocate || step_ == Step::zero;
  const std::string& path = step_ == Step::open_directory || step_ == Step::sync_directory
                                ? directory_
                                : draft_;
  const Error error = file_error(kStepNames[static_cast<std::size_t>(step_)], path, result);
  if (takes_space && is_out_of_space(result)) {
    no_space_ = error;
    return drop_draft();
  }
  state_ = State::failed;
  listener_.on_segment_failed(error);
}

/// There is something to use again, whose new name replaces the draft's.
void SegmentMaker::leave_draft() {
  files_.close(std::exchange(file_, File{}));
  begin();
}

void SegmentMaker::drop_draft() {
  const bool made = file_.valid();
  if (made) files_.close(std::exchange(file_, File{}));
  if (made) return next(Step::give_up);
  lack_space();
}

/// What was offered meanwhile takes no space.
void SegmentMaker::lack_space() {
  if (!old_.empty()) return begin();
  state_ = State::no_space;
  listener_.on_segment_no_space(no_space_);
}

}  // namespace quorate::log
