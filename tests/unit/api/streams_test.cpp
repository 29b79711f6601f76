// Many streams on several loops, many writers, replicas with other loops than the primary.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

constexpr std::uint32_t kStreams = 100;
constexpr int kWriters = 3;
constexpr int kRounds = 20;

class Streams : public BothBackends {
 protected:
  Streams() {
    PrimaryOptions options = primary_options();
    options.streams = kStreams;
    options.ring_bytes = 64u << 10;
    options.engine.loops = 2;
    options.rules = {sync(), sync(Level::applied)};
    primary_ = std::make_unique<Primary>(Primary::open(options).value());
  }

  ReplicaOptions replica_with(const std::string& name, std::uint32_t loops) const {
    ReplicaOptions options = replica_options(*primary_, name);
    options.engine.hosted = false;
    options.engine.loops = loops;
    return options;
  }

  Ticket append(StreamId id, const std::string& text) {
    return append_patiently(primary_->stream(id), text);
  }

  /// Every writer writes to every stream, each its own numbers in order.
  void write_all() {
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([this, w] {
        for (int round = 0; round < kRounds; ++round) {
          for (StreamId id = 0; id < kStreams; ++id) {
            append(id, std::to_string(w) + ":" + std::to_string(round) + ":" +
                           std::string((id * 37 + static_cast<StreamId>(round)) % 500, 'x'));
          }
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
  }

  void wait_applied() {
    for (StreamId id = 0; id < kStreams; ++id) {
      const Ticket last = append(id, "9:end");
      ASSERT_TRUE(primary_->wait(last, sync(Level::applied), kLong).value().released()) << id;
    }
  }

  std::unique_ptr<Primary> primary_;
};
QUORATE_BOTH_BACKENDS(Streams);

void expect_each_writers_order(const Applied& applied) {
  for (StreamId id = 0; id < kStreams; ++id) {
    const std::vector<std::string> texts = applied.texts(id);
    ASSERT_EQ(texts.size(), std::size_t{kWriters * kRounds + 1}) << "stream " << id;
    int next[kWriters] = {};
    for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
      const auto writer = static_cast<std::size_t>(texts[i][0] - '0');
      ASSERT_EQ(std::stoi(texts[i].substr(2)), next[writer]++) << "stream " << id;
    }
    EXPECT_EQ(texts.back(), "9:end");
  }
}

TEST_P(Streams, AHundredStreamsArriveEquallyOnReplicasWithOtherLoops) {
  RunningReplica b(replica_with("b", 1));
  RunningReplica c(replica_with("c", 3));
  write_all();
  wait_applied();
  expect_each_writers_order(b.applied());
  EXPECT_TRUE(b.applied() == c.applied());
  EXPECT_TRUE(b.applied().gapless());
}

TEST_P(Streams, AReplicaThatComesInTheMiddleGetsTheSame) {
  RunningReplica b(replica_with("b", 2));
  std::thread writing([&] { write_all(); });
  RunningReplica c(replica_with("c", 2));
  writing.join();
  wait_applied();
  expect_each_writers_order(c.applied());
  EXPECT_TRUE(b.applied() == c.applied());
}

TEST_P(Streams, EachStreamHasItsOwnPositionsAndTickets) {
  EXPECT_EQ(primary_->stream_count(), kStreams);
  for (StreamId id = 0; id < kStreams; ++id) {
    Stream stream = primary_->stream(id);
    EXPECT_EQ(stream.id(), id);
    EXPECT_EQ(stream.epoch(), primary_->epoch());
    const Ticket ticket = stream.append("x").value();
    EXPECT_EQ(ticket.stream, id);
    EXPECT_EQ(ticket.end, 16u);
  }
}

TEST_P(Streams, MoreLoopsThanStreamsAreFine) {
  PrimaryOptions options = primary_options();
  options.replicas = {"b"};
  options.streams = 2;
  options.engine.loops = 4;
  Primary primary = Primary::open(options).value();
  ReplicaOptions follower = replica_options(primary, "b");
  RunningReplica b(follower);
  for (StreamId id = 0; id < 2; ++id) {
    const Ticket ticket = primary.stream(id).append("x").value();
    EXPECT_TRUE(primary.wait(ticket, sync(Level::applied), kLong).value().released());
  }
  primary.close();
  EXPECT_TRUE(b.join()) << "every loop says goodbye, also one without streams";
}

}  // namespace
}  // namespace quorate
