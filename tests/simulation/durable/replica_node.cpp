#include <algorithm>
#include <utility>

#include "tests/simulation/durable/nodes.h"
#include "tests/simulation/world/content.h"

namespace quorate::simulation::durable {

namespace {
constexpr std::size_t kRecordsAtOnce = 256;
constexpr Position kUnknown = ~Position{0};
constexpr const char* kNotNow = "the program has no time to install it";
}

ReplicaNode::ReplicaNode(const Surroundings& world, HostId host, std::uint32_t replica, Draw draw)
    : Node(world, host, replica, "r" + std::to_string(replica + 1)),
      replica_number_(replica),
      draw_(draw),
      apply_([this](const Record& record) { apply(record); }),
      received_(world.settings.streams, 0),
      first_(world.settings.streams, kUnknown),
      end_(world.settings.streams, 0),
      shown_(world.settings.streams, 0) {}

void ReplicaNode::on_found(StreamId stream, Position first, Position end) {
  first_[stream] = first;
  end_[stream] = end;
}

/// As its storage says, mostly; sometimes its program wants to see some or all of it again.
Position ReplicaNode::draw_resume(StreamId stream) {
  const Position applied = world_.oracle.applied(replica_number_, stream);
  const std::int64_t dice = draw_.between(0, 9);
  if (dice == 0) return 0;
  if (dice > 3) return applied;
  const auto back = static_cast<Position>(draw_.magnitude(1, 8 << 20));
  return world_.oracle.record_end_before(stream, applied - std::min(applied, back));
}

Status ReplicaNode::open_handle() {
  ReplicaOptions options = world_.settings.replica;
  options.directory = directory();
  options.name = name();
  options.primary = Network::address_of(kPrimaryHost) + ":" + std::to_string(kPrimaryPort);
  for (StreamId stream = 0; stream < world_.settings.streams; ++stream) {
    Position resume = draw_resume(stream);
    const Position applied = world_.oracle.applied(replica_number_, stream);
    // Once in a while it asks for what has been given up, and is told so.
    if (resume < first_[stream] && !draw_.chance(100)) resume = applied;
    resumes_early_ = resumes_early_ || (resume < first_[stream] && resume < applied);
    next_.push_back(resume);
  }
  options.resume_after = next_;
  if (world_.settings.snapshots) {
    options.install = [this](const Snapshot& snapshot) { return install(snapshot); };
  }
  if (world_.watcher.tracing()) {
    world_.watcher.trace(name(), "opens, resume_after " + std::to_string(next_[0]) + ", log " +
                                     std::to_string(first_[0]) + " to " + std::to_string(end_[0]));
  }
  auto opened = Replica::open(*engine_, options);
  if (!opened) return opened.error();
  replica_ = std::make_unique<Replica>(std::move(opened).value());
  return Done{};
}

void ReplicaNode::on_trace(std::string_view text) {
  // To the end: a turn may have been given up as well.
  if (text.ends_with(": caught up")) ++counts()[Count::catch_ups];
  if (text.find("is unknown and comes from the primary again") != std::string_view::npos) {
    ++counts()[Count::damage_excused];
    world_.oracle.on_damaged(replica_number_);
  }
}

void ReplicaNode::after_turn() {
  if (!replica_ || lost()) return;
  for (const ReplicaStreamStatus& stream : replica_->report().streams) {
    Position& received = received_[stream.stream];
    if (stream.received < received) ++counts()[Count::log_cuts];
    received = stream.received;
    if (stream.durable > stream.received || stream.applied > std::max(stream.durable,
                                                                      next_[stream.stream])) {
      world_.watcher.fail("report of " + name() + ": applied " + std::to_string(stream.applied) +
                          ", durable " + std::to_string(stream.durable) + ", received " +
                          std::to_string(stream.received));
    }
  }
  poll();
}

void ReplicaNode::poll() {
  if (poll_due_) return;
  Scheduler& scheduler = world_.network.scheduler();
  const bool slow = scheduler.now() < slow_until_;
  const std::size_t records_max = slow ? 4 : kRecordsAtOnce;
  const auto count = replica_->poll(apply_, records_max);
  if (!count && count.error().text == kNotNow) return poll_later(kSecond_ns);
  if (!count) return on_ended(count.error());
  if (count.value() > 0) check_shown();
  if (count.value() < records_max && !slow) return;
  poll_later(slow ? 100 * kMillisecond_ns : kMillisecond_ns);
}

/// What a program has seen is there after the next power loss.
void ReplicaNode::check_shown() {
  for (const ReplicaStreamStatus& stream : replica_->report().streams) {
    const Position shown = std::exchange(shown_[stream.stream], 0);
    if (shown <= stream.durable) continue;
    world_.watcher.fail("shown: " + name() + " stream " + std::to_string(stream.stream) + " to " +
                        std::to_string(shown) + ", durable " + std::to_string(stream.durable));
  }
}

void ReplicaNode::poll_later(Instant pause_ns) {
  poll_due_ = true;
  Scheduler& scheduler = world_.network.scheduler();
  scheduler.at(scheduler.now() + draw_.magnitude(1, pause_ns), *this);
}

void ReplicaNode::fire(std::uint64_t) {
  poll_due_ = false;
  if (running() && !busy() && !paused()) poll();
}

void ReplicaNode::on_ended(const Error& error) {
  lose(error.text);
  if (error.text.find("resume_after") != std::string::npos) {
    ++counts()[Count::resumes_refused];
    if (!resumes_early_) world_.watcher.fail(name() + ": " + error.text);
  } else if (error.code == Errc::needs_full_copy) {
    world_.watcher.fail(name() + " needs a full copy: " + error.text);
  } else if (error.text.find(": begins at ") != std::string::npos) {
    world_.watcher.fail(name() + " gave up what its program has not read: " + error.text);
  } else {
    ++counts()[Count::log_failures];
  }
}

Status ReplicaNode::install(const Snapshot& snapshot) {
  if (draw_.chance(200)) {
    ++counts()[Count::installs_refused];
    return Error(Errc::busy, kNotNow);
  }
  const auto bytes = disk().content(snapshot.path);
  std::vector<std::byte> expected(snapshot.bytes);
  fill_snapshot(expected, snapshot.stream, snapshot.position);
  if (!bytes || *bytes != expected) {
    world_.watcher.fail("installed: " + name() + " is given another file than was offered, as of " +
                        std::to_string(snapshot.position));
  }
  if (snapshot.position <= next_[snapshot.stream]) {
    world_.watcher.fail("installed: " + name() + " is taken back to " +
                        std::to_string(snapshot.position));
  }
  ++counts()[Count::installs];
  world_.watcher.look_at_primary();
  world_.oracle.on_installed(replica_number_, snapshot.stream, snapshot.position);
  next_[snapshot.stream] = snapshot.position;
  return Done{};
}

void ReplicaNode::apply(const Record& record) {
  const Entry entry{record.stream, record.begin, record.end, content_of(record.payload), {}};
  Position& next = next_[record.stream];
  if (record.begin != next) {
    world_.watcher.fail("applied: " + name() + " is shown " + std::to_string(record.begin) +
                        " of stream " + std::to_string(record.stream) + " behind " +
                        std::to_string(next));
  }
  next = shown_[record.stream] = record.end;
  ++counts()[Count::applied];
  if (record.end <= end_[record.stream]) ++counts()[Count::replays];
  world_.network.scheduler().mix(entry.content ^ entry.end);
  world_.watcher.look_at_primary();
  world_.oracle.on_applied(replica_number_, entry);
}

}  // namespace quorate::simulation::durable
