#include "tests/simulation/world/forger.h"

#include <algorithm>
#include <cstring>

#include "tests/simulation/world/units.h"
#include "transport/codec.h"
#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::simulation {

namespace {

constexpr std::array<std::string_view, kForgeries> kNames = {
    "older_epoch",  "other_epoch", "other_process",  "older_session", "older_sender",
    "gap",          "session_commit", "sender_commit", "false_commit"};

/// A forgery that fits nowhere is now and then given up for another.
constexpr std::uint32_t kGivesUpOf1000 = 5;
constexpr std::int64_t kGapMax = 128;
constexpr std::size_t kPayload = 64;
constexpr std::size_t kRecord = wire::padded_record_bytes(kPayload);
constexpr Position kFarAhead = 1u << 30;

}  // namespace

std::string_view to_string(Forgery forgery) noexcept {
  return kNames[static_cast<std::size_t>(forgery)];
}

Forger::Forger(Network& network, const WireTap& tap, Draw draw)
    : network_(network), tap_(tap), draw_(draw) {
  next_ = static_cast<Forgery>(draw_.between(0, kForgeries - 1));
}

bool Forger::forge() {
  const std::optional<Place> place = find();
  const bool done = place && network_.inject(place->connection, way(), make(*place));
  if (done) ++counts_[static_cast<std::size_t>(next_)];
  if (done || draw_.chance(kGivesUpOf1000)) {
    next_ = static_cast<Forgery>(draw_.between(0, kForgeries - 1));
  }
  return done;
}

Way Forger::way() const noexcept {
  return next_ < Forgery::gap ? Way::from_dialer : Way::to_dialer;
}

wire::Envelope Forger::envelope(const WireTap::Heard& heard, wire::MessageType type) const {
  const WireTap::HeardWay& over = heard.ways[static_cast<std::size_t>(way())];
  wire::Envelope envelope;
  envelope.type = type;
  envelope.session = over.session;
  envelope.sequence = over.units;
  envelope.epoch_number = over.epoch.number;
  envelope.epoch_incarnation = over.epoch.incarnation;
  const bool old_session = next_ == Forgery::older_session || next_ == Forgery::session_commit;
  const bool old_sender = next_ == Forgery::older_sender || next_ == Forgery::sender_commit;
  if (old_session) --envelope.session;
  if (old_sender) --envelope.epoch_number;
  return envelope;
}

std::optional<Forger::Place> Forger::find() {
  found_.clear();
  for (ConnectionId id = 0; id < tap_.connections(); ++id) {
    const WireTap::Heard& heard = tap_.heard(id);
    const WireTap::HeardWay& over = heard.ways[static_cast<std::size_t>(way())];
    if (heard.forged || over.session == 0 || !over.between_units) continue;
    if (heard.ways[0].goodbye || heard.ways[1].goodbye) continue;
    for (StreamId stream = 0; stream < heard.streams.size(); ++stream) {
      if (matters(heard, stream)) found_.push_back({id, stream});
    }
  }
  if (found_.empty()) return std::nullopt;
  return found_[static_cast<std::size_t>(
      draw_.between(0, static_cast<std::int64_t>(found_.size()) - 1))];
}

bool Forger::matters(const WireTap::Heard& heard, StreamId stream) const {
  const WireTap::HeardStream& heard_of = heard.streams[stream];
  const Position sent = heard_of.frame_end;
  if (!heard_of.fed) return false;
  switch (next_) {
    case Forgery::gap: return sent + kGapMax + kRecord <= heard_of.credit_limit;
    case Forgery::session_commit:
    case Forgery::sender_commit: return sent > heard_of.committed;
    // Whoever believes this exposes what it holds: only where that is right.
    case Forgery::false_commit: return sent <= heard_of.committed;
    default: return sent > std::min(heard_of.received, heard_of.applied);
  }
}

std::vector<std::byte> Forger::make(const Place& place) {
  if (next_ == Forgery::gap) return frame(place);
  return next_ > Forgery::gap ? commit(place) : acknowledgement(place);
}

std::vector<std::byte> Forger::acknowledgement(const Place& place) {
  const WireTap::Heard& heard = tap_.heard(place.connection);
  const WireTap::HeardStream& stream = heard.streams[place.stream];
  core::Acknowledgement ack;
  ack.stream = place.stream;
  ack.epoch = heard.ways[0].epoch;
  ack.incarnation = stream.incarnation;
  if (next_ == Forgery::older_epoch) --ack.epoch.number;
  if (next_ == Forgery::other_epoch) ack.epoch.incarnation ^= draw_.bits() | 1;
  if (next_ == Forgery::other_process) ack.incarnation ^= draw_.bits() | 1;
  ack.received = ack.applied = stream.frame_end;
  ack.credit_limit = std::max(stream.credit_limit, ack.received);
  transport::Encoder encoder;
  return make_unit(envelope(heard, wire::MessageType::acknowledgements),
              encoder.acknowledgements({&ack, 1}));
}

/// One record, of a frame that is right in everything but where it begins.
std::vector<std::byte> Forger::frame(const Place& place) {
  const WireTap::Heard& heard = tap_.heard(place.connection);
  const WireTap::HeardStream& stream = heard.streams[place.stream];
  std::vector<std::byte> body(wire::kFramePrologueBytes + kRecord);
  const wire::RecordWord word{kPayload, wire::RecordKind::data, 0};
  std::memcpy(body.data() + wire::kFramePrologueBytes, &word, sizeof word);
  const auto stored = std::span(body).subspan(wire::kFrameHeaderBytes);
  wire::write_batch_prefix(stored.first<wire::kBatchPrefixBytes>(), 1, 0, kRecord);
  wire::FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(stored.size());
  header.stream = place.stream;
  header.record_count = 1;
  header.epoch_number = header.previous_epoch_number = stream.frame_epoch.number;
  header.epoch_incarnation = header.previous_epoch_incarnation = stream.frame_epoch.incarnation;
  header.begin = stream.frame_end + 8 * static_cast<std::uint64_t>(draw_.between(1, kGapMax / 8));
  header.end = header.begin + kRecord;
  header.previous_checksum = stream.frame_checksum;
  header.body_crc = wire::crc32c(stored);
  wire::encode_frame_header(header, std::span(body).first<wire::kFrameHeaderBytes>());
  return make_unit(envelope(heard, wire::MessageType::batch), body);
}

std::vector<std::byte> Forger::commit(const Place& place) {
  const WireTap::Heard& heard = tap_.heard(place.connection);
  const Position sent = heard.streams[place.stream].frame_end;
  const core::Commit commit{place.stream,
                            next_ == Forgery::false_commit ? sent + kFarAhead : sent};
  transport::Encoder encoder;
  return make_unit(envelope(heard, wire::MessageType::heartbeat),
              encoder.heartbeat(0, {&commit, 1}, false));
}

}  // namespace quorate::simulation
