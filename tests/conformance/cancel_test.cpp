// Cancelled operations complete like others, and nothing that they did or did not do is lost.

#include <algorithm>
#include <deque>

#include "loop.h"

namespace quorate::reactor {
namespace {

CONFORMANCE_SUITE(Cancel);

TEST_P(Cancel, AReceiveLosesNothing) {
  const Pair pair = connect_pair();
  std::string buffer(64, '\0');
  for (const bool started : {true, false}) {
    Probe receiving;
    receiving.receive(*loop(), pair.server, {vector_of(buffer)});
    if (started) loop().settle();
    loop()->cancel(receiving.operation);
    EXPECT_EQ(receiving.completions(), 0);
    loop().run(receiving);
    EXPECT_EQ(receiving.result(), -ECANCELED);
    send_all(loop(), pair.client, "later");
    EXPECT_EQ(receive_all(loop(), pair.server, 5, 64), "later");
  }
  close(pair);
}

TEST_P(Cancel, AHalfDoneSendTellsHowFarItCame) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string sent = pattern(6u << 20);
  for (const std::size_t vectors : {std::size_t{1}, std::size_t{100}}) {
    Probe sending;
    std::vector<iovec> slices;
    const std::size_t step = sent.size() / vectors;
    for (std::size_t i = 0; i < vectors; ++i) slices.push_back({sent.data() + i * step, step});
    sending.send(*small, pair.client, slices);
    std::string received = receive_all(small, pair.server, 1u << 20, 10'000);
    ASSERT_FALSE(sending.done());
    small->cancel(sending.operation);
    small.run(sending);
    const auto done = static_cast<std::size_t>(std::max(sending.result(), 0));
    ASSERT_GE(done, std::size_t{1} << 20);
    ASSERT_LT(done, sent.size());
    // The rest follows without a gap or a repetition.
    Probe rest;
    const std::size_t whole = step * vectors;
    rest.send(*small, pair.client, {{sent.data() + done, whole - done}});
    received += receive_all(small, pair.server, whole - received.size(), 100'000);
    small.run(rest);
    EXPECT_TRUE(received == sent.substr(0, whole));
  }
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Cancel, ASendThatHadNoRoomDidNothing) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string filler = pattern(4u << 20);
  Probe filling;
  filling.send(*small, pair.client, {vector_of(filler)});
  small.settle();
  small->cancel(filling.operation);
  small.run(filling);
  ASSERT_GT(filling.result(), 0);
  const auto filled = static_cast<std::size_t>(filling.result());
  Probe blocked;
  std::string more = "more";
  blocked.send(*small, pair.client, {vector_of(more)});
  small.settle();
  small->cancel(blocked.operation);
  small.run(blocked);
  const std::size_t sent = blocked.result() > 0 ? static_cast<std::size_t>(blocked.result()) : 0;
  EXPECT_TRUE(sent > 0 || blocked.result() == -ECANCELED) << blocked.result();
  small->shutdown_send(pair.client);
  const std::string received = receive_all(small, pair.server, filler.size() + 9, 100'000);
  EXPECT_TRUE(received == filler.substr(0, filled) + more.substr(0, sent));
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Cancel, AnAcceptLeavesTheListenerUsable) {
  const Socket listener = listen(loop());
  Probe accepting;
  loop()->accept(accepting.operation, listener);
  loop().settle();
  loop()->cancel(accepting.operation);
  loop().run(accepting);
  EXPECT_EQ(accepting.result(), -ECANCELED);
  Probe connected;
  Probe accepted;
  loop()->connect(connected.operation, loop()->local_address(listener).value());
  loop()->accept(accepted.operation, listener);
  loop().run_until([&] { return accepted.done() && connected.done(); });
  EXPECT_GE(accepted.result(), 0);
  close({connected.socket(), accepted.socket()});
  loop()->close(listener);
}

/// Nobody accepts and the queue of the listener is short, so that some connects stay on their way.
TEST_P(Cancel, AConnect) {
  const Socket listener = listen(loop(), "127.0.0.1:0", 0);
  const Address address = loop()->local_address(listener).value();
  std::deque<Probe> connecting(8);
  for (Probe& probe : connecting) loop()->connect(probe.operation, address);
  loop().settle();
  for (Probe& probe : connecting) loop()->cancel(probe.operation);
  int cancelled = 0;
  for (Probe& probe : connecting) {
    loop().run(probe);
    if (probe.result() >= 0) {
      loop()->close(probe.socket());
    } else {
      EXPECT_EQ(probe.result(), -ECANCELED);
      ++cancelled;
    }
  }
  EXPECT_GT(cancelled, 0);
  loop()->close(listener);
}

TEST_P(Cancel, TwiceIsOnce) {
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  Probe receiving;
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  loop()->cancel(receiving.operation);
  loop()->cancel(receiving.operation);
  loop().run(receiving);
  loop().settle();
  EXPECT_EQ(receiving.completions(), 1);
  // An operation started anew is not hit by the cancels of its former life.
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  loop().settle();
  EXPECT_EQ(receiving.completions(), 0);
  send_all(loop(), pair.client, "x");
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), 1);
  close(pair);
}

TEST_P(Cancel, WhatIsIdleOrDoneStaysSo) {
  const Pair pair = connect_pair();
  std::string buffer(8, '\0');
  Probe receiving;
  loop()->cancel(receiving.operation);
  loop().settle();
  EXPECT_EQ(receiving.completions(), 0);
  send_all(loop(), pair.client, "done");
  receiving.receive(*loop(), pair.server, {vector_of(buffer)});
  while (!loop()->ready()) loop()->wait(kNever);
  loop()->cancel(receiving.operation);
  loop().run(receiving);
  EXPECT_EQ(receiving.result(), 4);
  loop()->cancel(receiving.operation);
  loop().settle();
  EXPECT_EQ(receiving.completions(), 1);
  close(pair);
}

/// A completion cancels an operation that has completed in the same turn, and restarts itself.
TEST_P(Cancel, FromInsideACompletion) {
  const Pair first = connect_pair();
  const Pair second = connect_pair();
  std::string buffers[2] = {std::string(8, '\0'), std::string(8, '\0')};
  Probe receiving[2];
  const Socket ends[2] = {first.server, second.server};
  for (int i = 0; i < 2; ++i) {
    receiving[i].then = [&, i](std::int32_t) { loop()->cancel(receiving[1 - i].operation); };
    receiving[i].receive(*loop(), ends[i], {vector_of(buffers[i])});
  }
  send_all(loop(), first.client, "one");
  send_all(loop(), second.client, "two");
  loop().run(receiving[0]);
  loop().run(receiving[1]);
  loop().settle();
  for (const Probe& probe : receiving) {
    EXPECT_EQ(probe.completions(), 1);
    EXPECT_TRUE(probe.result() == 3 || probe.result() == -ECANCELED) << probe.result();
  }
  close(first);
  close(second);
}

TEST_P(Cancel, RacesWithArrival) {
  const Pair pair = connect_pair();
  std::string buffer(64, '\0');
  std::size_t received = 0;
  constexpr std::size_t kRounds = 300;
  for (std::size_t round = 0; round < kRounds; ++round) {
    Probe receiving;
    std::string byte = "b";
    Probe sending;
    receiving.receive(*loop(), pair.server, {vector_of(buffer)});
    if (round % 3 == 0) loop()->wait(0);
    sending.send(*loop(), pair.client, {vector_of(byte)});
    if (round % 3 == 1) loop()->wait(0);
    loop()->cancel(receiving.operation);
    loop().run_until([&] { return receiving.done() && sending.done(); });
    if (receiving.result() > 0) received += static_cast<std::size_t>(receiving.result());
  }
  loop()->shutdown_send(pair.client);
  received += receive_all(loop(), pair.server, kRounds, 64).size();
  EXPECT_EQ(received, kRounds);
  close(pair);
}

}  // namespace
}  // namespace quorate::reactor
