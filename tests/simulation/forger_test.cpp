// What a forger puts into a connection: well-formed, told to nobody, and wrong in one thing.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "tests/simulation/system/simulated_reactor.h"
#include "tests/simulation/world/forger.h"
#include "transport/codec.h"
#include "wire/batch.h"
#include "wire/crc32c.h"

namespace quorate::simulation {
namespace {

constexpr Epoch kEpoch{7, 99};
constexpr std::uint64_t kSession = 5;
constexpr std::uint64_t kIncarnation = 1234;
constexpr Position kSent = 640;
constexpr Position kCredit = 1 << 20;
constexpr Instant kSoon_ns = 5 * kMillisecond_ns;

/// Both ends of a connection, whose programs are the test's: the replica dials.
class Talk final : private Scheduler::Target {
 public:
  explicit Talk(std::uint64_t seed, std::uint32_t buffer_bytes = 0)
      : scheduler(seed),
        network(scheduler, seed),
        tap([this](const HistoryEvent& event) { told.push_back(event); }) {
    network.observe(&tap);
    for (HostId id = 0; id < 2; ++id) {
      network.add_host(0).law.late_sends = 0;
      processes[id] = network.start_process(id);
      loops[id] = processes[id]->make_reactor();
      loops[id]->set_socket_options({"", buffer_bytes});
    }
    // What is sent at once arrives at once.
    network.law(0, 1).cuts_of_1000 = network.law(1, 0).cuts_of_1000 = 0;
    const auto address = reactor::parse_address(Network::address_of(1) + ":7000").value();
    const reactor::Socket listener = loops[1]->listen(address, 8).value();
    reactor::Operation dial;
    reactor::Operation accept;
    prepare(dial, 0);
    prepare(accept, 1);
    loops[0]->connect(dial, address);
    loops[1]->accept(accept, listener);
    run();
    for (int end = 0; end < 2; ++end) sockets[end] = reactor::Socket{results[end]};
  }

  void send(Way way, std::vector<std::byte> bytes) {
    const auto end = static_cast<std::size_t>(way);
    out = std::move(bytes);
    iovec buffer{out.data(), out.size()};
    reactor::Operation operation;
    prepare(operation, end);
    loops[end]->send(operation, sockets[end], {&buffer, 1});
    run();
  }
  /// All that has arrived.
  std::vector<std::byte> receive(Way way) {
    const std::size_t end = 1 - static_cast<std::size_t>(way);
    std::vector<std::byte> bytes(1 << 16);
    iovec buffer{bytes.data(), bytes.size()};
    reactor::Operation operation;
    prepare(operation, end);
    results[end] = 0;
    loops[end]->receive(operation, sockets[end], {&buffer, 1});
    run();
    if (operation.in_flight()) {
      loops[end]->cancel(operation);
      run();
      results[end] = 0;
    }
    bytes.resize(static_cast<std::size_t>(results[end]));
    return bytes;
  }
  void run() {
    const Instant until = scheduler.now() + kSoon_ns;
    turn();
    scheduler.at(until, *this);
    while (scheduler.now() < until && scheduler.run_one()) {
    }
    turn();
  }
  [[nodiscard]] std::size_t told_of(EventKind kind) const {
    return static_cast<std::size_t>(std::count_if(
        told.begin(), told.end(), [&](const HistoryEvent& event) { return event.kind == kind; }));
  }

  Scheduler scheduler;
  Network network;
  WireTap tap;
  std::vector<HistoryEvent> told;
  std::unique_ptr<Process> processes[2];
  std::unique_ptr<SimulatedReactor> loops[2];
  reactor::Socket sockets[2];
  std::array<std::int32_t, 2> results{};
  std::uint64_t units[2] = {};
  std::uint32_t checksum = 0;  ///< of the last frame

 private:
  void fire(std::uint64_t) override {}
  void prepare(reactor::Operation& operation, std::size_t end) {
    operation.owner = &results[end];
    operation.complete = [](reactor::Operation& op, std::int32_t result) {
      *static_cast<std::int32_t*>(op.owner) = result;
    };
  }
  void turn() {
    for (auto& loop : loops) {
      loop->wait(0);
      loop->reap();
    }
  }

