// What a primary says about its replicas, inside its process and over the network.

#include "rig.h"
#include "tcp_peer.h"

namespace quorate {
namespace {

using namespace test;

class StatusQueries : public BothBackends {
 protected:
  static constexpr std::uint32_t kStreams = 600;

  StatusQueries() {
    PrimaryOptions options = primary_options();
    options.name = "the-primary";
    options.cluster = "test";
    options.streams = kStreams;
    options.ring_bytes = 64u << 10;
    options.engine.loops = 2;
    primary_ = std::make_unique<Primary>(Primary::open(options).value());
    query_.address = primary_->address();
    query_.cluster = "test";
    query_.timeout = kLong;
  }

  Errc refused() {
    const auto answer = query_status(query_);
    EXPECT_FALSE(answer);
    return answer ? Errc::busy : answer.error().code;
  }

  std::unique_ptr<Primary> primary_;
  StatusQuery query_;
};
QUORATE_BOTH_BACKENDS(StatusQueries);

TEST_P(StatusQueries, SaysWhereEachReplicaIs) {
  ReplicaOptions follower = replica_options(*primary_, "b");
  follower.cluster = "test";
  RunningReplica b(follower);
  const Ticket ticket = primary_->stream(3).append("x").value();
  ASSERT_TRUE(primary_->wait(ticket, all({"b"}, Level::applied), kLong).value().released());
  const NodeStatus node = query_status(query_).value();
  EXPECT_EQ(node.node, "the-primary");
  EXPECT_EQ(node.streams_total, kStreams);
  ASSERT_EQ(node.streams.size(), 256u) << "as many as asked for";
  const StreamStatus& stream = node.streams[3];
  EXPECT_EQ(stream.stream, 3u);
  EXPECT_EQ(stream.epoch, primary_->epoch());
  EXPECT_EQ(stream.appended, ticket.end);
  EXPECT_EQ(stream.committed, ticket.end);
  ASSERT_EQ(stream.replicas.size(), 2u);
  EXPECT_EQ(stream.replicas[0].name, "b");
  EXPECT_EQ(stream.replicas[0].state, ReplicaStatus::State::streaming);
  EXPECT_EQ(stream.replicas[0].sent, ticket.end);
  EXPECT_EQ(stream.replicas[0].received, ticket.end);
  EXPECT_EQ(stream.replicas[0].durable, 0u);
  EXPECT_EQ(stream.replicas[0].applied, ticket.end);
  EXPECT_EQ(stream.replicas[0].lag_bytes, 0u);
  EXPECT_EQ(stream.replicas[0].lag_seconds, 0.0);
  EXPECT_EQ(stream.replicas[1].name, "c");
  EXPECT_EQ(stream.replicas[1].state, ReplicaStatus::State::absent);
  EXPECT_EQ(to_string(stream.replicas[1].state), "absent");
  EXPECT_EQ(stream.replicas[1].received, 0u);
  EXPECT_EQ(stream.replicas[1].lag_bytes, ticket.end);
  EXPECT_GT(stream.replicas[1].lag_seconds, 0.0);
  EXPECT_EQ(node.streams[4].appended, 0u);
  EXPECT_EQ(node.streams[4].replicas[1].lag_bytes, 0u);
}

TEST_P(StatusQueries, InsideTheProcessItIsTheSame) {
  const Ticket ticket = primary_->stream(5).append("x").value();
  ASSERT_TRUE(primary_->wait(ticket, async(), kLong).value().released());
  const StreamStatus inside = primary_->stream(5).status();
  query_.first = 5;
  query_.count = 1;
  const NodeStatus outside = query_status(query_).value();
  ASSERT_EQ(outside.streams.size(), 1u);
  EXPECT_EQ(outside.streams[0].stream, inside.stream);
  EXPECT_EQ(outside.streams[0].epoch, inside.epoch);
  EXPECT_EQ(outside.streams[0].appended, inside.appended);
  EXPECT_EQ(outside.streams[0].replicas.size(), inside.replicas.size());
}

TEST_P(StatusQueries, RangesOfStreamsMayBeAskedFor) {
  query_.count = 65536;
  const NodeStatus all = query_status(query_).value();
  ASSERT_EQ(all.streams.size(), kStreams);
  for (StreamId id = 0; id < kStreams; ++id) EXPECT_EQ(all.streams[id].stream, id);
  query_.first = kStreams - 2;
  query_.count = 10;
  const NodeStatus tail = query_status(query_).value();
  ASSERT_EQ(tail.streams.size(), 2u);
  EXPECT_EQ(tail.streams[0].stream, kStreams - 2);
  query_.first = kStreams;
  const NodeStatus none = query_status(query_).value();
  EXPECT_TRUE(none.streams.empty());
  EXPECT_EQ(none.streams_total, kStreams);
}

TEST_P(StatusQueries, AnotherClusterIsIncompatible) {
  query_.cluster = "other";
  EXPECT_EQ(refused(), Errc::incompatible);
  EXPECT_TRUE(eventually([&] { return primary_->counters().connections_refused == 1; }));
}

TEST_P(StatusQueries, NobodyThereIsUnreachable) {
  primary_->close();
  EXPECT_EQ(refused(), Errc::unreachable);
}

TEST_P(StatusQueries, SilenceTimesOut) {
  const TcpSilence silence;
  query_.address = silence.address();
  query_.timeout = kShort;
  EXPECT_EQ(refused(), Errc::timed_out);
}

TEST_P(StatusQueries, QuestionsOutOfRangeNameTheField) {
  const auto text_of = [&](StatusQuery query) {
    const auto answer = query_status(query);
    EXPECT_FALSE(answer);
    if (answer) return std::string();
    EXPECT_EQ(answer.error().code, Errc::invalid_option);
    return answer.error().text;
  };
  StatusQuery query = query_;
  query.count = 0;
  EXPECT_EQ(text_of(query), "count: found 0, allowed 1…65536");
  query = query_;
  query.timeout = 0ms;
  EXPECT_EQ(text_of(query), "timeout: found 0 ms, allowed 1…3600000 ms");
  query = query_;
  query.cluster = "";
  EXPECT_EQ(text_of(query), "cluster: found 0 bytes, allowed 1…64 bytes");
  query = query_;
  query.address = "nowhere";
  EXPECT_NE(text_of(query).find("\"nowhere\""), std::string::npos);
}

TEST_P(StatusQueries, ManyMayAskAtOnceWhileRecordsFlow) {
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) (void)primary_->append("x");
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int k = 0; k < 5; ++k) EXPECT_EQ(query_status(query_).value().streams.size(), 256u);
    });
  }
  for (std::thread& client : clients) client.join();
  done = true;
  writer.join();
}

}  // namespace
}  // namespace quorate
