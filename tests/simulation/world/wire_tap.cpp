#include "tests/simulation/world/wire_tap.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "wire/quorate_generated.h"

namespace quorate::simulation {

namespace {

// The layout, from wire/README.md.
constexpr std::size_t kEnvelope = 64;
constexpr std::size_t kFrameHeader = 96;
constexpr std::uint8_t kResume = 3;
constexpr std::uint8_t kResumeReply = 4;
constexpr std::uint8_t kBatch = 5;
constexpr std::uint8_t kAcknowledgements = 6;
constexpr std::uint8_t kHeartbeat = 7;
constexpr std::uint8_t kGoodbye = 10;

template <typename Value>
Value read(const std::byte* at) {
  Value value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint8_t type_of(const std::byte* unit) { return read<std::uint8_t>(unit + 5); }

bool says_something(std::uint8_t type) {
  return type == kResume || type == kResumeReply || type == kAcknowledgements ||
         type == kHeartbeat;
}

}  // namespace

void WireTap::on_connected(ConnectionId connection, ProcessId dialer, ProcessId) {
  if (wires_.size() <= connection) wires_.resize(connection + 1);
  Wire& wire = wires_[connection];
  wire.heard.replica = dialer;
  wire.ignored = std::find(ignored_.begin(), ignored_.end(), dialer) != ignored_.end();
  for (Direction& direction : wire.ways) direction.need = kEnvelope;
}

void WireTap::on_sent(ConnectionId connection, Way way, std::span<const std::byte> bytes) {
  Wire& wire = wires_[connection];
  if (!wire.ignored) take(wire, way, bytes);
}

void WireTap::take(Wire& wire, Way way, std::span<const std::byte> bytes) {
  Direction& direction = wire.ways[static_cast<std::size_t>(way)];
  while (!bytes.empty()) {
    if (direction.skip > 0) {
      const std::size_t part = std::min<std::size_t>(direction.skip, bytes.size());
      direction.skip -= part;
      direction.sent += part;
      bytes = bytes.subspan(part);
      continue;
    }
    const std::size_t part =
        std::min<std::size_t>(direction.need - direction.head.size(), bytes.size());
    direction.head.insert(direction.head.end(), bytes.begin(),
                          bytes.begin() + static_cast<std::ptrdiff_t>(part));
    direction.sent += part;
    bytes = bytes.subspan(part);
    if (direction.head.size() == direction.need) on_head(wire, way, direction);
  }
  wire.heard.ways[static_cast<std::size_t>(way)].between_units =
      direction.skip == 0 && direction.head.empty();
}

void WireTap::on_head(Wire& wire, Way way, Direction& direction) {
  const std::byte* unit = direction.head.data();
  const std::uint8_t type = type_of(unit);
  const auto body_bytes = read<std::uint32_t>(unit + 8);
  if (direction.need == kEnvelope) {
    on_envelope(wire.heard.ways[static_cast<std::size_t>(way)], unit);
    const bool looked_at = type == kBatch || says_something(type);
    if (looked_at && body_bytes > 0) {
      direction.need += type == kBatch ? kFrameHeader : body_bytes;
      return;
    }
    direction.skip = body_bytes;
  } else {
    direction.skip = kEnvelope + body_bytes - direction.need;
    const std::uint64_t end = direction.sent + direction.skip;
    if (type == kBatch) {
      CHECK(way == Way::to_dialer);
      on_frame(wire, direction, end);
    } else {
      on_body(wire, direction, end);
    }
  }
  direction.head.clear();
  direction.need = kEnvelope;
}

void WireTap::on_envelope(HeardWay& way, const std::byte* unit) {
  way.session = read<std::uint64_t>(unit + 16);
  way.units = read<std::uint64_t>(unit + 24) + 1;
  way.epoch = {read<std::uint64_t>(unit + 32), read<std::uint64_t>(unit + 40)};
  way.goodbye = way.goodbye || type_of(unit) == kGoodbye;
}

void WireTap::say(Direction& direction, std::uint64_t end, const HistoryEvent& event) {
  direction.sayings.push_back({end, event});
}

void WireTap::on_frame(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* unit = direction.head.data();
  const std::byte* header = unit + kEnvelope;
  HistoryEvent event;
  event.process = wire.heard.replica;
  event.stream = read<std::uint32_t>(header + 16);
  event.kind = EventKind::frame_delivered;
  event.epoch = {read<std::uint64_t>(header + 24), read<std::uint64_t>(header + 32)};
  event.begin = read<std::uint64_t>(header + 40);
  event.end = read<std::uint64_t>(header + 48);
  say(direction, end, event);
  if (event.stream < wire.heard.streams.size()) {
    HeardStream& stream = wire.heard.streams[event.stream];
    stream.frame_epoch = event.epoch;
    stream.frame_checksum = read<std::uint32_t>(header + 92);
    stream.frame_end = event.end;
    stream.fed = true;
  }
  event.kind = EventKind::commit_sent;
  event.begin = 0;
  event.end = read<std::uint64_t>(unit + 48);
  tell_(event);
  event.kind = EventKind::commit_delivered;
  say(direction, end, event);
  hear_commit(wire.heard, event);
}

void WireTap::hear_commit(Heard& heard, const HistoryEvent& event) {
  if (event.stream >= heard.streams.size()) return;
  Position& committed = heard.streams[event.stream].committed;
  committed = std::max(committed, event.end);
}

void WireTap::on_body(Wire& wire, Direction& direction, std::uint64_t end) {
  switch (type_of(direction.head.data())) {
    case kHeartbeat: return on_commits(wire, direction, end);
    case kAcknowledgements: return on_acknowledgements(wire, direction, end);
    case kResume: return on_claims(wire, direction, end);
    default: return on_answers(wire, direction);
  }
}

void WireTap::on_commits(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* body = direction.head.data() + kEnvelope;
  HistoryEvent event;
  event.process = wire.heard.replica;
  for (const auto* commit : *flatbuffers::GetRoot<wire::fb::Heartbeat>(body)->commits()) {
    event.stream = commit->stream();
    event.end = commit->committed();
    event.kind = EventKind::commit_sent;
    tell_(event);
    event.kind = EventKind::commit_delivered;
    say(direction, end, event);
    hear_commit(wire.heard, event);
  }
}

void WireTap::on_acknowledgements(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* body = direction.head.data() + kEnvelope;
  HistoryEvent event;
  event.process = wire.heard.replica;
  for (const auto* ack : *flatbuffers::GetRoot<wire::fb::Acknowledgements>(body)->entries()) {
    event.stream = ack->stream();
    event.epoch = {ack->epoch_number(), ack->epoch_incarnation()};
    event.end = ack->received();
    event.applied = ack->applied();
    event.durable = ack->durable();
    event.kind = EventKind::ack_sent;
    tell_(event);
    event.kind = EventKind::ack_delivered;
    say(direction, end, event);
    if (event.stream >= wire.heard.streams.size()) continue;
    HeardStream& stream = wire.heard.streams[event.stream];
    stream.received = ack->received();
    stream.applied = ack->applied();
    stream.credit_limit = ack->credit_limit();
  }
}

void WireTap::on_claims(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* body = direction.head.data() + kEnvelope;
  HistoryEvent event;
  event.process = wire.heard.replica;
  for (const auto* claim : *flatbuffers::GetRoot<wire::fb::Resume>(body)->entries()) {
    event.stream = claim->stream();
    event.epoch = {claim->epoch_number(), claim->epoch_incarnation()};
    event.end = claim->position();
    event.kind = EventKind::claim_sent;
    tell_(event);
    event.kind = EventKind::claim_delivered;
    say(direction, end, event);
    auto& streams = wire.heard.streams;
    if (streams.size() <= event.stream) streams.resize(event.stream + 1);
    HeardStream& stream = streams[event.stream] = {};
    stream.incarnation = claim->incarnation();
    stream.frame_epoch = event.epoch;
    stream.frame_checksum = claim->checksum();
    stream.frame_end = stream.received = event.end;
    stream.credit_limit = claim->credit_limit();
  }
}

/// Whoever answers has seen the claim, whether or not the answer arrives.
void WireTap::on_answers(Wire& wire, Direction& direction) {
  const std::byte* body = direction.head.data() + kEnvelope;
  HistoryEvent event;
  event.kind = EventKind::claim_answered;
  event.process = wire.heard.replica;
  for (const auto* answer : *flatbuffers::GetRoot<wire::fb::ResumeReply>(body)->entries()) {
    event.stream = answer->stream();
    event.refused = answer->verdict() == wire::fb::Verdict::needs_full_copy;
    tell_(event);
  }
}

void WireTap::on_delivered(ConnectionId connection, Way way, std::size_t bytes,
                           std::size_t intact) {
  if (wires_[connection].ignored) return;
  Direction& direction = wires_[connection].ways[static_cast<std::size_t>(way)];
  // What follows a damaged byte on the same connection must never count.
  if (intact < bytes) direction.sound = std::min(direction.sound, direction.delivered + intact);
  direction.delivered += bytes;
  const std::uint64_t sound = std::min(direction.sound, direction.delivered);
  while (!direction.sayings.empty() && direction.sayings.front().end <= sound) {
    tell_(direction.sayings.front().event);
    direction.sayings.pop_front();
  }
}

void WireTap::on_injected(ConnectionId connection, Way way, std::size_t bytes) {
  Wire& wire = wires_[connection];
  CHECK(wire.heard.ways[static_cast<std::size_t>(way)].between_units);
  Direction& direction = wire.ways[static_cast<std::size_t>(way)];
  direction.sound = std::min(direction.sound, direction.sent);
  direction.sent += bytes;
  wire.heard.forged = true;
}

void WireTap::on_ended(ConnectionId connection) {
  const Wire over = std::exchange(wires_[connection], {});
  if (over.ignored) return;
  HistoryEvent event;
  event.kind = EventKind::session_ended;
  event.process = over.heard.replica;
  tell_(event);
}

}  // namespace quorate::simulation
