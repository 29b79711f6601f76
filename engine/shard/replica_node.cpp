#include "shard/replica_node.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/frame_index.h"

namespace quorate::shard {

namespace {

/// Between two looks at the clock; small enough for slow apply functions.
constexpr std::size_t kApplySlice = 256;
/// How long a thread that also turns the loops applies before it turns them again.
constexpr std::int64_t kApplyTime_ns = 10 * kMillisecond_ns;
/// With several loops on one thread, how long it may sleep in one of them.
constexpr std::int64_t kManyLoopsSleep_ns = 200 * kMicrosecond_ns;

}  // namespace

Result<std::unique_ptr<ReplicaNode>> ReplicaNode::open(std::unique_ptr<Engine> engine,
                                                       Engine* shared, ReplicaOptions options) {
  std::unique_ptr<ReplicaNode> node(new ReplicaNode(std::move(engine), shared));
  if (auto started = node->start(std::move(options)); !started) return started.error();
  return node;
}

ReplicaNode::ReplicaNode(std::unique_ptr<Engine> engine, Engine* shared)
    : own_engine_(std::move(engine)), engine_(own_engine_ ? own_engine_.get() : shared) {}

ReplicaNode::~ReplicaNode() { close(); }

Status ReplicaNode::start(ReplicaOptions options) {
  closed_ = true;
  auto address = reactor::parse_address(options.primary);
  if (!address) return Error(address.error().code, "primary: " + address.error().text);
  primary_ = address.value();
  options_ = std::move(options);
  ShardGroup& shards = engine_->shards();
  incarnation_ = shards.at(0).reactor().random_seed();
  if (auto opened = open_logs(); !opened) return opened;
  closed_ = false;
  for (std::uint32_t loop = 0; loop < shards.size(); ++loop) {
    const std::uint32_t buffer_bytes = shards.options().socket_buffer_bytes;
    const auto ring_bytes = static_cast<std::uint32_t>(options_.ring_bytes);
    shards.at(loop).call([&] {
      shards.at(loop).reactor().set_socket_options(
          {shards.options().congestion_control, buffer_bytes != 0 ? buffer_bytes : ring_bytes});
    });
  }
  links_.push_back(std::make_unique<ReplicaLink>(*this, shards.at(0), 0));
  shards.at(0).call([&] { shards.at(0).attach(*links_[0]); });
  return Done{};
}

Status ReplicaNode::open_logs() {
  if (options_.directory.empty()) return Done{};
  auto reactor = engine_->shards().at(0).reactor().sibling();
  if (!reactor) return reactor.error();
  LogOpening opening(std::move(reactor).value(), options_.storage);
  auto lock = opening.open_node(options_.directory, options_.cluster, options_.name);
  if (!lock) return lock.error();
  lock_ = std::move(lock).value();
  auto streams = opening.count_streams(options_.directory);
  if (!streams) return streams.error();
  for (StreamId id = 0; id < streams.value(); ++id) {
    auto opened = opening.open_stream(options_.directory, id);
    if (!opened) return opened.error();
    const log::Metadata& metadata = opened->metadata;
    if (opened->found.state == log::RecoveryState::fault) {
      // Nothing of it is counted any more, and what follows comes from the primary again.
      opened->found.start.cut = true;
      engine_->shards().at(0).trace(
          TraceLevel::error, "stream " + std::to_string(id) + ": " + opened->found.why +
                   "; what follows position " +
                   std::to_string(opened->found.start.end.position) + ", up to " +
                   std::to_string(opened->found.unknown_until) +
                   ", is unknown and comes from the primary again");
    }
    if (auto begun = opening.begin(*opened, {metadata.promised_number,
                                             metadata.promised_incarnation});
        !begun) {
      return begun;
    }
    if (options_.install) {
      if (auto looked = opening.find_snapshots(*opened, id); !looked) return looked;
    }
    logs_.push_back(std::move(opened).value());
  }
  return Done{};
}

/// Blocks this loop for as long as the disk takes to make them, once in a node's life.
Status ReplicaNode::make_logs(std::uint32_t streams) {
  if (options_.directory.empty() || logs_.size() == streams) return Done{};
  if (logs_.size() > streams) {
    return Error(Errc::incompatible, "the primary has " + std::to_string(streams) +
                                         " streams, the directory holds logs of " +
                                         std::to_string(logs_.size()));
  }
  auto reactor = engine_->shards().at(0).reactor().sibling();
  if (!reactor) return reactor.error();
  LogOpening opening(std::move(reactor).value(), options_.storage);
  while (logs_.size() < streams) {
    auto opened = opening.open_stream(options_.directory, static_cast<StreamId>(logs_.size()));
    if (!opened) return opened.error();
    logs_.push_back(std::move(opened).value());
  }
  return Done{};
}

// Links, on their loops.

Status ReplicaNode::check_fits(const core::Welcome& welcome) const {
  if (welcome.streams > options_.streams_max) {
    return Error(Errc::incompatible, "streams: the primary has " + std::to_string(welcome.streams) +
                                         ", allowed by streams_max at most " +
                                         std::to_string(options_.streams_max));
  }
  if (welcome.loops < 1 || welcome.loops > 64 || welcome.streams < 1 ||
      welcome.frame_bytes_max > options_.ring_bytes) {
    return Error(Errc::incompatible, "welcome: loops, streams or frame_bytes_max out of range");
  }
  if (options_.directory.empty()) return Done{};
  const std::uint64_t frame_max = options_.ring_bytes / 4;
  if (welcome.streams <= kLoggedStreamsMax && welcome.frame_bytes_max <= frame_max) return Done{};
  return Error(Errc::incompatible,
               "the primary has " + std::to_string(welcome.streams) + " streams and frames of " +
                   std::to_string(welcome.frame_bytes_max) + " bytes, allowed with a directory " +
                   std::to_string(kLoggedStreamsMax) + " and a quarter of ring_bytes, " +
                   std::to_string(frame_max));
}

Status ReplicaNode::on_welcome(const core::Welcome& welcome) {
  if (auto fits = check_fits(welcome); !fits) return fits;
  if (streams_made_.load(std::memory_order_acquire)) {
    if (welcome.streams == streams_.size() && welcome.loops == primary_loops_) return Done{};
    return Error(Errc::incompatible,
                 "the primary has " + std::to_string(welcome.streams) + " streams on " +
                     std::to_string(welcome.loops) + " loops, this replica follows " +
                     std::to_string(streams_.size()) + " on " + std::to_string(primary_loops_) +
                     "; restart it");
  }
  if (auto made = make_logs(welcome.streams); !made) return made;
  return make_streams(welcome);
}

Status ReplicaNode::make_streams(const core::Welcome& welcome) {
  ShardGroup& shards = engine_->shards();
  primary_loops_ = welcome.loops;
  loop_closed_.assign(welcome.loops, false);
  // An attempt that failed may have left some.
  streams_.clear();
  arenas_.clear();
  for (std::uint32_t loop = 0; loop < welcome.loops; ++loop) {
    const std::uint32_t count = (welcome.streams - loop + welcome.loops - 1) / welcome.loops;
    arenas_.push_back(nullptr);
    if (loop >= welcome.streams) continue;
    // With a log the program reads from a ring of its own.
    const std::uint32_t slices = count * (logs_.empty() ? 1 : 2);
    auto arena =
        base::RingArena::create(options_.ring_bytes * slices, options_.ring_bytes, slices);
    if (!arena) return arena.error();
    arenas_.back() = std::move(arena).value();
  }
  for (StreamId id = 0; id < welcome.streams; ++id) {
    const std::uint32_t loop = id % welcome.loops;
    const std::uint32_t slice = id / welcome.loops;
    auto ring = arenas_[loop]->map(slice);
    if (!ring) return ring.error();
    ReplicaRings rings{ring.value(), {}};
    core::ReplicaStreamConfig config;
    config.stream = id;
    config.incarnation = incarnation_;
    config.ring_bytes = options_.ring_bytes;
    const OpenedLog* opened = logs_.empty() ? nullptr : &logs_[id];
    if (opened != nullptr) {
      const log::LogEnd& end = opened->found.start.end;
      config.durable = true;
      config.frames_max = core::frame_slots_for(options_.ring_bytes);
      config.takes_snapshots = static_cast<bool>(options_.install);
      config.start = end.position;
      config.last_epoch = end.epoch;
      config.last_checksum = end.frame_checksum;
      config.committed = std::min<Position>(opened->metadata.known_committed, end.position);
      if (id < options_.resume_after.size()) config.applied = options_.resume_after[id];
      const std::uint32_t count = (welcome.streams - loop + welcome.loops - 1) / welcome.loops;
      auto shown = arenas_[loop]->map(count + slice);
      if (!shown) return shown.error();
      rings.shown = shown.value();
    }
    streams_.push_back(std::make_unique<ReplicaStream>(config, shards.at(loop % shards.size()),
                                                       *arenas_[loop], slice, rings,
                                                       to_apply_, opened,
                                                       options_.confirmed));
  }
  logs_.clear();
  streams_made_.store(true, std::memory_order_release);
  for (std::uint32_t loop = 1; loop < welcome.loops; ++loop) {
    Shard& shard = shards.at(loop % shards.size());
    links_.push_back(std::make_unique<ReplicaLink>(*this, shard, loop));
    while (!shard.post([&shard, link = links_.back().get()] { shard.attach(*link); })) {
      std::this_thread::yield();
    }
  }
  return Done{};
}

std::vector<ReplicaStream*> ReplicaNode::streams_of(std::uint32_t loop) const {
  std::vector<ReplicaStream*> result;
  for (std::size_t id = loop; id < streams_.size(); id += primary_loops_) {
    result.push_back(streams_[id].get());
  }
  return result;
}

void ReplicaNode::ring() noexcept {
  const Position rings = rings_.fetch_add(1, std::memory_order_seq_cst) + 1;
  ring_waiters_.on_advanced(rings);
}

void ReplicaNode::on_session(std::uint32_t loop) {
  std::lock_guard lock(report_mutex_);
  ++report_.connects;
  loop_closed_[loop] = false;
  primary_closed_.store(false, std::memory_order_release);
  report_.primary_closed = false;
  report_.reason.clear();
  const bool final = report_.state == ReplicaReport::State::needs_full_copy && !options_.install;
  if (!final) report_.state = ReplicaReport::State::streaming;
}

void ReplicaNode::on_resumed() {
  std::lock_guard lock(report_mutex_);
  ++report_.resumes;
}

void ReplicaNode::on_state(ReplicaReport::State state, const std::string& reason) {
  std::lock_guard lock(report_mutex_);
  const bool final =
      (report_.state == ReplicaReport::State::needs_full_copy && !options_.install) ||
      report_.state == ReplicaReport::State::log_failed;
  // A refusal stays visible while the replica goes on trying.
  const bool refused = report_.state == ReplicaReport::State::refused &&
                       state == ReplicaReport::State::connecting;
  if (final || refused) return;
  report_.state = state;
  report_.reason = reason;
}

void ReplicaNode::on_primary_closed(std::uint32_t loop, const std::string& why) {
  {
    std::lock_guard lock(report_mutex_);
    report_.reason = why;
    if (loop >= loop_closed_.size()) return;
    loop_closed_[loop] = true;
    if (std::find(loop_closed_.begin(), loop_closed_.end(), false) != loop_closed_.end()) return;
    report_.primary_closed = true;
  }
  primary_closed_.store(true, std::memory_order_release);
  ring();
}

void ReplicaNode::on_needs_full_copy(StreamId stream, const std::string& why) {
  {
    std::lock_guard lock(report_mutex_);
    report_.state = ReplicaReport::State::needs_full_copy;
    report_.reason = "stream " + std::to_string(stream) + ": " + why;
    if (options_.install) {
      waiting_for_copy_.insert(stream);
      return;
    }
  }
  needs_full_copy_.store(true, std::memory_order_release);
  ring();
}

void ReplicaNode::on_copy_found(StreamId stream) {
  std::lock_guard lock(report_mutex_);
  if (waiting_for_copy_.erase(stream) == 0 || !waiting_for_copy_.empty()) return;
  if (report_.state != ReplicaReport::State::needs_full_copy) return;
  report_.state = ReplicaReport::State::streaming;
  report_.reason.clear();
}

void ReplicaNode::on_log_failed(const std::string& why) {
  {
    std::lock_guard lock(report_mutex_);
    report_.state = ReplicaReport::State::log_failed;
    report_.reason = log_failure_ = why;
  }
  log_failed_.store(true, std::memory_order_release);
  ring();
}

// The applying thread.

std::size_t ReplicaNode::apply_ready(const Apply& apply, std::size_t records_max) {
  to_apply_.take_all([this](base::ReadyNode& node) {
    applying_.push_back(static_cast<ReplicaStream::ApplyNode&>(node).stream);
  });
  std::size_t count = 0;
  while (!applying_.empty() && count < records_max && !stopping_.load()) {
    ReplicaStream* stream = applying_.back();
    applying_.pop_back();
    stream->rearm();
    if (auto installed = stream->install(options_.install); !installed) {
      install_error_ = installed.error();
      break;
    }
    // A stream with more queues itself again.
    count += stream->apply(apply, std::min(records_max - count, kApplySlice), stopping_);
    if (applying_.empty()) {
      to_apply_.take_all([this](base::ReadyNode& node) {
        applying_.push_back(static_cast<ReplicaStream::ApplyNode&>(node).stream);
      });
    }
  }
  return count;
}

ReplicaNode::End ReplicaNode::end_reason() const noexcept {
  if (stopping_.load(std::memory_order_acquire)) return End::stopped;
  if (log_failed()) return End::log_failed;
  if (needs_full_copy_.load(std::memory_order_acquire)) return End::needs_full_copy;
  if (primary_closed_.load(std::memory_order_acquire)) return End::primary_closed;
  return End::none;
}

Result<std::size_t> ReplicaNode::end_result(End end, std::size_t count) const {
  if (end != End::needs_full_copy && end != End::log_failed) return count;
  std::lock_guard lock(report_mutex_);
  if (end == End::log_failed) return Error(Errc::io, log_failure_);
  return Error(Errc::needs_full_copy, report_.reason);
}

Instant ReplicaNode::now() const noexcept { return engine_->shards().at(0).reactor().now(); }

bool ReplicaNode::hosts_loops() {
  Shard& shard = engine_->shards().at(0);
  return engine_->shards().hosted() && shard.host_here() && !shard.turning();
}

void ReplicaNode::turn_loops(Instant until, Position rings) {
  ShardGroup& shards = engine_->shards();
  const Goal records{&rings_, rings + 1};
  if (shards.size() == 1) return shards.at(0).turn(until, records);
  const Instant sleep = std::min(until, now() + kManyLoopsSleep_ns);
  for (std::uint32_t loop = 0; loop < shards.size(); ++loop) {
    if (shards.at(loop).host_here()) shards.at(loop).turn(sleep, records);
  }
}

Status ReplicaNode::run(const Apply& apply) {
  const bool hosted = hosts_loops();
  // Called again after a goodbye, this may be all that they get until the next primary is found.
  if (hosted) turn_loops(0, rings_.load(std::memory_order_seq_cst));
  for (;;) {
    // Read before applying: what is exposed when the end is known is applied before it is told.
    // And the rings before that: an end that is not seen here rings once more.
    const Position rings = rings_.load(std::memory_order_seq_cst);
    const End end = end_reason();
    const Instant apply_until = now() + kApplyTime_ns;
    std::size_t applied = 0;
    std::size_t slice = 0;
    do {
      slice = apply_ready(apply, kApplySlice);
      applied += slice;
    } while (slice != 0 && (!hosted || now() < apply_until));
    if (install_error_) return *std::exchange(install_error_, std::nullopt);
    const bool more = slice != 0;
    if (end == End::stopped || (end != End::none && !more)) {
      if (end == End::stopped) stopping_.store(false);
      if (auto result = end_result(end, applied); !result) return result.error();
      return Done{};
    }
    if (hosted) {
      turn_loops(more ? 0 : kNever, rings);
    } else if (!more) {
      ring_waiters_.wait_until(rings_, rings + 1, never_, kNever);
    }
  }
}

Result<std::size_t> ReplicaNode::poll(const Apply& apply, std::size_t records_max,
                                      std::chrono::nanoseconds timeout) {
  const bool hosted = hosts_loops();
  const Instant deadline = engine_->shards().at(0).deadline_in(timeout);
  for (bool first = true;; first = false) {
    const Position rings = rings_.load(std::memory_order_seq_cst);
    const End end = end_reason();
    if (hosted && first) turn_loops(0, rings);
    const std::size_t count = apply_ready(apply, records_max);
    const auto install_error = std::exchange(install_error_, std::nullopt);
    if (count != 0) return count;
    if (install_error) return *install_error;
    if (end == End::stopped) stopping_.store(false);
    if (end != End::none) return end_result(end, 0);
    if (now() >= deadline) return std::size_t{0};
    if (hosted) {
      turn_loops(deadline, rings);
    } else {
      ring_waiters_.wait_until(rings_, rings + 1, never_, deadline);
    }
  }
}

// Any thread.

void ReplicaNode::stop() noexcept {
  stopping_.store(true);
  ring();
  // A hosted loop may sleep in the thread that applies.
  ShardGroup& shards = engine_->shards();
  for (std::uint32_t loop = 0; loop < shards.size(); ++loop) shards.at(loop).post([] {});
}

Status ReplicaNode::confirm(StreamId stream, Position position) {
  if (!streams_made_.load(std::memory_order_acquire) || stream >= streams_.size()) {
    return Error(Errc::invalid_option, "confirm: stream " + std::to_string(stream) +
                                           " is none of this replica's");
  }
  return streams_[stream]->confirm(position);
}

ReplicaReport ReplicaNode::report() const {
  ReplicaReport report;
  {
    std::lock_guard lock(report_mutex_);
    report = report_;
  }
  report.frames_received = frames_received_.load(std::memory_order_relaxed);
  report.frames_refused = frames_refused_.load(std::memory_order_relaxed);
  if (streams_made_.load(std::memory_order_acquire)) {
    for (const auto& stream : streams_) report.streams.push_back(stream->status());
  }
  return report;
}

/// The links still turn with their loops, and store what the logs have not taken.
void ReplicaNode::close_logs() {
  if (options_.directory.empty() || !streams_made_.load(std::memory_order_acquire)) return;
  ShardGroup& shards = engine_->shards();
  for (bool closed = false; !closed;) {
    for (std::uint32_t loop = 0; loop < shards.size(); ++loop) {
      Shard& shard = shards.at(loop);
      if (shard.host_here()) shard.turn(shard.reactor().now() + kMillisecond_ns);
    }
    closed = true;
    for (const auto& stream : streams_) {
      stream->shard().call([&] { closed = stream->close_log() && closed; });
    }
  }
}

void ReplicaNode::close() {
  if (std::exchange(closed_, true)) return;
  stop();
  ShardGroup& shards = engine_->shards();
  const auto for_links = [&](auto action) {
    // Links are only added by link 0, which the first action stops.
    for (std::size_t i = 0; i < links_.size(); ++i) {
      Shard& shard = shards.at(static_cast<std::uint32_t>(i) % shards.size());
      shard.call([&] { action(shard, *links_[i]); });
    }
  };
  shards.at(0).call([&] { links_[0]->stop(); });
  for_links([](Shard&, ReplicaLink& link) { link.stop(); });
  for (bool stopped = false; !stopped;) {
    for (std::uint32_t loop = 0; loop < shards.size(); ++loop) {
      if (shards.at(loop).host_here()) shards.at(loop).turn(0);
    }
    stopped = true;
    for_links([&](Shard&, ReplicaLink& link) { stopped = stopped && link.stopped(); });
  }
  close_logs();
  for_links([](Shard& shard, ReplicaLink& link) { shard.detach(link); });
  on_state(ReplicaReport::State::stopped, "closed");
}

}  // namespace quorate::shard
