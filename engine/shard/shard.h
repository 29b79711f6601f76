#pragma once

// One event loop's state and its turn: the only place where machines, transport and application
// threads meet. A shard has no thread of its own: an engine-owned thread or the embedder's turns it.
// Everything belongs to the thread that turns it, except notify(), post(), call() and what is
// marked "any thread".

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/mailbox.h"
#include "base/ready_list.h"
#include "base/sleeper.h"
#include "base/time.h"
#include "quorate/options.h"
#include "reactor/reactor.h"

namespace quorate::shard {

/// One primary's or one replica's part on one loop. Phases are called in this order, once a turn.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual void expire(Instant now) = 0;   ///< deadlines that have passed
  virtual void step(Instant now) = 0;     ///< decide: seal, count, place
  virtual void send(Instant now) = 0;     ///< hand the connections what they may send
  virtual void publish() = 0;             ///< make watermarks visible, wake who sleeps for them
  [[nodiscard]] virtual Instant next_deadline(Instant now) const = 0;
  /// A node of the ready list that is this driver's (see ReadyOwner).
  virtual void on_ready(base::ReadyNode& node) = 0;
};

/// What application threads push when they have something for a loop: `owner` is told in the turn.
struct ReadyItem : base::ReadyNode {
  Driver* owner = nullptr;
};

class Shard {
 public:
  Shard(std::uint32_t index, const EngineOptions& options,
        std::unique_ptr<reactor::Reactor> reactor);

  /// Runs everything that is due, then sleeps until there is more or `sleep_until` has passed.
  void turn(Instant sleep_until);

  [[nodiscard]] reactor::Reactor& reactor() noexcept { return *reactor_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] std::uint64_t turns() const noexcept {
    return turns_.load(std::memory_order_relaxed);
  }

  void attach(Driver& driver);
  void detach(Driver& driver);

  // Any thread.

  /// The loop will call owner->on_ready(item). Cheap when the item is queued already.
  void notify(ReadyItem& item) noexcept {
    if (ready_.push(item) && sleeper_.should_wake()) reactor_->wake();
  }
  /// Runs on the loop, later. False when the mailbox is full.
  bool post(std::function<void()> task);
  /// Runs on the loop and waits for it: at once when this thread hosts the loop, or when nobody
  /// hosts it yet.
  void call(const std::function<void()>& task);
  /// True on the thread that turns this loop. A hosted loop that nobody has turned yet is bound to
  /// the first thread that asks.
  [[nodiscard]] bool hosted_here() noexcept;
  void bind_here() noexcept { host_.store(std::this_thread::get_id()); }
  void trace(TraceLevel level, const std::string& text) const;

 private:
  void drain_mailbox();
  void drain_ready();
  void wait_for_work(Instant sleep_until);
  [[nodiscard]] bool has_work() const noexcept;

  const std::uint32_t index_;
  const EngineOptions options_;
  std::unique_ptr<reactor::Reactor> reactor_;
  std::vector<Driver*> drivers_;
  base::Mailbox<std::function<void()>> mailbox_;
  base::ReadyList ready_;
  base::Sleeper sleeper_;
  std::atomic<std::thread::id> host_;
  Instant now_ = 0;
  std::atomic<std::uint64_t> turns_{0};
};

}  // namespace quorate::shard
