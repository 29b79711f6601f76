#include "tests/simulation/model/reigns.h"

#include <algorithm>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

void Reigns::begin(const Epoch& epoch, Violation& violation) {
  if (reigning_) {
    return violation.fail(rules::kEvents, epoch, " began while ", reigns_.back().epoch,
                          " has not ended");
  }
  const auto same = [&](const Reign& reign) { return reign.epoch == epoch; };
  if (epoch == Epoch{} || std::any_of(reigns_.begin(), reigns_.end(), same)) {
    return violation.fail(rules::kEvents, epoch, " is none or was the epoch of an earlier reign");
  }
  Reign reign{epoch, {}};
  for (StreamId stream = 0; stream < config_.streams; ++stream) {
    reign.logs.push_back(std::make_unique<StreamLog>(config_, epoch, stream));
  }
  reigns_.push_back(std::move(reign));
  reigning_ = true;
  closing_ = false;
}

void Reigns::close(Violation& violation) {
  if (!reigning_) return violation.fail(rules::kEvents, "closing, but nobody reigns");
  closing_ = true;
}

void Reigns::end(Violation& violation) {
  if (!reigning_) return violation.fail(rules::kEvents, "a reign ended, but nobody reigns");
  reigning_ = false;
}

StreamLog* Reigns::find(const Epoch& epoch, StreamId stream, std::size_t oldest) noexcept {
  for (std::size_t reign = reigns_.size(); reign > oldest; --reign) {
    if (reigns_[reign - 1].epoch == epoch) return at(reign - 1, stream);
  }
  return nullptr;
}

void Reigns::forget(const std::function<bool(const StreamLog& log, std::size_t reign)>& needed) {
  for (std::size_t i = 0; i + 1 < reigns_.size(); ++i) {
    auto& logs = reigns_[i].logs;
    const auto keeps = [&](const auto& log) { return needed(*log, i); };
    if (std::none_of(logs.begin(), logs.end(), keeps)) logs.clear();
  }
}

}  // namespace quorate::simulation
