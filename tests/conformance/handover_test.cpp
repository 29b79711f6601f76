// Sockets that move between reactors, descriptors that are used again, threads that come later.

#include <sys/resource.h>

#include <deque>
#include <thread>

#include "loop.h"

namespace quorate::reactor {
namespace {

CONFORMANCE_SUITE(Handover);

TEST_P(Handover, ASocketGoesOnInAnotherReactor) {
  Loop other = make_loop();
  const Pair pair = connect_pair();
  send_all(loop(), pair.client, "first");
  EXPECT_EQ(receive_all(loop(), pair.server, 5, 5), "first");
  loop()->release(pair.server);
  other->adopt(pair.server);
  std::string buffer(8, '\0');
  Probe receiving;
  receiving.receive(*other, pair.server, {vector_of(buffer)});
  other.settle();
  EXPECT_FALSE(receiving.done());
  send_all(loop(), pair.client, "second");
  other.run(receiving);
  EXPECT_EQ(receiving.result(), 6);
  send_all(other, pair.server, "back");
  EXPECT_EQ(receive_all(loop(), pair.client, 4, 4), "back");
  other->close(pair.server);
  loop()->close(pair.client);
}

TEST_P(Handover, BytesAndTheEndThatCameBeforeAreThere) {
  Loop other = make_loop();
  const Pair pair = connect_pair();
  send_all(loop(), pair.client, "early");
  loop()->shutdown_send(pair.client);
  loop().settle();
  loop()->release(pair.server);
  other.settle();
  other->adopt(pair.server);
  EXPECT_EQ(receive_all(other, pair.server, 100, 2), "early");
  other->close(pair.server);
  loop()->close(pair.client);
}

TEST_P(Handover, TheFormerReactorHearsNothingMore) {
  Loop other = make_loop();
  const Pair pair = connect_pair();
  loop()->release(pair.server);
  other->adopt(pair.server);
  send_all(loop(), pair.client, "x");
  loop().settle();
  loop()->wait(0);
  EXPECT_FALSE(loop()->ready());
  EXPECT_EQ(receive_all(other, pair.server, 1, 1), "x");
  other->close(pair.server);
  loop()->close(pair.client);
}

/// The number of a closed descriptor comes back at once; nothing that was known of it does.
TEST_P(Handover, AReusedDescriptorStartsAfresh) {
  int reused = 0;
  Pair old = connect_pair();
  std::string buffer(8, '\0');
  for (int round = 0; round < 50; ++round) {
    // The old socket is readable, at its end, and was about to be tried.
    send_all(loop(), old.client, "stale");
    loop()->shutdown_send(old.client);
    if (round % 2 == 0) {
      Probe cancelled;
      cancelled.receive(*loop(), old.server, {vector_of(buffer)});
      loop()->cancel(cancelled.operation);
      loop().run(cancelled);
    }
    close(old);
    const Pair fresh = connect_pair();
    reused += fresh.client == old.server || fresh.server == old.server ? 1 : 0;
    Probe receiving;
    receiving.receive(*loop(), fresh.server, {vector_of(buffer)});
    loop().settle();
    ASSERT_FALSE(receiving.done()) << "round " << round;
    send_all(loop(), fresh.client, "new");
    loop().run(receiving);
    ASSERT_EQ(receiving.result(), 3);
    old = fresh;
  }
  EXPECT_GT(reused, 0) << "this test needs descriptors to come back";
  close(old);
}

/// More operations than any submission queue holds, started by a thread that does not own the loop.
TEST_P(Handover, OperationsStartedBeforeTheOwnerCame) {
  constexpr std::size_t kPairs = 180;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Loop other = make_loop();
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < kPairs; ++i) {
    const Pair pair = connect_pair();
    sockets.push_back(pair.client);
    sockets.push_back(pair.server);
  }
  std::deque<Probe> sends(sockets.size());
  std::deque<Probe> receives(sockets.size());
  Probe cancelled;
  std::vector<char> got(sockets.size());
  char byte = 'b';
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    loop()->release(sockets[i]);
    other->adopt(sockets[i]);
    receives[i].receive(*other, sockets[i], {{&got[i], 1}});
    sends[i].send(*other, sockets[i], {{&byte, 1}});
  }
  const Socket listener = listen(other);
  other->accept(cancelled.operation, listener);
  other->cancel(cancelled.operation);
  std::thread owner([&] {
    for (Probe& probe : sends) other.run(probe);
    for (Probe& probe : receives) other.run(probe);
    other.run(cancelled);
  });
  owner.join();
  EXPECT_EQ(cancelled.result(), -ECANCELED);
  EXPECT_EQ(got, std::vector<char>(sockets.size(), byte));
  for (const Socket socket : sockets) other->close(socket);
  other->close(listener);
}

TEST_P(Handover, ManyOperationsInOneTurn) {
  constexpr std::size_t kPairs = 180;
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) pairs.push_back(connect_pair());
  std::deque<Probe> probes(kPairs * 4);
  std::vector<char> got(kPairs * 2);
  char byte = 'b';
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      probes[4 * i].receive(*loop(), pairs[i].client, {{&got[2 * i], 1}});
      probes[4 * i + 1].receive(*loop(), pairs[i].server, {{&got[2 * i + 1], 1}});
      probes[4 * i + 2].send(*loop(), pairs[i].client, {{&byte, 1}});
      probes[4 * i + 3].send(*loop(), pairs[i].server, {{&byte, 1}});
    }
    for (Probe& probe : probes) {
      loop().run(probe);
      ASSERT_EQ(probe.result(), 1);
    }
  }
  for (const Pair& pair : pairs) close(pair);
}

}  // namespace
}  // namespace quorate::reactor
