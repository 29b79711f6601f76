#include <algorithm>

#include "tests/simulation/durable/nodes.h"
#include "tests/simulation/world/content.h"

namespace quorate::simulation::durable {

void fill_snapshot(std::span<std::byte> bytes, StreamId stream, Position position) {
  fill(bytes, (position << 8) + stream);
}

PrimaryNode::PrimaryNode(const Surroundings& world, std::uint64_t& key, Draw draw)
    : Node(world, kPrimaryHost, kPrimaryNode, "a"), key_(key), draw_(draw) {}

Status PrimaryNode::open_handle() {
  PrimaryOptions options = world_.settings.primary;
  options.directory = directory();
  options.streams = world_.settings.streams;
  options.listen = Network::address_of(host_) + ":" + std::to_string(kPrimaryPort);
  for (std::uint32_t i = 0; i < world_.settings.replicas; ++i) {
    options.replicas.push_back("r" + std::to_string(i + 1));
  }
  options.rules = world_.settings.rules;
  auto opened = Primary::open(*engine_, options);
  if (!opened) return opened.error();
  primary_ = std::make_unique<Primary>(std::move(opened).value());
  return Done{};
}

void PrimaryNode::on_opened() {
  for (const Rule& rule : world_.settings.rules) {
    auto id = primary_->stream().rule(rule);
    if (!id) return world_.watcher.fail("rule: " + id.error().text);
    rules_.push_back(id.value());
  }
  watermarks_.assign(world_.settings.streams * rules_.size(), 0);
  for (StreamId stream = 0; stream < world_.settings.streams; ++stream) {
    const Position start = status(stream).appended;
    if (world_.oracle.on_reopened(stream, start)) ++counts()[Count::tails_lost];
    ends_.push_back(start);
  }
}

void PrimaryNode::on_trace(std::string_view text) {
  if (text.find("its epoch is given up") == std::string_view::npos) return;
  if (text.find("its log has ended") != std::string_view::npos) ++counts()[Count::log_failures];
  lose(std::string(text));
}

void PrimaryNode::after_turn() {
  // Of a stream that was given up as well: the others go on until the process is ended.
  if (!primary_) return;
  for (StreamId stream = 0; stream < world_.settings.streams; ++stream) {
    world_.oracle.on_status(status(stream), true);
    const Stream handle = primary_->stream(stream);
    for (std::uint32_t rule = 0; rule < rules_.size(); ++rule) {
      const Position watermark = handle.watermark(rules_[rule]);
      Position& told = watermarks_[stream * rules_.size() + rule];
      if (watermark == told) continue;
      if (watermark < told) world_.watcher.fail("a watermark has fallen");
      told = watermark;
      world_.network.scheduler().mix(watermark);
      world_.oracle.on_released(stream, rule, watermark);
    }
  }
}

void PrimaryNode::show() {
  if (!primary_ || ended_here_ || opening()) return;
  ended_here_ = ended();
  for (StreamId stream = 0; stream < world_.settings.streams; ++stream) {
    world_.oracle.on_status(status(stream), !busy());
  }
}

bool PrimaryNode::feeds_somebody() const {
  if (!open_for_writes()) return false;
  for (StreamId stream = 0; stream < world_.settings.streams; ++stream) {
    for (const ReplicaStatus& replica : status(stream).replicas) {
      if (replica.state == ReplicaStatus::State::catching_up) return true;
    }
  }
  return false;
}

void PrimaryNode::write(std::uint64_t bytes) {
  while (bytes > 0 && open_for_writes()) {
    const auto stream = static_cast<StreamId>(draw_.between(0, world_.settings.streams - 1));
    if (!write_one(stream, bytes)) return;
  }
}

/// False: no more now.
bool PrimaryNode::write_one(StreamId stream, std::uint64_t& left) {
  const auto size =
      static_cast<std::size_t>(draw_.magnitude(1, world_.settings.record_bytes_max));
  auto claim = primary_->stream(stream).claim(size);
  if (!claim) {
    const Errc code = claim.error().code;
    if (code == Errc::no_space) ++counts()[Count::no_space];
    if (code == Errc::log_full) ++counts()[Count::log_full];
    if (code == Errc::fenced) lose(claim.error().text);
    const bool usual = code == Errc::busy || code == Errc::no_space || code == Errc::log_full ||
                       code == Errc::fenced;
    if (!usual) world_.watcher.fail("claim: " + claim.error().text);
    return false;
  }
  Claim space = std::move(claim).value();
  fill(space.bytes(), world_.settings.seed * 0x9E3779B97F4A7C15u + ++key_);
  Entry entry;
  entry.stream = stream;
  entry.content = content_of(space.bytes());
  const Ticket ticket = space.publish();
  entry.begin = ends_[stream];
  entry.end = ticket.end;
  entry.epoch = ticket.epoch;
  const Position bytes = 8 + ((size + 7) & ~std::size_t{7});
  if (entry.end != entry.begin + bytes) world_.watcher.fail("a ticket names another position");
  ends_[stream] = entry.end;
  world_.oracle.on_written(entry);
  ++counts()[Count::written];
  left -= std::min<std::uint64_t>(left, bytes);
  if (draw_.chance(50)) await(ticket);
  return true;
}

void PrimaryNode::offer() {
  const auto stream = static_cast<StreamId>(draw_.between(0, world_.settings.streams - 1));
  const StreamStatus now = status(stream);
  world_.oracle.on_status(now, true);
  const auto back = static_cast<Position>(draw_.chance(500) ? 0 : draw_.magnitude(1, 4 << 20));
  const Position position =
      world_.oracle.record_end_before(stream, now.committed - std::min(now.committed, back));
  if (position == 0) return;
  std::vector<std::byte> bytes(static_cast<std::size_t>(draw_.magnitude(1, 1 << 20)) - 1);
  fill_snapshot(bytes, stream, position);
  const std::string path = directory() + "/state-" + std::to_string(offers_++);
  if (!disk().put(path, bytes)) return;
  const Status offered = primary_->stream(stream).offer_snapshot(path, position);
  if (offered) {
    ++counts()[Count::offers];
  } else if (offered.error().code != Errc::busy) {
    world_.watcher.fail("offer_snapshot: " + offered.error().text);
  }
}

void PrimaryNode::await(const Ticket& ticket) {
  const auto rule = static_cast<std::uint32_t>(
      draw_.between(0, static_cast<std::int64_t>(rules_.size()) - 1));
  const auto callback = [this, ticket, rule](const Outcome& outcome) {
    if (ended() || !outcome.released()) return;
    world_.oracle.on_status(status(ticket.stream), !busy());
    tell_released(ticket.stream, rule, ticket.end);
  };
  const Status registered =
      primary_->stream(ticket.stream).on_released(ticket, rules_[rule], callback);
  if (registered || registered.error().code == Errc::busy) return;
  world_.watcher.fail("on_released: " + registered.error().text);
}

void PrimaryNode::tell_released(StreamId stream, std::uint32_t rule, Position end) {
  const Level level = world_.settings.rules[rule].level;
  ++counts()[Count::releases];
  if (level == Level::durable) ++counts()[Count::releases_durable];
  if (level == Level::applied) ++counts()[Count::releases_applied];
  world_.oracle.on_released(stream, rule, end);
}

}  // namespace quorate::simulation::durable
