// A hosted engine with several loops: one thread turns them all, or each has its own.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

class HostedLoops : public BothBackends {
 protected:
  [[nodiscard]] EngineOptions engine_options() const {
    EngineOptions options;
    options.hosted = true;
    options.loops = 2;
    options.backend = GetParam();
    return options;
  }
  [[nodiscard]] PrimaryOptions four_streams() const {
    PrimaryOptions options = primary_options();
    options.streams = 4;
    options.replicas = {"b"};
    return options;
  }
};
QUORATE_BOTH_BACKENDS(HostedLoops);

/// One thread per loop of an engine, each turning its loop until this is destroyed. Once made, no
/// other thread becomes the host of a loop by waiting on it.
class LoopThreads {
 public:
  explicit LoopThreads(Engine& engine) {
    for (std::uint32_t loop = 0; loop < engine.loop_count(); ++loop) {
      threads_.emplace_back([this, &engine, loop] {
        engine.run_once(loop);
        ++hosted_;
        while (!done_) engine.run_once(loop, 10ms);
      });
    }
    while (hosted_ < engine.loop_count()) std::this_thread::yield();
  }
  ~LoopThreads() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::atomic<std::uint32_t> hosted_{0};
  std::vector<std::thread> threads_;
};

TEST_P(HostedLoops, OneThreadPerLoopServesEverybody) {
  Engine engine = Engine::open(engine_options()).value();
  LoopThreads loops(engine);
  Primary primary = Primary::open(engine, four_streams()).value();
  RunningReplica b(replica_options(primary, "b"));
  for (int i = 0; i < 100; ++i) {
    const StreamId id = static_cast<StreamId>(i % 4);
    const Ticket ticket = primary.stream(id).append("x").value();
    const auto outcome = primary.wait(ticket, sync(Level::applied), kLong);
    ASSERT_TRUE(outcome.value().released()) << "stream " << id;
  }
  EXPECT_EQ(b.applied().count(), 100u);
  // The threads that host the loops go on until close() has returned.
  primary.close();
  EXPECT_TRUE(b.join());
}

TEST_P(HostedLoops, AReplicaOnLoopsOfOtherThreadsAppliesOnItsOwn) {
  Primary primary = Primary::open(four_streams()).value();
  ReplicaOptions options = replica_options(primary, "b");
  Engine engine = Engine::open(engine_options()).value();
  LoopThreads loops(engine);
  Replica b = Replica::open(engine, options).value();
  Applied applied;
  std::thread applying(
      [&] { EXPECT_TRUE(b.run([&](const Record& record) { applied.add(record); })); });
  for (int i = 0; i < 100; ++i) {
    const StreamId id = static_cast<StreamId>(i % 4);
    const Ticket ticket = primary.stream(id).append("x").value();
    ASSERT_TRUE(primary.wait(ticket, sync(Level::applied), kLong).value().released());
  }
  b.stop();
  applying.join();
  EXPECT_EQ(applied.count(), 100u);
  b.close();
}

TEST_P(HostedLoops, OneThreadMayTurnAllLoops) {
  Engine engine = Engine::open(engine_options()).value();
  Primary primary = Primary::open(engine, four_streams()).value();
  Replica b = Replica::open(engine, replica_options(primary, "b")).value();
  Applied applied;
  Ticket last[4];
  for (int i = 0; i < 100; ++i) {
    const StreamId id = static_cast<StreamId>(i % 4);
    last[id] = primary.stream(id).append("record " + std::to_string(i)).value();
  }
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(b.poll([&](const Record& record) { applied.add(record); }, 64));
    return applied.count() == 100;
  }));
  for (const Ticket& ticket : last) {
    EXPECT_TRUE(primary.wait(ticket, sync(Level::applied), kLong).value().released());
  }
}

TEST_P(HostedLoops, AReplicaThatRunsOnOneThreadTurnsAllItsLoops) {
  Primary primary = Primary::open(four_streams()).value();
  ReplicaOptions options = replica_options(primary, "b");
  options.engine.loops = 2;
  RunningReplica b(options);
  for (int i = 0; i < 100; ++i) {
    const StreamId id = static_cast<StreamId>(i % 4);
    const Ticket ticket = primary.stream(id).append("x").value();
    ASSERT_TRUE(primary.wait(ticket, sync(Level::applied), kLong).value().released());
  }
}

TEST_P(HostedLoops, AnotherThreadsLoopIsNotTurned) {
  EngineOptions one_loop = engine_options();
  one_loop.loops = 1;
  Engine engine = Engine::open(one_loop).value();
  PrimaryOptions options = primary_options();
  options.replicas = {};
  Primary primary = Primary::open(engine, options).value();
  engine.run_once();  // from now on this thread hosts the loop
  Stream stream = primary.stream();
  const RuleId rule = stream.rule(async()).value();
  const Ticket ticket = stream.append("x").value();
  std::thread other([&] {
    engine.run_once(0, kForever);
    EXPECT_FALSE(stream.released(ticket, rule));
    EXPECT_EQ(stream.wait(ticket, rule, kShort).value().kind, OutcomeKind::pending);
  });
  other.join();
  engine.run_once();
  EXPECT_TRUE(stream.released(ticket, rule));
}

TEST_P(HostedLoops, AnotherThreadMayWaitWhileTheHostTurns) {
  EngineOptions one_loop = engine_options();
  one_loop.loops = 1;
  Engine engine = Engine::open(one_loop).value();
  PrimaryOptions options = primary_options();
  options.replicas = {};
  Primary primary = Primary::open(engine, options).value();
  std::atomic<bool> done{false};
  engine.run_once();
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) {
      const Ticket ticket = primary.append("x").value();
      EXPECT_TRUE(primary.wait(ticket, async(), kLong).value().released());
    }
    done = true;
  });
  while (!done) engine.run_once(0, 10ms);
  other.join();
}

}  // namespace
}  // namespace quorate