  std::vector<std::byte> out;
};

std::vector<std::byte> unit(Talk& talk, Way way, wire::MessageType type,
                            std::span<const std::byte> body, Position committed = 0) {
  wire::Envelope envelope;
  envelope.type = type;
  envelope.session = kSession;
  envelope.sequence = talk.units[static_cast<std::size_t>(way)]++;
  envelope.epoch_number = kEpoch.number;
  envelope.epoch_incarnation = kEpoch.incarnation;
  envelope.committed = committed;
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  if (type != wire::MessageType::batch) envelope.body_crc = wire::crc32c(body);
  std::vector<std::byte> bytes(wire::kEnvelopeBytes);
  wire::encode_envelope(envelope, std::span(bytes).first<wire::kEnvelopeBytes>());
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

std::vector<std::byte> resume(Talk& talk) {
  core::ResumeClaim claim;
  claim.incarnation = kIncarnation;
  claim.credit_limit = kCredit;
  transport::Encoder encoder;
  return unit(talk, Way::from_dialer, wire::MessageType::resume, encoder.resume({&claim, 1}));
}

std::vector<std::byte> acknowledgement(Talk& talk) {
  core::Acknowledgement ack{0, kEpoch, kIncarnation, kSent, 0, kSent, kCredit};
  transport::Encoder encoder;
  return unit(talk, Way::from_dialer, wire::MessageType::acknowledgements,
              encoder.acknowledgements({&ack, 1}));
}

/// All of the stream in one frame.
std::vector<std::byte> frame(Talk& talk, Position committed) {
  std::vector<std::byte> body(wire::kFramePrologueBytes + kSent);
  wire::FrameHeader header;
  header.body_bytes = wire::kBatchPrefixBytes + kSent;
  header.epoch_number = kEpoch.number;
  header.epoch_incarnation = kEpoch.incarnation;
  header.end = kSent;
  talk.checksum =
      wire::encode_frame_header(header, std::span(body).first<wire::kFrameHeaderBytes>());
  return unit(talk, Way::to_dialer, wire::MessageType::batch, body, committed);
}

/// A replica that has been sent all and has acknowledged nothing.
std::unique_ptr<Talk> begun(std::uint64_t seed, Position committed) {
  auto talk = std::make_unique<Talk>(seed);
  talk->send(Way::from_dialer, resume(*talk));
  talk->send(Way::to_dialer, frame(*talk, committed));
  talk->receive(Way::from_dialer);
  talk->receive(Way::to_dialer);
  return talk;
}

Forgery last_of(const Forger& forger) {
  const auto& counts = forger.counts();
  return static_cast<Forgery>(std::find(counts.begin(), counts.end(), 1u) - counts.begin());
}

Way way_of(Forgery forgery) {
  return forgery < Forgery::gap ? Way::from_dialer : Way::to_dialer;
}

bool forge_soon(Forger& forger) {
  for (int i = 0; i < 10'000; ++i) {
    if (forger.forge()) return true;
  }
  return false;
}

wire::Envelope check_envelope(const Talk& talk, Forgery forgery, std::span<const std::byte> bytes) {
  wire::Envelope envelope;
  EXPECT_EQ(wire::decode_envelope(bytes.first<wire::kEnvelopeBytes>(), envelope),
            wire::DecodeError::none);
  EXPECT_EQ(envelope.sequence, talk.units[static_cast<std::size_t>(way_of(forgery))]);
  EXPECT_EQ(bytes.size(), wire::kEnvelopeBytes + envelope.body_bytes);
  const bool session = forgery == Forgery::older_session || forgery == Forgery::session_commit;
  const bool sender = forgery == Forgery::older_sender || forgery == Forgery::sender_commit;
  EXPECT_EQ(envelope.session, session ? kSession - 1 : kSession);
  EXPECT_EQ(envelope.epoch_number, sender ? kEpoch.number - 1 : kEpoch.number);
  EXPECT_EQ(envelope.epoch_incarnation, kEpoch.incarnation);
  if (envelope.type != wire::MessageType::batch) {
    EXPECT_EQ(envelope.body_crc, wire::crc32c(bytes.subspan(wire::kEnvelopeBytes)));
  }
  return envelope;
}

void check_acknowledgement(Forgery forgery, std::span<const std::byte> body) {
  std::vector<core::Acknowledgement> acks;
  ASSERT_TRUE(transport::decode_acknowledgements(body, acks));
  ASSERT_EQ(acks.size(), 1u);
  const core::Acknowledgement& ack = acks.front();
  EXPECT_EQ(ack.received, kSent);
  EXPECT_EQ(ack.applied, kSent);
  EXPECT_GE(ack.credit_limit, ack.received);
  EXPECT_EQ(ack.epoch.number < kEpoch.number, forgery == Forgery::older_epoch);
  EXPECT_EQ(ack.epoch.incarnation != kEpoch.incarnation, forgery == Forgery::other_epoch);
  EXPECT_EQ(ack.incarnation != kIncarnation, forgery == Forgery::other_process);
}

void check_gap(const Talk& talk, std::span<const std::byte> frame_bytes) {
  wire::FrameHeader header;
  const auto error =
      wire::decode_frame_header(frame_bytes.first<wire::kFrameHeaderBytes>(), 1 << 20, header);
  ASSERT_EQ(error, wire::DecodeError::none);
  EXPECT_GT(header.begin, kSent);
  EXPECT_LE(header.end, kCredit);
  EXPECT_EQ(header.previous_checksum, talk.checksum);
  EXPECT_EQ(header.body_crc, wire::crc32c(frame_bytes.subspan(wire::kFrameHeaderBytes)));
  const auto prefix =
      frame_bytes.subspan(wire::kFrameHeaderBytes).first<wire::kBatchPrefixBytes>();
  EXPECT_TRUE(wire::view_batch_prefix(prefix, header.end - header.begin).ok);
}

void check_commit(Forgery forgery, std::span<const std::byte> body) {
  std::vector<core::Commit> commits;
  bool awaited = false;
  ASSERT_TRUE(transport::decode_heartbeat(body, commits, awaited));
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits.front().committed > kSent, forgery == Forgery::false_commit);
  EXPECT_GE(commits.front().committed, kSent);
}

TEST(Forger, EachUnitIsWellFormedAndWrongInOneThing) {
  std::array<int, kForgeries> seen{};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    auto talk = begun(seed, seed % 2 == 0 ? 0 : kSent);
    Forger forger(talk->network, talk->tap, Draw(seed));
    ASSERT_TRUE(forge_soon(forger));
    const Forgery forgery = last_of(forger);
    ++seen[static_cast<std::size_t>(forgery)];
    const std::vector<std::byte> bytes = talk->receive(way_of(forgery));
    ASSERT_GT(bytes.size(), wire::kEnvelopeBytes) << to_string(forgery);
    const wire::Envelope envelope = check_envelope(*talk, forgery, bytes);
    const auto body = std::span(bytes).subspan(wire::kEnvelopeBytes);
    using Type = wire::MessageType;
    if (envelope.type == Type::acknowledgements) check_acknowledgement(forgery, body);
    if (envelope.type == Type::batch) check_gap(*talk, body);
    if (envelope.type == Type::heartbeat) check_commit(forgery, body);
  }
  for (std::size_t f = 0; f < kForgeries; ++f) {
    EXPECT_GT(seen[f], 0) << to_string(static_cast<Forgery>(f));
  }
}

TEST(Forger, AFalseCommitIsToldOnlyWhereAllThatWasSentIsCommitted) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    auto talk = begun(seed, 0);
    Forger forger(talk->network, talk->tap, Draw(seed));
    ASSERT_TRUE(forge_soon(forger));
    EXPECT_NE(last_of(forger), Forgery::false_commit);
  }
}

