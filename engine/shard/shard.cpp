#include "shard/shard.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace quorate::shard {

namespace {
constexpr std::size_t kMailboxCapacity = 4096;
}

Shard::Shard(std::uint32_t index, const EngineOptions& options,
             std::unique_ptr<reactor::Reactor> reactor)
    : index_(index),
      options_(options),
      reactor_(std::move(reactor)),
      mailbox_(kMailboxCapacity),
      now_(reactor_->now()) {}

void Shard::turn(Instant sleep_until) {
  now_ = reactor_->now();
  drain_mailbox();
  drain_ready();
  reactor_->reap();
  for (Driver* driver : drivers_) driver->expire(now_);
  for (Driver* driver : drivers_) driver->step(now_);
  for (Driver* driver : drivers_) driver->send(now_);
  for (Driver* driver : drivers_) driver->publish();
  turns_.store(turns() + 1, std::memory_order_relaxed);
  wait_for_work(sleep_until);
}

void Shard::wait_for_work(Instant sleep_until) {
  Instant until = sleep_until;
  for (Driver* driver : drivers_) until = std::min(until, driver->next_deadline(now_));
  if (until <= now_ || has_work()) return reactor_->wait(now_);
  if (options_.spin.count() > 0) {
    const Instant spin_until = std::min(until, now_ + options_.spin.count() * kMicrosecond_ns);
    while (reactor_->now() < spin_until) {
      reactor_->wait(0);
      if (reactor_->ready() || has_work()) return;
    }
  }
  sleeper_.prepare();
  // A producer that pushed before prepare() is seen here; one that pushes after it wakes the loop.
  reactor_->wait(has_work() ? now_ : until);
  sleeper_.cancel();
}

bool Shard::has_work() const noexcept { return !ready_.empty() || !mailbox_.empty(); }

void Shard::drain_mailbox() {
  std::function<void()> task;
  for (std::size_t count = 0; count < kMailboxCapacity && mailbox_.pop(task); ++count) {
    task();
    task = nullptr;
  }
}

void Shard::drain_ready() {
  ready_.take_all([](base::ReadyNode& node) {
    auto& item = static_cast<ReadyItem&>(node);
    item.owner->on_ready(item);
  });
}

void Shard::attach(Driver& driver) { drivers_.push_back(&driver); }

void Shard::detach(Driver& driver) { std::erase(drivers_, &driver); }

bool Shard::post(std::function<void()> task) {
  if (!mailbox_.push(std::move(task))) return false;
  if (sleeper_.should_wake()) reactor_->wake();
  return true;
}

bool Shard::hosted_here() noexcept {
  std::thread::id expected{};
  const auto self = std::this_thread::get_id();
  if (!options_.hosted) return host_.load(std::memory_order_acquire) == self;
  return host_.compare_exchange_strong(expected, self) || expected == self;
}

void Shard::call(const std::function<void()>& task) {
  if (hosted_here()) return task();
  struct {
    std::mutex mutex;
    std::condition_variable done;
    bool finished = false;
  } call;
  auto run = [&] {
    task();
    // Notified under the lock: the caller's frame goes away as soon as it sees `finished`.
    std::lock_guard lock(call.mutex);
    call.finished = true;
    call.done.notify_one();
  };
  // A full mailbox empties as the loop turns.
  while (!post(run)) std::this_thread::yield();
  std::unique_lock lock(call.mutex);
  call.done.wait(lock, [&] { return call.finished; });
}

void Shard::trace(TraceLevel level, const std::string& text) const {
  if (options_.trace) options_.trace(level, text);
}

}  // namespace quorate::shard
