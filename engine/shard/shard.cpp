#include "shard/shard.h"

#include <algorithm>
#include <condition_variable>
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

void Shard::turn(Instant sleep_until, Goal goal) {
  turning_ = true;
  sleeper_.cancel();
  now_ = reactor_->now();
  drain_mailbox();
  drain_ready();
  reactor_->reap();
  for (Driver* driver : drivers_) driver->expire(now_);
  for (Driver* driver : drivers_) driver->step(now_);
  for (Driver* driver : drivers_) driver->send(now_);
  for (Driver* driver : drivers_) driver->publish(now_);
  turns_.store(turns() + 1, std::memory_order_relaxed);
  wait_for_work(sleep_until, goal);
  turning_ = false;
}

void Shard::wait_for_work(Instant sleep_until, Goal goal) {
  Instant due = kNever;
  for (Driver* driver : drivers_) due = std::min(due, driver->next_deadline(now_));
  // Completions that are collected already belong to the next turn, which must not be slept over.
  const bool at_once = reactor_->ready() || goal.reached();
  const Instant until = at_once ? now_ : std::min(sleep_until, due);
  if (until <= now_ || options_.spin.count() == 0 || !spun_into_work(until)) sleep(until);
  if (poll_descriptor_) announce(due);
}

void Shard::sleep(Instant until) {
  if (until > now_) sleeper_.prepare();
  // A producer that pushed before prepare() is seen here; one that pushes after it wakes the loop,
  // until the next turn begins.
  reactor_->wait(until <= now_ || has_work() ? now_ : until);
}

/// The host may sleep outside now: what it must not sleep over makes the descriptor readable.
void Shard::announce(Instant due) {
  sleeper_.prepare();
  poll_descriptor_->ring_at(reactor_->ready() || has_work() ? 0 : due);
}

bool Shard::spun_into_work(Instant until) {
  const Instant spin_until = std::min(until, now_ + options_.spin.count() * kMicrosecond_ns);
  do {
    reactor_->wait(now_);
    if (reactor_->ready() || has_work()) return true;
  } while (reactor_->now() < spin_until);
  return false;
}

int Shard::event_fd() {
  if (!poll_descriptor_) {
    poll_descriptor_ = std::make_unique<PollDescriptor>(reactor_->event_fd());
    poll_descriptor_->ring_at(0);
  }
  return poll_descriptor_->fd();
}

bool Shard::has_work() const noexcept {
  return !ready_.empty() || !mailbox_.empty() || stopping();
}

void Shard::drain_mailbox() {
  std::function<void()> task;
  for (std::size_t count = 0; count < kMailboxCapacity && mailbox_.pop(task); ++count) {
    task();
    task = nullptr;
  }
}

void Shard::drain_ready() {
  ready_.take_all([](base::ReadyNode& node) { static_cast<ReadyItem&>(node).on_ready(); });
}

void Shard::attach(Driver& driver) { drivers_.push_back(&driver); }

void Shard::detach(Driver& driver) {
  // What the driver owns may be in the list, and is about to be destroyed.
  drain_ready();
  std::erase(drivers_, &driver);
}

bool Shard::post(std::function<void()> task) {
  if (!mailbox_.push(std::move(task))) return false;
  if (sleeper_.should_wake()) reactor_->wake();
  return true;
}

bool Shard::host_here() {
  if (hosted_here()) return true;
  if (!options_.hosted || host_.load(std::memory_order_acquire) != std::thread::id{}) return false;
  bind_here();
  return true;
}

void Shard::bind_here() {
  std::lock_guard lock(unhosted_);
  host_.store(std::this_thread::get_id(), std::memory_order_release);
}

void Shard::call(const std::function<void()>& task) {
  if (hosted_here()) return task();
  if (options_.hosted) {
    std::lock_guard lock(unhosted_);
    if (host_.load(std::memory_order_acquire) == std::thread::id{}) return task();
  }
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
