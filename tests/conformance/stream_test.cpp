// Bytes over connected sockets: order, wholeness, ends and errors.

#include "loop.h"

namespace quorate::reactor {
namespace {

CONFORMANCE_SUITE(Stream);

std::vector<iovec> slices(std::string& bytes, std::size_t count) {
  std::vector<iovec> vectors;
  const std::size_t step = bytes.size() / count;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * step;
    vectors.push_back({bytes.data() + begin, i + 1 == count ? bytes.size() - begin : step});
  }
  return vectors;
}

TEST_P(Stream, ALargeSendToASlowReaderCompletesWhole) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string sent = pattern((8u << 20) + 77);
  Probe sending;
  sending.send(*small, pair.client, slices(sent, Operation::kVectorsMax));
  // One part at a time: the sender runs into the full socket again and again.
  const std::string received = receive_all(small, pair.server, sent.size(), 50'001);
  small.run(sending);
  EXPECT_EQ(sending.result(), static_cast<std::int32_t>(sent.size()));
  EXPECT_TRUE(received == sent);
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Stream, BothDirectionsAtOnce) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string there = pattern(3u << 20, 1);
  std::string back = pattern(3u << 20, 2);
  Probe sends[2];
  sends[0].send(*small, pair.client, slices(there, 3));
  sends[1].send(*small, pair.server, slices(back, 1));
  std::string part[2] = {std::string(40'000, '\0'), std::string(9'000, '\0')};
  std::string got[2];
  Probe receives[2];
  const Socket ends[2] = {pair.server, pair.client};
  for (int i = 0; i < 2; ++i) {
    receives[i].then = [&, i](std::int32_t result) {
      ASSERT_GT(result, 0);
      got[i].append(part[i], 0, static_cast<std::size_t>(result));
      if (got[i].size() < there.size()) {
        receives[i].receive(*small, ends[i], {vector_of(part[i])});
      }
    };
    receives[i].receive(*small, ends[i], {vector_of(part[i])});
  }
  small.run_until([&] { return got[0].size() == there.size() && got[1].size() == back.size(); });
  small.run(sends[0]);
  small.run(sends[1]);
  EXPECT_TRUE(got[0] == there);
  EXPECT_TRUE(got[1] == back);
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Stream, ReceiveFillsBuffersInOrder) {
  const Pair pair = connect_pair();
  std::string buffers[3] = {std::string(3, '.'), std::string(4, '.'), std::string(5, '.')};
  Probe receiving;
  receiving.receive(*loop(), pair.server,
                    {vector_of(buffers[0]), vector_of(buffers[1]), vector_of(buffers[2])});
  send_all(loop(), pair.client, "abcdefghi");
  loop().run(receiving);
  ASSERT_EQ(receiving.result(), 9);
  EXPECT_EQ(buffers[0] + buffers[1] + buffers[2], "abcdefghi...");
  close(pair);
}

TEST_P(Stream, AReceiveOfEveryVectorAllowed) {
  const Pair pair = connect_pair();
  std::string sent = pattern(Operation::kVectorsMax);
  send_all(loop(), pair.client, sent);
  std::string got(Operation::kVectorsMax, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.server, slices(got, Operation::kVectorsMax));
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), static_cast<std::int32_t>(Operation::kVectorsMax));
  EXPECT_EQ(got, sent);
  close(pair);
}

TEST_P(Stream, DataAfterAShortReceiveIsNoticed) {
  const Pair pair = connect_pair();
  std::string buffer(100, '\0');
  for (int round = 0; round < 300; ++round) {
    Probe receiving;
    const bool receives_first = round % 2 == 0;
    if (receives_first) {
      receiving.receive(*loop(), pair.server, {vector_of(buffer)});
      loop().settle();
      ASSERT_FALSE(receiving.done());
    }
    send_all(loop(), pair.client, pattern(1 + static_cast<std::size_t>(round) % 99));
    if (!receives_first) receiving.receive(*loop(), pair.server, {vector_of(buffer)});
    loop().run(receiving);
    ASSERT_EQ(receiving.result(), 1 + round % 99);
  }
  close(pair);
}

TEST_P(Stream, AReceiveThatFillsItsBufferLeavesTheRest) {
  const Pair pair = connect_pair();
  send_all(loop(), pair.client, "0123456789");
  EXPECT_EQ(receive_all(loop(), pair.server, 10, 5), "0123456789");
  Probe receiving;
  std::string buffer(5, '\0');
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  loop().settle();
  EXPECT_FALSE(receiving.done());
  send_all(loop(), pair.client, "x");
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), 1);
  close(pair);
}

