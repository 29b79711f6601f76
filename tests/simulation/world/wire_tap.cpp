#include "tests/simulation/world/wire_tap.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/quorate_generated.h"

namespace quorate::simulation {

namespace {

// The layout, from wire/README.md.
constexpr std::size_t kEnvelope = 64;
constexpr std::size_t kFrameHeader = 96;
constexpr std::uint8_t kResume = 3;
constexpr std::uint8_t kBatch = 5;
constexpr std::uint8_t kAcknowledgements = 6;
constexpr std::uint8_t kHeartbeat = 7;

template <typename Value>
Value read(const std::byte* at) {
  Value value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint8_t type_of(const std::byte* unit) { return read<std::uint8_t>(unit + 5); }

bool says_something(std::uint8_t type) {
  return type == kResume || type == kAcknowledgements || type == kHeartbeat;
}

}  // namespace

void WireTap::on_connected(ConnectionId connection, ProcessId dialer, ProcessId) {
  if (wires_.size() <= connection) wires_.resize(connection + 1);
  wires_[connection].replica = dialer;
  for (Direction& direction : wires_[connection].ways) direction.need = kEnvelope;
}

void WireTap::on_sent(ConnectionId connection, Way way, std::span<const std::byte> bytes) {
  take(wires_[connection], way, bytes);
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
}

void WireTap::on_head(Wire& wire, Way way, Direction& direction) {
  const std::byte* unit = direction.head.data();
  const std::uint8_t type = type_of(unit);
  const auto body_bytes = read<std::uint32_t>(unit + 8);
  if (direction.need == kEnvelope) {
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

void WireTap::say(Direction& direction, std::uint64_t end, const HistoryEvent& event) {
  direction.sayings.push_back({end, event});
}

void WireTap::on_frame(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* unit = direction.head.data();
  const std::byte* header = unit + kEnvelope;
  HistoryEvent event;
  event.process = wire.replica;
  event.stream = read<std::uint32_t>(header + 16);
  event.kind = EventKind::frame_delivered;
  event.epoch = {read<std::uint64_t>(header + 24), read<std::uint64_t>(header + 32)};
  event.begin = read<std::uint64_t>(header + 40);
  event.end = read<std::uint64_t>(header + 48);
  say(direction, end, event);
  event.kind = EventKind::commit_delivered;
  event.begin = 0;
  event.end = read<std::uint64_t>(unit + 48);
  say(direction, end, event);
}

void WireTap::on_body(Wire& wire, Direction& direction, std::uint64_t end) {
  const std::byte* body = direction.head.data() + kEnvelope;
  HistoryEvent event;
  event.process = wire.replica;
  const std::uint8_t type = type_of(direction.head.data());
  if (type == kHeartbeat) {
    event.kind = EventKind::commit_delivered;
    for (const auto* commit : *flatbuffers::GetRoot<wire::fb::Heartbeat>(body)->commits()) {
      event.stream = commit->stream();
      event.end = commit->committed();
      say(direction, end, event);
    }
  } else if (type == kAcknowledgements) {
    for (const auto* ack : *flatbuffers::GetRoot<wire::fb::Acknowledgements>(body)->entries()) {
      event.stream = ack->stream();
      event.epoch = {ack->epoch_number(), ack->epoch_incarnation()};
      event.end = ack->received();
      event.applied = ack->applied();
      event.kind = EventKind::ack_sent;
      tell_(event);
      event.kind = EventKind::ack_delivered;
      say(direction, end, event);
    }
  } else {
    for (const auto* claim : *flatbuffers::GetRoot<wire::fb::Resume>(body)->entries()) {
      event.stream = claim->stream();
      event.epoch = {claim->epoch_number(), claim->epoch_incarnation()};
      event.end = claim->position();
      event.kind = EventKind::claim_sent;
      tell_(event);
      event.kind = EventKind::claim_delivered;
      say(direction, end, event);
    }
  }
}

void WireTap::on_delivered(ConnectionId connection, Way way, std::size_t bytes,
                           std::size_t intact) {
  Direction& direction = wires_[connection].ways[static_cast<std::size_t>(way)];
  const std::uint64_t sound = direction.delivered + intact;
  direction.delivered += bytes;
  while (!direction.damaged && !direction.sayings.empty() &&
         direction.sayings.front().end <= sound) {
    tell_(direction.sayings.front().event);
    direction.sayings.pop_front();
  }
  // What follows a damaged byte on the same connection must never count.
  direction.damaged = direction.damaged || intact < bytes;
}

void WireTap::on_ended(ConnectionId connection) {
  HistoryEvent event;
  event.kind = EventKind::session_ended;
  event.process = wires_[connection].replica;
  wires_[connection] = {};
  tell_(event);
}

}  // namespace quorate::simulation
