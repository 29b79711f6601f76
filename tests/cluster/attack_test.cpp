// Peers that mean harm or speak nonsense, against a primary that is written to meanwhile.

#include <cstring>
#include <random>

#include "cluster.h"
#include "tests/support/raw_peer.h"
#include "transport/codec.h"

namespace quorate::cluster {
namespace {

using namespace test;

/// A primary with two replicas under load, and the proof that nothing disturbed them.
class Attack : public OnEachBackend {
 protected:
  Attack()
      : primary("replicas=b,c,x rules=any:2:b,c streams=2 heartbeat=20 peer_timeout=1000" + on()),
        b("name=b primary=" + primary.address() + on()),
        c("name=c primary=" + primary.address() + on()) {
    primary.until_seen("b", "streaming");
    primary.until_seen("c", "streaming");
    primary.ask("load writers=2 bytes=300 pause_us=100 rules=any:2:b,c", "loading");
  }

  /// Sends it on a connection of its own; how the primary says goodbye.
  std::string answer_to(std::span<const std::byte> bytes) {
    RawPeer peer(primary.port());
    peer.send(bytes);
    return peer.until_closed();
  }
  std::string answer_to(const core::Hello& hello) { return answer_to(hello_unit(hello)); }

  void expect_undisturbed() {
    primary.until_progress(100, "released");
    EXPECT_EQ(primary.ask("stop_load", "stopped").number("pending"), 0);
    EXPECT_EQ(b.number("connects"), 1u);
    EXPECT_EQ(c.number("connects"), 1u);
    expect_same_content(primary, b);
    expect_same_content(primary, c);
  }
  /// Connections are counted when they are closed, which may be a moment after the goodbye.
  void expect_refused(std::uint64_t count) {
    eventually("refused connections reach " + std::to_string(count),
               [&] { return primary.number("refused") >= count; });
    EXPECT_EQ(primary.number("refused"), count);
  }

