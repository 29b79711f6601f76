#include "tests/unit/shard/hostile_primary.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "transport/codec.h"
#include "wire/version.h"

namespace quorate::shard {

namespace {

constexpr std::uint64_t kSession = 7;
/// The replica never waits for this primary's silence: what is tested is what is said.
constexpr std::uint32_t kHeartbeat_ms = 60'000;
/// Of its heartbeats, before it is given up.
constexpr int kOthersMax = 600;

core::Welcome welcome(const Epoch& epoch) {
  core::Welcome welcome;
  welcome.session = kSession;
  welcome.version = wire::kVersionMax;
  welcome.epoch = epoch;
  welcome.loops = welcome.streams = 1;
  welcome.ring_bytes = 4u << 20;
  welcome.frame_bytes_max = 256u << 10;
  welcome.heartbeat_ms = welcome.peer_timeout_ms = kHeartbeat_ms;
  welcome.node = "a";
  return welcome;
}

}  // namespace

HostileSession::HostileSession(test::RawListener& listener, const Epoch& epoch)
    : peer_(listener), epoch_(epoch) {
  const auto body = hear(wire::MessageType::hello);
  if (!body || !transport::decode_hello(*body, hello_)) {
    throw std::runtime_error("no hello, or one that is malformed");
  }
  say(wire::MessageType::welcome, transport::Encoder().welcome(welcome(epoch)));
}

test::Bytes HostileSession::next_unit(wire::MessageType type, std::span<const std::byte> body) {
  return test::unit(type, body, sequence_++, kSession, epoch_);
}

bool HostileSession::say(wire::MessageType type, std::span<const std::byte> body) {
  return peer_.send(next_unit(type, body));
}

void HostileSession::say_some(wire::MessageType type, std::span<const std::byte> body,
                              std::size_t bytes) {
  const test::Bytes unit = next_unit(type, body);
  peer_.send(std::span(unit).first(std::min(bytes, unit.size())));
}

bool HostileSession::say_verdict(core::Verdict verdict, Position position) {
  const core::ResumeVerdict one{0, verdict, position};
  return say(wire::MessageType::resume_reply, transport::Encoder().resume_reply({&one, 1}));
}

bool HostileSession::say_begin(const core::SnapshotHead& head) {
  return say(wire::MessageType::snapshot_begin, transport::Encoder().snapshot_begin(head));
}

bool HostileSession::say_chunk(std::uint64_t id, std::uint64_t offset,
                               std::span<const std::byte> bytes) {
  return say(wire::MessageType::snapshot_chunk,
             transport::Encoder().snapshot_chunk(id, offset, bytes));
}

/// The body of the next unit of that type, whatever comes before it; none: the replica has closed.
std::optional<test::Bytes> HostileSession::hear(wire::MessageType type) {
  for (int others = 0; others < kOthersMax; ++others) {
    auto unit = peer_.receive();
    if (!unit) return std::nullopt;
    if (unit->envelope.type == type) return std::move(unit->body);
    if (unit->envelope.type != wire::MessageType::goodbye) continue;
    core::Goodbye goodbye;
    transport::decode_goodbye(unit->body, goodbye);
    throw std::runtime_error("a goodbye instead: " + goodbye.text);
  }
  throw std::runtime_error("the replica says only other things");
}

core::ResumeClaim HostileSession::hear_claim() {
  std::vector<core::ResumeClaim> claims;
  const auto body = hear(wire::MessageType::resume);
  if (!body || !transport::decode_resume(*body, claims) || claims.size() != 1) {
    throw std::runtime_error("no claim, or one that is malformed");
  }
  return claims[0];
}

bool HostileSession::hear_received(Position position) {
  std::vector<core::Acknowledgement> acknowledgements;
  while (const auto body = hear(wire::MessageType::acknowledgements)) {
    if (!transport::decode_acknowledgements(*body, acknowledgements)) {
      throw std::runtime_error("acknowledgements that are malformed");
    }
    for (const core::Acknowledgement& one : acknowledgements) {
      if (one.received == position) return true;
    }
  }
  return false;
}

std::optional<core::SnapshotRequest> HostileSession::hear_request() {
  core::SnapshotRequest request;
  const auto body = hear(wire::MessageType::snapshot_request);
  if (!body) return std::nullopt;
  if (!transport::decode_snapshot_request(*body, request)) {
    throw std::runtime_error("a request that is malformed");
  }
  return request;
}

HostilePrimary::HostilePrimary(std::uint16_t port, const Epoch& epoch)
    : listener_(port), epoch_(epoch) {
  meet_again();
}

HostileSession HostilePrimary::catch_up(core::Verdict promise, Position position) {
  live_->say_verdict(promise, position);
  HostileSession session(listener_, epoch_);
  session.hear_claim();
  return session;
}

}  // namespace quorate::shard
