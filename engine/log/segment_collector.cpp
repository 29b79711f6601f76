#include "log/segment_collector.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "base/check.h"
#include "log/segment_maker.h"

namespace quorate::log {

using reactor::File;
using reactor::OpenMode;

SegmentCollector::SegmentCollector(reactor::Files& files, std::string directory,
                                   Listener& listener)
    : files_(files), directory_(std::move(directory)), listener_(listener) {
  bind<&SegmentCollector::on_done>(operation_, *this);
}

SegmentCollector::~SegmentCollector() {
  CHECK(idle());
  if (folder_.valid()) files_.close(folder_);
}

Status SegmentCollector::start(std::uint64_t oldest) {
  const Result<std::vector<std::string>> names = files_.list(directory_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::uint64_t number = segment_number(name);
    if (number != 0 && number < oldest) free_.push_back(number);
  }
  std::sort(free_.begin(), free_.end(), std::greater<>());
  oldest_ = oldest;
  pump();
  return Done{};
}

void SegmentCollector::collect(std::uint64_t oldest) {
  CHECK(oldest_ != 0);
  if (oldest > oldest_) {
    std::vector<std::uint64_t> free;
    for (std::uint64_t number = oldest - 1; number >= oldest_; --number) free.push_back(number);
    free_.insert(free_.begin(), free.begin(), free.end());
    oldest_ = oldest;
    synced_ = false;
  }
  pump();
}

void SegmentCollector::pump() {
  if (stopped_ || failed_ || !idle()) return;
  while (!free_.empty() && listener_.on_segment_free(free_.back())) free_.pop_back();
  if (free_.empty() && synced_) return;
  if (!folder_.valid()) return next(Step::open_directory);
  next(free_.empty() ? Step::sync : Step::remove);
}

void SegmentCollector::next(Step step) {
  step_ = step;
  switch (step) {
    case Step::open_directory:
      return files_.open(operation_, directory_.c_str(), OpenMode::directory, false);
    case Step::remove:
      path_ = segment_path(directory_, free_.back());
      synced_ = false;
      return files_.remove(operation_, path_.c_str());
    case Step::sync: return files_.sync(operation_, folder_);
  }
}

void SegmentCollector::on_done(std::int32_t result) {
  if (step_ == Step::open_directory && result >= 0) folder_ = File{result};
  if (stopped_) return;
  if (is_passing(result)) return next(step_);
  const bool gone = step_ == Step::remove && result == -ENOENT;
  if (result < 0 && !gone) return on_refused(result);
  if (step_ == Step::remove) free_.pop_back();
  if (step_ == Step::sync) {
    synced_ = true;
    if (free_.empty()) listener_.on_collected(oldest_);
  }
  pump();
}

void SegmentCollector::on_refused(std::int32_t result) {
  switch (step_) {
    case Step::open_directory:
      return listener_.on_not_collected(file_error("open", directory_, result));
    case Step::remove: return listener_.on_not_collected(file_error("removal", path_, result));
    case Step::sync:
      failed_ = true;
      return listener_.on_collector_failed(file_error("sync", directory_, result));
  }
}

}  // namespace quorate::log
