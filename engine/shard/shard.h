#pragma once

// One event loop's state and its turn: the only place where machines, transport and application
// threads meet. A shard has no thread of its own: an engine-owned thread or the embedder's turns
// it. Everything belongs to the thread that turns it, except what is marked "any thread".

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/mailbox.h"
#include "base/ready_list.h"
#include "base/sleeper.h"
#include "base/time.h"
#include "quorate/options.h"
#include "reactor/reactor.h"
#include "shard/poll_descriptor.h"

namespace quorate::shard {

/// One primary's or one replica's part on one loop. Phases are called in this order, once a turn.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual void expire(Instant now) = 0;   ///< deadlines that have passed
  virtual void step(Instant now) = 0;     ///< decide: seal, count, place
  virtual void send(Instant now) = 0;     ///< hand the connections what they may send
  virtual void publish(Instant now) = 0;  ///< make watermarks visible, wake who sleeps for them
  /// When it must be called again even if nothing happens; in the past: at once.
  [[nodiscard]] virtual Instant next_deadline(Instant now) const = 0;
};

/// What application threads push when they have something for a loop: the turn calls on_ready.
/// It re-arms the item with `queued.store(false)` before it looks for the last time.
struct ReadyItem : base::ReadyNode {
  virtual void on_ready() = 0;

 protected:
  ~ReadyItem() = default;
};

/// What the thread that turns a loop waits for: a watermark to reach a position.
struct Goal {
  const std::atomic<Position>* watermark = nullptr;
  Position target = 0;

  [[nodiscard]] bool reached() const noexcept {
    return watermark != nullptr && watermark->load(std::memory_order_acquire) >= target;
  }
};

class Shard {
 public:
  Shard(std::uint32_t index, const EngineOptions& options,
        std::unique_ptr<reactor::Reactor> reactor);

  /// Runs everything that is due, then sleeps until there is more or `sleep_until` has passed. Does
  /// not sleep once `goal` is reached.
  void turn(Instant sleep_until, Goal goal = {});

  [[nodiscard]] reactor::Reactor& reactor() noexcept { return *reactor_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  /// When a wait that begins now ends, for any timeout.
  [[nodiscard]] Instant deadline_in(std::chrono::nanoseconds timeout) const noexcept {
    const Instant start = reactor_->now();
    return timeout.count() >= kNever - start ? kNever : start + timeout.count();
  }
  [[nodiscard]] std::uint64_t turns() const noexcept {
    return turns_.load(std::memory_order_relaxed);
  }

  void attach(Driver& driver);
  void detach(Driver& driver);

  /// For an embedder's own poll loop: readable when turn() has something to do.
  [[nodiscard]] int event_fd();

  // Any thread.

  /// The loop will call item.on_ready(). Cheap when the item is queued already.
  void notify(ReadyItem& item) noexcept {
    if (ready_.push(item) && sleeper_.should_wake()) reactor_->wake();
  }
  /// Runs on the loop, later. False when the mailbox is full.
  bool post(std::function<void()> task);
  /// Runs on the loop and waits for it: at once when this thread hosts the loop, or when nobody
  /// hosts it yet.
  void call(const std::function<void()>& task);
  /// True on the thread that turns this loop.
  [[nodiscard]] bool hosted_here() const noexcept {
    return host_.load(std::memory_order_acquire) == std::this_thread::get_id();
  }
  /// On the thread that turns the loop: inside a turn, so the loop must not be turned now.
  [[nodiscard]] bool turning() const noexcept { return turning_; }
  /// Makes this thread the one that turns the loop if there is none yet and the engine is hosted.
  /// True when it is.
  bool host_here();
  void bind_here();
  /// From now on turn() does not sleep: whoever turns the loop is to look at stopping().
  void stop() noexcept {
    stopping_.store(true, std::memory_order_seq_cst);
    if (sleeper_.should_wake()) reactor_->wake();
  }
  [[nodiscard]] bool stopping() const noexcept {
    return stopping_.load(std::memory_order_seq_cst);
  }
  void trace(TraceLevel level, const std::string& text) const;

 private:
  void drain_mailbox();
  void drain_ready();
  void wait_for_work(Instant sleep_until, Goal goal);
  void sleep(Instant until);
  void announce(Instant due);
  [[nodiscard]] bool spun_into_work(Instant until);
  [[nodiscard]] bool has_work() const noexcept;

  const std::uint32_t index_;
  const EngineOptions options_;
  std::unique_ptr<reactor::Reactor> reactor_;
  std::vector<Driver*> drivers_;
  base::Mailbox<std::function<void()>> mailbox_;
  base::ReadyList ready_;
  base::Sleeper sleeper_;
  std::atomic<std::thread::id> host_;
  std::mutex unhosted_;  ///< held while somebody acts for a loop that nobody hosts yet
  Instant now_ = 0;
  std::atomic<bool> stopping_{false};
  bool turning_ = false;
  std::unique_ptr<PollDescriptor> poll_descriptor_;  ///< once somebody waits outside of turns
  std::atomic<std::uint64_t> turns_{0};
};

}  // namespace quorate::shard