TEST(Forger, NobodyIsToldOfItNorOfWhatFollows) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    auto talk = begun(seed, 0);
    Forger forger(talk->network, talk->tap, Draw(seed));
    ASSERT_TRUE(forge_soon(forger));
    const std::size_t told = talk->told.size();
    talk->receive(way_of(last_of(forger)));
    EXPECT_EQ(talk->told.size(), told);
    const bool from_replica = way_of(last_of(forger)) == Way::from_dialer;
    talk->send(Way::from_dialer, acknowledgement(*talk));
    talk->receive(Way::from_dialer);
    EXPECT_EQ(talk->told_of(EventKind::ack_sent), 1u);
    EXPECT_EQ(talk->told_of(EventKind::ack_delivered), from_replica ? 0u : 1u);
  }
}

TEST(Forger, AConnectionIsTakenOnce) {
  auto talk = begun(1, 0);
  Forger forger(talk->network, talk->tap, Draw(1));
  EXPECT_TRUE(forge_soon(forger));
  EXPECT_FALSE(forge_soon(forger));
}

TEST(Forger, WhatIsAcknowledgedAndCommittedIsNotWorthIt) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    auto talk = begun(seed, kSent);
    talk->send(Way::from_dialer, acknowledgement(*talk));
    Forger forger(talk->network, talk->tap, Draw(seed));
    ASSERT_TRUE(forge_soon(forger));
    const Forgery forgery = last_of(forger);
    EXPECT_TRUE(forgery == Forgery::gap || forgery == Forgery::false_commit) << to_string(forgery);
  }
}

