// Waiting for releases: by threads, callbacks, and looking at the watermark.

#include <pthread.h>

#include <algorithm>

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

std::string thread_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

class Waiting : public BothBackends {
 protected:
  explicit Waiting(std::uint32_t waiters_max = 65536, std::chrono::microseconds spin = 0us)
      : primary_(Primary::open(options(waiters_max, spin)).value()), stream_(primary_.stream()) {
    async_ = stream_.rule(async()).value();
    one_ = stream_.rule(semi_sync()).value();
  }

  [[nodiscard]] PrimaryOptions options(std::uint32_t waiters_max,
                                       std::chrono::microseconds spin) const {
    PrimaryOptions options = primary_options();
    options.waiters_max = waiters_max;
    options.engine.spin = spin;
    return options;
  }

  void start_replica() { b_ = std::make_unique<RunningReplica>(replica_options(primary_, "b")); }

  Primary primary_;
  Stream stream_;
  RuleId async_;
  RuleId one_;
  std::unique_ptr<RunningReplica> b_;
};
QUORATE_BOTH_BACKENDS(Waiting);

TEST_P(Waiting, ManyThreadsWaitForTheirOwnWrites) {
  start_replica();
  std::vector<std::thread> threads;
  std::atomic<int> released{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const Ticket ticket = stream_.append("thread " + std::to_string(t)).value();
        if (stream_.wait(ticket, i % 2 == 0 ? one_ : async_).value().released()) ++released;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(released, 8 * 50);
}

TEST_P(Waiting, ThreadsThatWaitForDifferentPositionsAllWake) {
  std::vector<std::thread> threads;
  std::atomic<int> released{0};
  for (int t = 0; t < 8; ++t) {
    const Ticket ticket = stream_.append("one of several").value();
    threads.emplace_back([&, ticket] {
      if (stream_.wait(ticket, one_).value().released()) ++released;
    });
  }
  start_replica();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(released, 8);
}

TEST_P(Waiting, TheWatermarkCanBePolled) {
  start_replica();
  const Ticket ticket = stream_.append("polled").value();
  EXPECT_TRUE(eventually([&] { return stream_.watermark(one_) >= ticket.end; }));
  EXPECT_TRUE(stream_.released(ticket, one_));
  EXPECT_TRUE(stream_.released(ticket, async_));
}

TEST_P(Waiting, CallbacksRunOnceOnTheLoopInPositionOrder) {
  std::vector<std::size_t> order;
  std::atomic<std::size_t> calls{0};
  std::vector<Ticket> tickets;
  for (std::size_t i = 0; i < 200; ++i) tickets.push_back(stream_.append("x").value());
  // Registered backwards, so that the order is the positions' and not ours.
  for (std::size_t i = tickets.size(); i-- > 0;) {
    const auto callback = [&, i](const Outcome& outcome) {
      EXPECT_TRUE(outcome.released());
      EXPECT_EQ(thread_name(), "quorate-0");
      order.push_back(i);
      ++calls;
    };
    ASSERT_TRUE(stream_.on_released(tickets[i], one_, callback));
  }
  // Whoever is registered behind them on the loop runs behind them.
  EXPECT_TRUE(stream_.rule(async()));
  EXPECT_EQ(calls, 0u);
  start_replica();
  EXPECT_TRUE(eventually([&] { return calls == tickets.size(); }));
  primary_.close();
  EXPECT_EQ(order.size(), tickets.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(Waiting, ACallbackForWhatIsReleasedAlreadyRunsWithoutAnythingElseHappening) {
  const Ticket ticket = stream_.append("long ago").value();
  ASSERT_TRUE(stream_.wait(ticket, async_, kLong).value().released());
  // After the stream has fallen idle, nothing but the callback itself makes the loop run it.
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> called{false};
    ASSERT_TRUE(stream_.on_released(ticket, async_, [&](const Outcome& outcome) {
      EXPECT_TRUE(outcome.released());
      called = true;
      called.notify_all();
    }));
    called.wait(false);
  }
}

TEST_P(Waiting, ACallbackNeverRunsInsideTheCallThatRegistersIt) {
  const Ticket ticket = stream_.append("released").value();
  ASSERT_TRUE(stream_.wait(ticket, async_, kLong).value().released());
  std::atomic<int> inner_calls{0};
  ASSERT_TRUE(stream_.on_released(ticket, async_, [&](const Outcome&) {
    // On the loop's thread, where the release is known: a shortcut would call at once.
    EXPECT_TRUE(stream_.on_released(ticket, async_, [&](const Outcome&) { ++inner_calls; }));
    EXPECT_EQ(inner_calls, 0);
  }));
  EXPECT_TRUE(eventually([&] { return inner_calls == 1; }));
}

TEST_P(Waiting, ACallbackMayAppendAndRegisterAgain) {
  start_replica();
  constexpr int kRounds = 500;
  std::atomic<int> rounds{0};
  std::function<void(const Outcome&)> next = [&](const Outcome& outcome) {
    EXPECT_TRUE(outcome.released());
    if (rounds.fetch_add(1) + 1 == kRounds) return;
    const Ticket ticket = stream_.append("from a callback").value();
    EXPECT_TRUE(stream_.on_released(ticket, one_, next));
  };
  ASSERT_TRUE(stream_.on_released(stream_.append("the first").value(), one_, next));
  EXPECT_TRUE(eventually([&] { return rounds == kRounds; }));
}

TEST_P(Waiting, WhatWouldBlockTheLoopIsRefusedInACallback) {
  const Ticket ticket = stream_.append("x").value();
  std::atomic<bool> called{false};
  ASSERT_TRUE(stream_.on_released(ticket, async_, [&](const Outcome&) {
    const Ticket more = stream_.append("more").value();
    const auto waited = stream_.wait(more, one_);
    EXPECT_TRUE(!waited && waited.error().code == Errc::unsupported);
    EXPECT_TRUE(stream_.wait(ticket, async_).value().released()) << "nothing to wait for";
    while (stream_.append(std::string(100'000, 'x'))) {
    }
    EXPECT_FALSE(stream_.wait_space(100'000));
    EXPECT_EQ(stream_.rule(semi_sync()).value(), one_) << "a rule can be had";
    EXPECT_TRUE(stream_.rule(sync()));
    called = true;
  }));
  EXPECT_TRUE(eventually([&] { return called.load(); }));
}

TEST_P(Waiting, CallbacksOfManyThreadsAllRun) {
  start_replica();
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Ticket ticket = stream_.append("x").value();
        const auto callback = [&](const Outcome&) { ++calls; };
        while (!stream_.on_released(ticket, i % 2 == 0 ? one_ : async_, callback)) {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return calls == 4 * 500; }));
}

class FewWaiters : public Waiting {
 protected:
  FewWaiters() : Waiting(4) {}
};
QUORATE_BOTH_BACKENDS(FewWaiters);

TEST_P(FewWaiters, MoreCallbacksThanAllowedAreBusyUntilSomeHaveRun) {
  std::atomic<int> calls{0};
  const auto count = [&](const Outcome&) { ++calls; };
  const Ticket ticket = stream_.append("x").value();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(stream_.on_released(ticket, one_, count));
  const Status fifth = stream_.on_released(ticket, one_, count);
  ASSERT_FALSE(fifth);
  EXPECT_EQ(fifth.error().code, Errc::busy);
  EXPECT_NE(fifth.error().text.find("waiters_max"), std::string::npos);
  EXPECT_FALSE(stream_.on_released(ticket, async_, count)) << "counted over all rules";
  start_replica();
  EXPECT_TRUE(eventually([&] { return calls == 4; }));
  EXPECT_TRUE(eventually([&] { return stream_.on_released(ticket, one_, count).has_value(); }));
  EXPECT_TRUE(eventually([&] { return calls == 5; }));
}

class Spinning : public Waiting {
 protected:
  Spinning() : Waiting(65536, 200us) {}
};
QUORATE_BOTH_BACKENDS(Spinning);

TEST_P(Spinning, WaitsAreReleasedAllTheSame) {
  start_replica();
  for (int i = 0; i < 200; ++i) {
    const Ticket ticket = stream_.append("spin").value();
    ASSERT_TRUE(stream_.wait(ticket, one_, kLong).value().released());
  }
}

TEST_P(Spinning, WaitsEndInTimeAllTheSame) {
  const Ticket ticket = stream_.append("spin").value();
  EXPECT_EQ(stream_.wait(ticket, one_, kShort).value().kind, OutcomeKind::pending);
  EXPECT_EQ(stream_.wait(ticket, one_, 0ns).value().kind, OutcomeKind::pending);
  std::thread waiter(
      [&] { EXPECT_EQ(stream_.wait(ticket, one_).value().kind, OutcomeKind::unknown); });
  EXPECT_EQ(stream_.wait(ticket, one_, kShort).value().kind, OutcomeKind::pending);
  primary_.close();
  waiter.join();
}

}  // namespace
}  // namespace quorate
