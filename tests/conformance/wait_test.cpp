// wait() ends when it should and not before: deadlines, and wake() from other threads.

#include <atomic>
#include <limits>
#include <thread>

#include "loop.h"

namespace quorate::reactor {
namespace {

CONFORMANCE_SUITE(Wait);
KERNEL_CONFORMANCE_SUITE(WakeFromThreads);

/// A wait() that blocked would hang the test.
TEST_P(Wait, ADeadlineInThePastDoesNotBlock) {
  const Instant now = loop()->now();
  for (const Instant deadline :
       {now, now - kSecond_ns, Instant{0}, std::numeric_limits<Instant>::min()}) {
    loop()->wait(deadline);
    EXPECT_FALSE(loop()->ready());
    EXPECT_EQ(loop().reap(), 0u);
  }
}

TEST_P(Wait, SleepsUntilTheDeadline) {
  const Instant deadline = loop()->now() + 30 * kMillisecond_ns;
  int turns = 0;
  while (loop()->now() < deadline) {
    loop()->wait(deadline);
    ++turns;
  }
  EXPECT_LT(turns, 100) << "spins instead of sleeping";
}

TEST_P(Wait, DoesNotSleepOnWhatIsReady) {
  const Pair pair = connect_pair();
  send_all(loop(), pair.client, "x");
  std::string buffer(1, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  while (!loop()->ready()) loop()->wait(kNever);
  loop()->wait(kNever);
  loop().run(receiving);
  close(pair);
}

TEST_P(Wait, AWakeBeforeIsKept) {
  loop()->wake();
  loop()->wait(kNever);
  loop()->wake();
  loop()->wake();
  loop()->wait(kNever);
  loop()->wait(0);
  loop()->wake();
  loop()->wait(kNever);
}

TEST_P(WakeFromThreads, AWakeAlsoEndsAnotherThreadsWait) {
  std::atomic<bool> woken{false};
  std::thread owner([&] {
    while (!woken.load()) loop()->wait(kNever);
  });
  woken = true;
  loop()->wake();
  owner.join();
}

/// Turns until `goal`, as an event loop does that sleeps without a deadline. Ends early when no
/// wake-up comes for so long that one must have been lost.
bool sleep_until_seen(Reactor& reactor, const std::atomic<std::uint64_t>& posted,
                      std::atomic<std::uint64_t>& seen, std::uint64_t goal) {
  while (seen.load() < goal) {
    const Instant lost_at = reactor.now() + 20 * kSecond_ns;
    reactor.wait(lost_at);
    if (reactor.now() >= lost_at) return false;
    seen.store(posted.load());
  }
  return true;
}

/// Lock step: after each post the poster needs the loop to have seen it.
TEST_P(WakeFromThreads, NoWakeIsLostInLockStep) {
  constexpr std::uint64_t kRounds = 20'000;
  std::atomic<std::uint64_t> posted{0};
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> stop{false};
  std::thread poster([&] {
    for (std::uint64_t i = 1; i <= kRounds && !stop; ++i) {
      posted.store(i);
      loop()->wake();
      while (seen.load() < i && !stop) std::this_thread::yield();
    }
  });
  EXPECT_TRUE(sleep_until_seen(*loop(), posted, seen, kRounds)) << "a wake-up was lost";
  stop = true;
  poster.join();
}

/// Free running: wake-ups fall into every phase of the loop's turn. What was posted last must be
/// seen without another wake-up.
TEST_P(WakeFromThreads, NoWakeIsLostInACrowd) {
  constexpr std::uint64_t kBursts = 1000;
  constexpr std::uint64_t kPosts = 2000;
  std::atomic<std::uint64_t> posted{0};
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> stop{false};
  const auto post = [&] {
    for (std::uint64_t burst = 1; burst <= kBursts && !stop; ++burst) {
      for (std::uint64_t i = 0; i < kPosts; ++i) {
        posted.fetch_add(1);
        loop()->wake();
      }
      while (seen.load() < burst * kPosts && !stop) std::this_thread::yield();
    }
  };
  std::thread first(post);
  std::thread second(post);
  EXPECT_TRUE(sleep_until_seen(*loop(), posted, seen, 2 * kBursts * kPosts))
      << "a wake-up was lost";
  stop = true;
  first.join();
  second.join();
}

TEST_P(Wait, SystemCallsAreCounted) {
  const std::uint64_t before = loop()->system_calls();
  loop()->wait(0);
  EXPECT_GT(loop()->system_calls(), before);
}

}  // namespace
}  // namespace quorate::reactor