TEST(Forger, NothingIsPutIntoTheMiddleOfAUnit) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Talk talk(seed);
    talk.send(Way::from_dialer, resume(talk));
    talk.send(Way::to_dialer, frame(talk, 0));
    for (const Way way : {Way::from_dialer, Way::to_dialer}) {
      std::vector<std::byte> part =
          way == Way::from_dialer ? acknowledgement(talk) : frame(talk, 0);
      part.resize(8 + seed * 11);
      talk.send(way, part);
    }
    Forger forger(talk.network, talk.tap, Draw(seed));
    EXPECT_FALSE(forge_soon(forger));
  }
}

TEST(Forger, NothingIsPutIntoAConnectionOfWhichNothingIsKnown) {
  Talk talk(1);
  Forger forger(talk.network, talk.tap, Draw(1));
  EXPECT_FALSE(forge_soon(forger));
  talk.send(Way::from_dialer, resume(talk));
  EXPECT_FALSE(forge_soon(forger));
}

TEST(Network, WhatIsInjectedArrivesBehindWhatWasSent) {
  Talk talk(1);
  const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_TRUE(talk.network.inject(0, Way::to_dialer, bytes));
  const std::vector<std::byte> got = talk.receive(Way::to_dialer);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), bytes.begin(), bytes.end()));
}

TEST(Network, WhatFindsNoRoomIsNotInjected) {
  Talk talk(1, 100);
  const std::vector<std::byte> bytes(60);
  EXPECT_TRUE(talk.network.inject(0, Way::to_dialer, bytes));
  EXPECT_FALSE(talk.network.inject(0, Way::to_dialer, bytes));
  EXPECT_EQ(talk.receive(Way::to_dialer).size(), 60u);
  EXPECT_TRUE(talk.network.inject(0, Way::to_dialer, bytes));
}

TEST(Network, NothingIsInjectedByAnEndThatIsClosed) {
  const std::array<std::byte, 3> bytes{};
  for (const bool dies : {false, true}) {
    Talk talk(1);
    if (dies) {
      talk.processes[0]->kill(Ending::machine);
    } else {
      talk.loops[0]->shutdown_send(talk.sockets[0]);
    }
    EXPECT_FALSE(talk.network.inject(0, Way::from_dialer, bytes));
  }
}

}  // namespace
}  // namespace quorate::simulation
