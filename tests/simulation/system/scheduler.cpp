#include "tests/simulation/system/scheduler.h"

#include <algorithm>
#include <utility>

namespace quorate::simulation {

namespace {

/// Four children: half the levels of a binary heap, and siblings share cache lines.
constexpr std::size_t kChildren = 4;

/// One comparison, because which of two is earlier cannot be predicted. Times are not negative.
template <typename Event>
bool earlier(const Event& a, const Event& b) {
  using Key = unsigned __int128;
  const auto key = [](const Event& event) {
    return static_cast<Key>(static_cast<std::uint64_t>(event.time)) << 64 | event.order;
  };
  return key(a) < key(b);
}

}  // namespace

void Scheduler::at(Instant time, Target& target, std::uint64_t what) {
  const std::uint64_t order = (draw_.bits() << 40) | (sequence_++ & ((1ull << 40) - 1));
  heap_.push_back({std::max(time, now_), order, &target, what});
  std::size_t at = heap_.size() - 1;
  while (at > 0) {
    const std::size_t parent = (at - 1) / kChildren;
    if (!earlier(heap_[at], heap_[parent])) break;
    std::swap(heap_[at], heap_[parent]);
    at = parent;
  }
}

bool Scheduler::run_one() {
  if (heap_.empty()) return false;
  const Event event = heap_.front();
  const Event last = heap_.back();
  heap_.pop_back();
  if (!heap_.empty()) {
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = at * kChildren + 1;
      if (first >= heap_.size()) break;
      std::size_t least = first;
      const std::size_t end = std::min(first + kChildren, heap_.size());
      for (std::size_t i = first + 1; i < end; ++i) {
        if (earlier(heap_[i], heap_[least])) least = i;
      }
      if (!earlier(heap_[least], last)) break;
      heap_[at] = heap_[least];
      at = least;
    }
    heap_[at] = last;
  }
  now_ = event.time;
  ++fired_;
  mix(static_cast<std::uint64_t>(event.time) ^ (event.what << 1));
  event.target->fire(event.what);
  return true;
}

}  // namespace quorate::simulation