TEST_P(Stream, TheEndComesBehindTheLastByte) {
  const Pair pair = connect_pair();
  send_all(loop(), pair.client, "last words");
  loop()->shutdown_send(pair.client);
  loop().settle();
  EXPECT_EQ(receive_all(loop(), pair.server, 1000, 3), "last words");
  // The end stays the end, and the other direction is still open.
  EXPECT_EQ(receive_all(loop(), pair.server, 1, 1), "");
  send_all(loop(), pair.server, "answer");
  EXPECT_EQ(receive_all(loop(), pair.client, 6, 6), "answer");
  close(pair);
}

TEST_P(Stream, TheEndIsNoticedWhileWaiting) {
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  loop().settle();
  loop()->close(pair.client);
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), 0);
  loop()->close(pair.server);
}

TEST_P(Stream, AResetIsAnErrno) {
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  // Who closes with bytes unread resets.
  send_all(loop(), pair.server, "unread");
  loop().rest(5 * kMillisecond_ns);
  loop()->close(pair.client);
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), -ECONNRESET);
  loop()->close(pair.server);
}

/// The default action of SIGPIPE would end this process.
TEST_P(Stream, SendingToNobodyIsAnErrnoAndNoSignal) {
  const Pair pair = connect_pair();
  loop()->close(pair.server);
  std::string bytes = pattern(100'000);
  std::int32_t result = 0;
  for (int i = 0; i < 100 && result >= 0; ++i) {
    Probe sending;
    sending.send(*loop(), pair.client, slices(bytes, i % 2 == 0 ? 1 : 4));
    loop().run(sending);
    result = sending.result();
  }
  EXPECT_TRUE(result == -EPIPE || result == -ECONNRESET) << result;
  loop()->close(pair.client);
}

TEST_P(Stream, OperationsStartedInsideCompletions) {
  constexpr int kRounds = 500;
  const Pair pair = connect_pair();
  std::uint32_t ball = 0;
  std::uint32_t caught[2] = {};
  int rounds = 0;
  Probe sending[2];
  Probe receiving[2];
  const Socket ends[2] = {pair.client, pair.server};
  for (int i = 0; i < 2; ++i) {
    receiving[i].then = [&, i](std::int32_t result) {
      if (rounds == kRounds) return;  // ended by the shutdown below
      ASSERT_EQ(result, 4);
      EXPECT_EQ(caught[i], ball);
      if (++rounds == kRounds) return;
      receiving[i].receive(*loop(), ends[i], {{&caught[i], 4}});
      ++ball;
      sending[i].send(*loop(), ends[i], {{&ball, 4}});
    };
    receiving[i].receive(*loop(), ends[i], {{&caught[i], 4}});
  }
  sending[0].send(*loop(), pair.client, {{&ball, 4}});
  loop().run_until([&] { return rounds == kRounds; });
  loop()->shutdown(pair.client);
  loop().run_until([&] {
    return !receiving[0].operation.in_flight() && !receiving[1].operation.in_flight();
  });
  close(pair);
}

TEST_P(Stream, ShutdownEndsWhatIsInFlight) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string buffer(8, '\0');
  std::string large = pattern(4u << 20);
  Probe receiving;
  Probe sending;
  receiving.receive(*small, pair.client, {vector_of(buffer)});
  sending.send(*small, pair.client, {vector_of(large)});
  small.settle();
  ASSERT_FALSE(sending.done());
  small->shutdown(pair.client);
  small.run(receiving);
  small.run(sending);
  EXPECT_LE(receiving.result(), 0);
  EXPECT_LT(sending.result(), static_cast<std::int32_t>(large.size()));
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Stream, ShutdownBeforeTheFirstWaitEndsWhatWasStarted) {
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.client, {vector_of(buffer)});
  loop()->shutdown(pair.client);
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), 0);
  close(pair);
}

TEST_P(Stream, ShutdownOfAListenerEndsItsAccept) {
  const Socket listener = listen(loop());
  Probe accepting;
  loop()->accept(accepting.operation, listener);
  loop().settle();
  loop()->shutdown(listener);
  loop().run(accepting);
  EXPECT_LT(accepting.result(), 0);
  loop()->close(listener);
}

}  // namespace
}  // namespace quorate::reactor