  PrimaryNode primary;
  ReplicaNode b;
  ReplicaNode c;
};
INSTANTIATE_TEST_SUITE_P(Backends, Attack, testing::Values("io_uring", "epoll"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST_P(Attack, AHelloThatDoesNotFitIsRefusedWithTheReason) {
  core::Hello hello = good_hello("x");
  hello.cluster = "another";
  EXPECT_EQ(answer_to(hello), "wrong_cluster");
  EXPECT_EQ(answer_to(good_hello("nobody")), "unknown_node");
  hello = good_hello("x");
  hello.version_min = hello.version_max = 77;
  EXPECT_EQ(answer_to(hello), "incompatible_version");
  hello = good_hello("x");
  hello.version_min = 2;
  hello.version_max = 1;
  EXPECT_EQ(answer_to(hello), "incompatible_version");
  hello = good_hello("x");
  hello.loop = 7;
  EXPECT_EQ(answer_to(hello), "protocol_violation");
  hello = good_hello("x");
  hello.ring_bytes = 4096;
  EXPECT_EQ(answer_to(hello), "too_large");
  expect_refused(6);
  expect_undisturbed();
}

TEST_P(Attack, GarbageTruncatedOversizedAndDamagedMessagesAreRefused) {
  std::mt19937 random(7);
  Bytes garbage(4096);
  for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
  EXPECT_EQ(answer_to(garbage), "bad_frame");
  // An envelope that promises a larger body than a hello may have.
  EXPECT_EQ(answer_to(unit(wire::MessageType::hello, Bytes(8192))), "bad_frame");
  // A body of zeros is no table.
  EXPECT_EQ(answer_to(unit(wire::MessageType::hello, Bytes(64))), "bad_frame");
  const Bytes good = hello_unit(good_hello("x"));
  for (std::size_t at = 0; at < good.size(); at += 5) {
    Bytes damaged = good;
    damaged[at] ^= std::byte{0x10};
    EXPECT_EQ(answer_to(damaged), "bad_frame") << "byte " << at;
  }
  expect_refused(3 + (good.size() + 4) / 5);
  expect_undisturbed();
}

TEST_P(Attack, MessagesOutOfPlaceAreRefused) {
  transport::Encoder encoder;
  const auto first = [&](wire::MessageType type, std::span<const std::byte> body) {
    return answer_to(unit(type, body));
  };
  EXPECT_EQ(first(wire::MessageType::status_request, encoder.status_request(0, 1)),
            "protocol_violation");
  EXPECT_EQ(first(wire::MessageType::acknowledgements, encoder.acknowledgements({})),
            "protocol_violation");
  // A good hello with the sequence number of another unit.
  const auto hello = encoder.hello(good_hello("x"));
  EXPECT_EQ(answer_to(unit(wire::MessageType::hello, hello, 1)), "protocol_violation");
  // A client that acknowledges.
  Bytes bytes = hello_unit(good_hello("me", core::Role::client));
  const Bytes second = unit(wire::MessageType::acknowledgements, encoder.acknowledgements({}), 1);
  bytes.insert(bytes.end(), second.begin(), second.end());
  EXPECT_EQ(answer_to(bytes), "protocol_violation");
  expect_refused(4);
  expect_undisturbed();
}

TEST_P(Attack, AnAdmittedReplicaThatLiesIsRefused) {
  transport::Encoder encoder;
  RawPeer peer(primary.port());
  peer.send(hello_unit(good_hello("x")));
  auto welcome = peer.receive();
  ASSERT_TRUE(welcome);
  core::Welcome body;
  ASSERT_TRUE(transport::decode_welcome(welcome->body, body));
  core::ResumeClaim claim;
  claim.incarnation = 1;
  claim.credit_limit = 1u << 20;
  peer.send(unit(wire::MessageType::resume, encoder.resume({&claim, 1}), 1, body.session,
                 body.epoch));
  // It claims to have received what was never sent.
  core::Acknowledgement lie{0, body.epoch, 1, 1ull << 40, 0, 0, 1ull << 41};
  peer.send(unit(wire::MessageType::acknowledgements, encoder.acknowledgements({&lie, 1}), 2,
                 body.session, body.epoch));
  EXPECT_EQ(peer.until_closed(), "protocol_violation");
  EXPECT_LT(primary.seen("x").received, 1ull << 40);
  expect_undisturbed();
}

TEST_P(Attack, WhoSendsHalfAMessageOrByteAfterByteIsClosed) {
  const Bytes good = hello_unit(good_hello("x"));
  RawPeer truncated(primary.port());
  truncated.send({good.data(), good.size() / 2});
  RawPeer slow(primary.port());
  std::size_t sent = 0;
  // A byte at a time renews nobody's patience.
  eventually("the slow peer is closed", [&] {
    if (sent < good.size() - 1) slow.send({good.data() + sent++, 1});
    return slow.closed();
  });
  EXPECT_LT(sent, good.size());
  eventually("the peer with half a message is closed", [&] { return truncated.closed(); });
  expect_undisturbed();
}

TEST_P(Attack, AThousandSilentConnectionsCostLittleAndAreClosed) {
  constexpr std::size_t kConnections = 1000;
  primary.until_progress(1000);
  const std::uint64_t before_bytes = primary.resident_bytes();
  primary.forget_peak();
  std::vector<RawPeer> peers;
  for (std::size_t i = 0; i < kConnections; ++i) peers.emplace_back(primary.port());
  for (std::size_t i = 0; i < kConnections; ++i) {
    eventually("a silent connection is closed", [&] { return peers[i].closed(); });
  }
  EXPECT_EQ(primary.number("accepted"), kConnections + 2);
  EXPECT_TRUE(kSanitized || primary.peak_bytes() < before_bytes + kConnections * (64u << 10));
  expect_undisturbed();
}

TEST_P(Attack, AClientThatAsksAndNeverReadsIsClosed) {
  transport::Encoder encoder;
  RawPeer peer(primary.port());
  peer.send(hello_unit(good_hello("flood", core::Role::client)));
  const std::uint64_t before_bytes = primary.resident_bytes();
  primary.forget_peak();
  const auto request = encoder.status_request(0, 256);
  std::uint64_t sequence = 0;
  // Ends when the primary takes no more: it has closed.
  while (peer.send(unit(wire::MessageType::status_request, request, ++sequence))) {
    ASSERT_LT(sequence, 10'000'000u);
  }
  // A few answers wait in memory, not one for each request.
  EXPECT_TRUE(kSanitized || primary.peak_bytes() < before_bytes + (16u << 20));
  eventually("the client is counted as refused", [&] { return primary.number("refused") == 1; });
  expect_undisturbed();
}

TEST_P(Attack, RandomBytesBehindAGoodHelloAreRefused) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    Bytes bytes = hello_unit(good_hello("x", round % 2 == 0 ? core::Role::replica
                                                            : core::Role::client));
    for (std::size_t i = 64 + random() % 3000; i > 0; --i) {
      bytes.push_back(static_cast<std::byte>(random()));
    }
    // A replica that comes back at once may be told that its older connection still closes.
    const std::string reason = answer_to(bytes);
    EXPECT_TRUE(reason == "bad_frame" || reason == "busy") << reason;
  }
  expect_undisturbed();
}

}  // namespace
}  // namespace quorate::cluster
