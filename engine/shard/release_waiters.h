#pragma once

// Callbacks that wait for a release, on one loop: one heap per stream and rule, lowest position
// first. Requests come from any thread through a bounded mailbox; all else belongs to the loop.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mailbox.h"
#include "quorate/primary.h"
#include "shard/shard.h"

namespace quorate::shard {

class PrimaryStream;

class ReleaseWaiters final : public ReadyItem {
 public:
  ReleaseWaiters(Shard& shard, std::uint32_t waiters_max, std::uint32_t streams);

  /// Any thread. Busy when waiters_max wait already or the loop is behind with new requests.
  Status add(PrimaryStream& stream, std::uint32_t local_stream, RuleId rule, Position target,
           ReleaseCallback callback);

  // The loop.

  /// Takes over the requests that have arrived.
  void on_ready() override;
  /// Collects whom the stream's watermarks release, and all of them once the stream has ended.
  void collect(PrimaryStream& stream, std::uint32_t local_stream);
  /// Calls what was collected. Callbacks may append and register.
  void run();
  /// Takes no more requests and takes over those that have arrived.
  void close();
  [[nodiscard]] bool empty() const noexcept { return waiting_.load() == 0; }

 private:
  struct Request {
    PrimaryStream* stream = nullptr;
    std::uint32_t local_stream = 0;
    RuleId rule;
    Position target = 0;
    ReleaseCallback callback;
  };
  struct Waiter {
    Position target = 0;
    ReleaseCallback callback;
    /// For a heap whose top has the lowest target.
    friend bool operator<(const Waiter& a, const Waiter& b) { return a.target > b.target; }
  };
  struct Due {
    ReleaseCallback callback;
    Outcome outcome;
  };
  using Heap = std::vector<Waiter>;

  Heap& heap(std::uint32_t local_stream, RuleId rule);

  Shard& shard_;
  const std::uint32_t waiters_max_;
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint32_t> adding_{0};  ///< threads inside add()
  std::atomic<bool> closed_{false};
  base::Mailbox<Request> requests_;
  /// One row of heaps per stream, made when its first callback comes.
  std::vector<std::unique_ptr<std::vector<Heap>>> heaps_;
  std::vector<Due> due_;
  std::vector<Due> running_;
};

}  // namespace quorate::shard
