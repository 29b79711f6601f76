#pragma once

// The threads of the epoll reactor that wait for the disk, because files are always "ready" and
// block nevertheless. They begin with the first file operation: who uses no files has no threads.
// What waits for them is the operations themselves, in a list.

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "reactor/operation.h"
#include "reactor/reactor.h"

namespace quorate::reactor {

/// Everything but the work itself belongs to the loop's thread.
class DiskThreads {
 public:
  /// Enough for a log that is written while another part of it is read.
  static constexpr std::size_t kThreads = 2;

  /// `loop` is woken when something has finished.
  explicit DiskThreads(Reactor& loop) noexcept : loop_(loop) {}
  ~DiskThreads() { join(); }
  DiskThreads(const DiskThreads&) = delete;
  DiskThreads& operator=(const DiskThreads&) = delete;

  /// 0, or the errno for which no thread can be had.
  [[nodiscard]] int start(Operation& operation);
  /// True when no thread had begun with it: it will not be done. Otherwise it finishes as usual.
  [[nodiscard]] bool cancel(Operation& operation) noexcept;
  /// What has finished, oldest first, linked by Operation::next; the result is in each operation.
  [[nodiscard]] Operation* take_finished() noexcept;
  /// Lets the threads end. Nothing is in flight.
  void join() noexcept;

 private:
  /// First in, first out.
  class List {
   public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    void push(Operation& operation) noexcept;
    Operation& pop() noexcept;
    [[nodiscard]] bool remove(Operation& operation) noexcept;
    Operation* take() noexcept;

   private:
    Operation* first_ = nullptr;
    Operation* last_ = nullptr;
  };

  int begin() noexcept;
  void work(std::size_t index);

  Reactor& loop_;
  std::vector<std::thread> threads_;
  std::size_t in_flight_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  List queued_;  ///< under the mutex, as what follows
  List finished_;
  bool stopping_ = false;
};

}  // namespace quorate::reactor
