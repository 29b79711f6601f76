// The descriptor by which a reactor lives inside somebody else's poll loop.

#include <poll.h>

#include <atomic>
#include <thread>

#include "loop.h"

namespace quorate::reactor {
namespace {

KERNEL_CONFORMANCE_SUITE(EventFd);

/// `timeout` only bounds a test that fails.
bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

constexpr int kLong_ms = 20'000;

TEST_P(EventFd, TellsOfACompletionUntilItIsCollected) {
  const int fd = loop()->event_fd();
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  for (int round = 0; round < 50; ++round) {
    Probe receiving;
    receiving.receive(*loop(), pair.server, {vector_of(buffer)});
    loop().settle();
    ASSERT_FALSE(readable(fd, 0)) << "round " << round;
    // From outside of the loop, as a peer would.
    ASSERT_EQ(::send(pair.client.id, "abc", 3, 0), 3);
    ASSERT_TRUE(readable(fd, kLong_ms));
    loop().run(receiving);
    EXPECT_EQ(receiving.result(), 3);
  }
  close(pair);
}

TEST_P(EventFd, TellsOfAWake) {
  const int fd = loop()->event_fd();
  loop().settle();
  for (int round = 0; round < 50; ++round) {
    ASSERT_FALSE(readable(fd, 0)) << "round " << round;
    loop()->wake();
    ASSERT_TRUE(readable(fd, kLong_ms));
    loop()->wait(0);
    loop().reap();
  }
}

TEST_P(EventFd, TellsOfAWakeBeforeTheFirstWait) {
  Loop fresh = make_loop();
  const int fd = fresh->event_fd();
  fresh->wake();
  EXPECT_TRUE(readable(fd, kLong_ms));
  fresh.settle();
  EXPECT_FALSE(readable(fd, 0));
}

TEST_P(EventFd, MayBeTakenBeforeAnotherThreadOwnsTheLoop) {
  Loop fresh = make_loop();
  const int fd = fresh->event_fd();
  std::thread owner([&] {
    fresh.settle();
    EXPECT_FALSE(readable(fd, 0));
    fresh->wake();
    EXPECT_TRUE(readable(fd, kLong_ms));
    fresh.settle();
  });
  owner.join();
}

/// An embedder's loop: sleeps on the descriptor alone, never in wait().
TEST_P(EventFd, ALoopThatSleepsOnItMissesNothing) {
  const int fd = loop()->event_fd();
  const Pair pair = connect_pair();
  constexpr int kRounds = 2000;
  std::thread peer([&] {
    char byte = 0;
    for (int round = 0; round < kRounds; ++round) {
      if (::recv(pair.client.id, &byte, 1, 0) < 0) {
        // The epoll backend's sockets do not block.
        pollfd entry{pair.client.id, POLLIN, 0};
        ::poll(&entry, 1, kLong_ms);
        --round;
        continue;
      }
      if (::send(pair.client.id, &byte, 1, 0) != 1) return;
    }
  });
  std::string byte = "x";
  int rounds = 0;
  Probe sending;
  Probe receiving;
  receiving.then = [&](std::int32_t result) {
    ASSERT_EQ(result, 1);
    if (++rounds == kRounds) return;
    receiving.receive(*loop(), pair.server, {vector_of(byte)});
    sending.send(*loop(), pair.server, {vector_of(byte)});
  };
  receiving.receive(*loop(), pair.server, {vector_of(byte)});
  sending.send(*loop(), pair.server, {vector_of(byte)});
  bool alive = true;
  while (rounds < kRounds && alive) {
    loop()->wait(0);
    alive = loop().reap() > 0 || readable(fd, kLong_ms);
  }
  EXPECT_TRUE(alive) << "slept through round " << rounds;
  peer.join();
  loop().run_until([&] { return !sending.operation.in_flight(); });
  close(pair);
}

TEST_P(EventFd, ALoopThatSleepsOnItMissesNoWake) {
  const int fd = loop()->event_fd();
  constexpr std::uint64_t kRounds = 10'000;
  std::atomic<std::uint64_t> posted{0};
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> stop{false};
  std::thread poster([&] {
    for (std::uint64_t i = 1; i <= kRounds && !stop; ++i) {
      posted.store(i);
      loop()->wake();
      // Every other time it does not let the loop catch up.
      while (i % 2 == 0 && seen.load() < i && !stop) std::this_thread::yield();
    }
  });
  bool alive = true;
  while (seen.load() < kRounds && alive) {
    alive = readable(fd, kLong_ms);
    loop()->wait(0);
    seen.store(posted.load());
  }
  EXPECT_TRUE(alive) << "a wake-up was lost";
  stop = true;
  poster.join();
}

}  // namespace
}  // namespace quorate::reactor
