#include "reactor/disk_threads.h"

#include <pthread.h>
#include <signal.h>

#include <string>
#include <system_error>

#include "base/check.h"
#include "reactor/file_calls.h"

namespace quorate::reactor {

namespace {

/// Threads made while this lives take no signals: an embedder's handlers run on his own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

void DiskThreads::List::push(Operation& operation) noexcept {
  operation.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &operation;
  last_ = &operation;
}

Operation& DiskThreads::List::pop() noexcept {
  Operation& operation = *first_;
  first_ = operation.next;
  if (first_ == nullptr) last_ = nullptr;
  return operation;
}

bool DiskThreads::List::remove(Operation& operation) noexcept {
  Operation* before = nullptr;
  for (Operation* at = first_; at != nullptr; before = at, at = at->next) {
    if (at != &operation) continue;
    (before == nullptr ? first_ : before->next) = at->next;
    if (last_ == at) last_ = before;
    return true;
  }
  return false;
}

Operation* DiskThreads::List::take() noexcept {
  Operation* first = first_;
  first_ = last_ = nullptr;
  return first;
}

int DiskThreads::start(Operation& operation) {
  const int error = threads_.empty() ? begin() : 0;
  if (error != 0) return error;
  ++in_flight_;
  {
    const std::lock_guard lock(mutex_);
    queued_.push(operation);
  }
  changed_.notify_one();
  return 0;
}

/// One thread is enough to go on with when the system grants no more.
int DiskThreads::begin() noexcept {
  const SignalsBlocked blocked;
  try {
    while (threads_.size() < kThreads) {
      threads_.emplace_back([this, index = threads_.size()] { work(index); });
    }
  } catch (const std::system_error& refused) {
    return threads_.empty() ? refused.code().value() : 0;
  }
  return 0;
}

bool DiskThreads::cancel(Operation& operation) noexcept {
  const std::lock_guard lock(mutex_);
  const bool removed = queued_.remove(operation);
  if (removed) --in_flight_;
  return removed;
}

Operation* DiskThreads::take_finished() noexcept {
  if (in_flight_ == 0) return nullptr;
  Operation* first;
  {
    const std::lock_guard lock(mutex_);
    first = finished_.take();
  }
  for (Operation* at = first; at != nullptr; at = at->next) --in_flight_;
  return first;
}

void DiskThreads::join() noexcept {
  DCHECK(in_flight_ == 0);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void DiskThreads::work(std::size_t index) {
  pthread_setname_np(pthread_self(), ("quorate-disk-" + std::to_string(index)).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    if (queued_.empty()) return;
    Operation& operation = queued_.pop();
    lock.unlock();
    operation.result = perform(operation);
    lock.lock();
    finished_.push(operation);
    lock.unlock();
    // From here on the loop may have delivered the operation, whose memory is no longer ours.
    loop_.wake();
    lock.lock();
  }
}

}  // namespace quorate::reactor
