#include "shard/release_waiters.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "shard/primary_stream.h"

namespace quorate::shard {

namespace {
constexpr std::size_t kRequestsMax = 4096;
/// Callbacks of one stream and rule that wait at once before their heap grows.
constexpr std::size_t kWaitersUsual = 256;
}

ReleaseWaiters::ReleaseWaiters(Shard& shard, std::uint32_t waiters_max, std::uint32_t streams)
    : shard_(shard), waiters_max_(waiters_max), requests_(kRequestsMax), heaps_(streams) {
  // Untouched pages cost nothing; growing while records flow would.
  due_.reserve(waiters_max);
  running_.reserve(waiters_max);
}

Status ReleaseWaiters::add(PrimaryStream& stream, std::uint32_t local_stream, RuleId rule,
                         Position target, ReleaseCallback callback) {
  adding_.fetch_add(1);
  Status added = Done{};
  if (closed_.load()) {
    added = Error(Errc::closed, "the primary is closed");
  } else if (waiting_.fetch_add(1) >= waiters_max_ || QUORATE_MUTANT_AFTER(waiters_refused, 100) ||
             !requests_.push({&stream, local_stream, rule, target, std::move(callback)})) {
    waiting_.fetch_sub(1);
    added = Error(Errc::busy,
                  "waiters_max callbacks are waiting, or the loop is behind with new ones");
  } else {
    shard_.notify(*this);
  }
  adding_.fetch_sub(1);
  return added;
}

void ReleaseWaiters::close() {
  closed_.store(true);
  // Whoever passed the check above is about to leave; nobody who does not counts.
  while (adding_.load() != 0) std::this_thread::yield();
  on_ready();
}

ReleaseWaiters::Heap& ReleaseWaiters::heap(std::uint32_t local_stream, RuleId rule) {
  auto& row = heaps_[local_stream];
  if (!row) row = std::make_unique<std::vector<Heap>>(kRulesMax);
  Heap& heap = (*row)[rule.index];
  if (heap.capacity() == 0) heap.reserve(kWaitersUsual);
  return heap;
}

void ReleaseWaiters::on_ready() {
  queued.store(false, std::memory_order_seq_cst);
  Request request;
  while (requests_.pop(request)) {
    Heap& waiters = heap(request.local_stream, request.rule);
    waiters.push_back({request.target, std::move(request.callback)});
    std::push_heap(waiters.begin(), waiters.end());
    collect(*request.stream, request.local_stream);
  }
}

void ReleaseWaiters::collect(PrimaryStream& stream, std::uint32_t local_stream) {
  const auto& row = heaps_[local_stream];
  if (!row) return;
  const bool ended = stream.ended().load(std::memory_order_acquire);
  for (std::uint32_t r = 0; r < stream.rule_count(); ++r) {
    Heap& waiters = (*row)[r];
    const Position watermark = stream.rule(r).watermark.load(std::memory_order_relaxed);
    while (!waiters.empty() && (ended || waiters.front().target <= watermark)) {
      std::pop_heap(waiters.begin(), waiters.end());
      Waiter waiter = std::move(waiters.back());
      waiters.pop_back();
      due_.push_back({std::move(waiter.callback), stream.outcome(waiter.target, RuleId{
                                                      static_cast<std::uint8_t>(r)})});
      if (QUORATE_MUTANT(one_waiter_woken)) break;
    }
  }
}

void ReleaseWaiters::run() {
  if (due_.empty()) return;
  std::swap(due_, running_);
  for (Due& due : running_) {
    // It waits no more, so that its callback may register again.
    waiting_.fetch_sub(1);
    due.callback(due.outcome);
    if (QUORATE_MUTANT(waiter_told_twice)) due.callback(due.outcome);
  }
  running_.clear();
}

}  // namespace quorate::shard
