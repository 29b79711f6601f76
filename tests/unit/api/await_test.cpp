// co_await: a coroutine goes on when its write is released, refused, or given up.

#include "quorate/await.h"

#include <coroutine>

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

/// A coroutine that nobody waits for.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

/// How one wait ended, and on which thread.
struct Ending {
  std::atomic<bool> reached{false};
  Result<Outcome> result = Outcome{};
  std::thread::id thread;
};

Detached await_release(Stream stream, Ticket ticket, RuleId rule, Ending& ending) {
  ending.result = co_await release(stream, ticket, rule);
  ending.thread = std::this_thread::get_id();
  ending.reached = true;
}

class Await : public BothBackends {
 protected:
  Await() {
    async_ = stream_.rule(async()).value();
    one_ = stream_.rule(semi_sync()).value();
  }

  [[nodiscard]] PrimaryOptions options() const {
    PrimaryOptions options = primary_options();
    options.waiters_max = 1;
    return options;
  }

  Primary primary_ = Primary::open(options()).value();
  Stream stream_ = primary_.stream();
  RuleId async_;
  RuleId one_;
};
QUORATE_BOTH_BACKENDS(Await);

TEST_P(Await, WhatIsReleasedAlreadyDoesNotSuspend) {
  const Ticket ticket = stream_.append("x").value();
  ASSERT_TRUE(stream_.wait(ticket, async_, kLong).value().released());
  Ending ending;
  await_release(stream_, ticket, async_, ending);
  ASSERT_TRUE(ending.reached);
  EXPECT_EQ(ending.thread, std::this_thread::get_id());
  EXPECT_TRUE(ending.result.value().released());
}

TEST_P(Await, TheCoroutineGoesOnOnTheLoopOnceReleased) {
  const Ticket ticket = stream_.append("x").value();
  Ending ending;
  await_release(stream_, ticket, one_, ending);
  EXPECT_FALSE(ending.reached);
  RunningReplica b(replica_options(primary_, "b"));
  ASSERT_TRUE(eventually([&] { return ending.reached.load(); }));
  EXPECT_NE(ending.thread, std::this_thread::get_id());
  EXPECT_TRUE(ending.result.value().released());
  EXPECT_EQ(ending.result.value().copies, 2u);
}

TEST_P(Await, WhatCannotBeAwaitedGoesOnAtOnceWithTheError) {
  const Ticket ticket = stream_.append("x").value();
  Ticket foreign = ticket;
  ++foreign.epoch.number;
  Ending refused;
  await_release(stream_, foreign, async_, refused);
  ASSERT_TRUE(refused.reached);
  ASSERT_FALSE(refused.result);
  EXPECT_EQ(refused.result.error().code, Errc::fenced);

  Ending waits;
  await_release(stream_, ticket, one_, waits);
  Ending busy;
  await_release(stream_, ticket, one_, busy);
  ASSERT_TRUE(busy.reached);
  EXPECT_EQ(busy.thread, std::this_thread::get_id());
  ASSERT_FALSE(busy.result);
  EXPECT_EQ(busy.result.error().code, Errc::busy);
  EXPECT_FALSE(waits.reached);
  primary_.close();
  ASSERT_TRUE(waits.reached) << "close() resolves every waiter";
  EXPECT_EQ(waits.result.value().kind, OutcomeKind::unknown);
}

Detached append_and_await(Stream stream, RuleId rule, int count, std::atomic<int>& released) {
  for (int i = 0; i < count; ++i) {
    const Ticket ticket = stream.append("by a coroutine").value();
    const Result<Outcome> outcome = co_await release(stream, ticket, rule);
    if (!outcome || !outcome->released()) co_return;
    ++released;
  }
}

TEST_P(Await, ACoroutineWritesInALoop) {
  RunningReplica b(replica_options(primary_, "b"));
  std::atomic<int> released{0};
  append_and_await(stream_, one_, 500, released);
  EXPECT_TRUE(eventually([&] { return released == 500; }));
}

}  // namespace
}  // namespace quorate
