// Mailbox, ready list and sleeper between threads, as a loop uses them.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "base/mailbox.h"
#include "base/ready_list.h"
#include "base/sleeper.h"

namespace quorate::base {
namespace {

struct Letter {
  std::uint32_t sender = 0;
  std::uint32_t number = 0;
};

TEST(MailboxThreads, EveryLetterArrivesOnceAndInItsSendersOrder) {
  constexpr std::uint32_t kSenders = 4;
  constexpr std::uint32_t kLetters = 20'000;
  Mailbox<Letter> mailbox(64);
  std::vector<std::thread> threads;
  for (std::uint32_t sender = 0; sender < kSenders; ++sender) {
    threads.emplace_back([&mailbox, sender] {
      for (std::uint32_t number = 0; number < kLetters; ++number) {
        while (!mailbox.push({sender, number})) std::this_thread::yield();
      }
    });
  }
  std::array<std::uint32_t, kSenders> next{};
  for (std::uint32_t taken = 0; taken < kSenders * kLetters;) {
    Letter letter;
    if (!mailbox.pop(letter)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(letter.number, next[letter.sender]++);
    ++taken;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(mailbox.empty());
}

/// A loop that sleeps by the protocol of base/sleeper.h; its bed is an atomic's wait.
class Loop {
 public:
  void wake() {
    if (!sleeper_.should_wake()) return;
    rung_.fetch_add(1);
    rung_.notify_one();
  }
  template <typename HasWork>
  void sleep(HasWork has_work) {
    const std::uint32_t heard = rung_.load();
    sleeper_.prepare();
    if (!has_work()) rung_.wait(heard);
    sleeper_.cancel();
  }

 private:
  Sleeper sleeper_;
  std::atomic<std::uint32_t> rung_{0};
};

struct Counter : ReadyNode {
  std::atomic<std::uint32_t> value{0};
  std::uint32_t seen = 0;
};

/// Producers raise counters and tell the loop; a lost wake-up would hang the test.
TEST(ReadyListThreads, NoReadyNodeIsOverlooked) {
  constexpr std::uint32_t kProducers = 3;
  constexpr std::uint32_t kRaises = 20'000;
  ReadyList list;
  Loop loop;
  std::array<Counter, 2> counters;
  std::vector<std::thread> threads;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    threads.emplace_back([&] {
      for (std::uint32_t i = 0; i < kRaises; ++i) {
        Counter& counter = counters[i % counters.size()];
        counter.value.fetch_add(1, std::memory_order_seq_cst);
        if (list.push(counter)) loop.wake();
      }
    });
  }
  std::uint32_t total = 0;
  while (total < kProducers * kRaises) {
    list.take_all([&](ReadyNode& node) {
      auto& counter = static_cast<Counter&>(node);
      counter.queued.store(false, std::memory_order_seq_cst);
      const std::uint32_t value = counter.value.load(std::memory_order_seq_cst);
      total += value - std::exchange(counter.seen, value);
    });
    if (total < kProducers * kRaises) loop.sleep([&] { return !list.empty(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(total, kProducers * kRaises);
}

}  // namespace
}  // namespace quorate::base
