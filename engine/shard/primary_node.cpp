#include "shard/primary_node.h"

#include <algorithm>
#include <utility>

#include "base/tail_ring.h"
#include "shard/log_opening.h"

namespace quorate::shard {

namespace {

/// Turns the loop when this thread hosts it, else waits for the thread that does.
void run_until(Shard& shard, const std::atomic<bool>& flag) {
  if (!shard.host_here()) return flag.wait(false);
  while (!flag.load()) shard.turn(shard.reactor().now() + kMillisecond_ns);
}

}  // namespace

Result<std::unique_ptr<PrimaryNode>> PrimaryNode::open(std::unique_ptr<Engine> engine,
                                                       Engine* shared, PrimaryOptions options) {
  std::unique_ptr<PrimaryNode> node(new PrimaryNode(std::move(engine), shared));
  if (auto started = node->start(std::move(options)); !started) return started.error();
  return node;
}

PrimaryNode::PrimaryNode(std::unique_ptr<Engine> engine, Engine* shared)
    : own_engine_(std::move(engine)), engine_(own_engine_ ? own_engine_.get() : shared) {}

PrimaryNode::~PrimaryNode() {
  close();
  if (!attached_) return;
  ShardGroup& shards = engine_->shards();
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    shards.at(loop).call([&, loop] {
      if (loop == 0) shards.at(0).detach(*acceptor_);
      shards.at(loop).detach(*drivers_[loop]);
    });
  }
}

Status PrimaryNode::start(PrimaryOptions options) {
  ShardGroup& shards = engine_->shards();
  const auto members = static_cast<std::uint32_t>(options.replicas.size()) + 1;
  if (options.protected_copies == 0) options.protected_copies = members / 2 + 1;
  if (options.max_record_bytes == 0) {
    options.max_record_bytes =
        static_cast<std::uint32_t>(options.ring_bytes / 4 - kRecordHeaderBytes);
  }
  options.max_batch_bytes = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(options.max_batch_bytes, options.ring_bytes / 4));
  shared_.epoch = {1, shards.at(0).reactor().random_seed()};
  shared_.loops = shards.size();
  shared_.frame_bytes_max = std::max<std::uint64_t>(
      options.max_batch_bytes, base::record_bytes(options.max_record_bytes));
  shared_.streams.resize(options.streams);
  shared_.options = std::move(options);
  shared_.hand_over = [this](std::uint32_t loop, transport::Connection::Released released) {
    hand_over(loop, std::move(released));
  };
  if (auto opened = open_logs(); !opened) return opened;
  if (auto made = make_drivers(); !made) return made;
  shared_.logs.clear();
  acceptor_ = std::make_unique<Acceptor>(shards.at(0), *drivers_[0]);
  Status listening = listen();
  if (!listening) return listening;
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    shards.at(loop).call([&, loop] {
      shards.at(loop).attach(*drivers_[loop]);
      drivers_[loop]->start_logs();
    });
  }
  shards.at(0).call([&] { shards.at(0).attach(*acceptor_); });
  attached_ = true;
  return register_rules();
}

Status PrimaryNode::listen() {
  Shard& shard = engine_->shards().at(0);
  const EngineOptions& options = engine_->shards().options();
  const auto ring_bytes = static_cast<std::uint32_t>(shared_.options.ring_bytes);
  Status listening = Done{};
  shard.call([&] {
    shard.reactor().set_socket_options(
        {options.congestion_control,
         options.socket_buffer_bytes != 0 ? options.socket_buffer_bytes : ring_bytes});
    listening = acceptor_->listen(shared_.options.listen);
  });
  return listening;
}

/// Every reign has an epoch of its own, remembered before anything is sent in it.
Status PrimaryNode::open_logs() {
  const std::string& directory = shared_.options.directory;
  if (directory.empty()) return Done{};
  auto reactor = engine_->shards().at(0).reactor().sibling();
  if (!reactor) return reactor.error();
  LogOpening opening(std::move(reactor).value(), shared_.options.storage);
  auto lock = opening.open_node(directory, shared_.options.cluster, shared_.options.name);
  if (!lock) return lock.error();
  lock_ = std::move(lock).value();
  for (StreamId id = 0; id < shared_.options.streams; ++id) {
    auto opened = opening.open_stream(directory, id);
    if (!opened) return opened.error();
    if (opened->found.state == log::RecoveryState::fault) {
      return Error(Errc::corrupt, opened->found.why + "; what follows position " +
                                      std::to_string(opened->found.start.end.position) +
                                      " is unknown, so this node cannot lead; start it as a "
                                      "replica of one that has it");
    }
    shared_.epoch.number = std::max(shared_.epoch.number, opened->metadata.promised_number + 1);
    shared_.logs.push_back(std::move(opened).value());
  }
  for (OpenedLog& opened : shared_.logs) {
    if (auto begun = opening.begin(opened, shared_.epoch); !begun) return begun;
  }
  return Done{};
}

Status PrimaryNode::make_drivers() {
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    drivers_.push_back(
        std::make_unique<PrimaryDriver>(shared_, engine_->shards().at(loop), loop));
    if (auto made = drivers_.back()->make_streams(); !made) return made;
    for (std::uint32_t local = 0; local < drivers_.back()->stream_count(); ++local) {
      PrimaryStream& stream = drivers_.back()->stream(local);
      shared_.streams[stream.id()] = &stream;
    }
  }
  return Done{};
}

Status PrimaryNode::register_rules() {
  Status status = Done{};
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    engine_->shards().at(loop).call([&, loop] {
      for (std::uint32_t local = 0; local < drivers_[loop]->stream_count(); ++local) {
        for (const Rule& rule : shared_.options.rules) {
          auto id = drivers_[loop]->stream(local).register_rule(rule, shared_.options.replicas,
                                                                shared_.options.floor_copies);
          if (!id) status = id.error();
        }
      }
    });
  }
  return status;
}

void PrimaryNode::hand_over(std::uint32_t loop, transport::Connection::Released released) {
  Shard& shard = engine_->shards().at(loop);
  const reactor::Socket socket = released.socket;
  const bool posted = shard.post([&shard, driver = drivers_[loop].get(), released] {
    shard.reactor().adopt(released.socket);
    driver->add_link(released.socket, released.read_ahead);
  });
  // A loop that is that far behind has no use for another connection; the peer tries again.
  if (!posted) engine_->shards().at(0).reactor().close(socket);
}

PrimaryCounters PrimaryNode::counters() const {
  PrimaryCounters sum;
  for (const auto& driver : drivers_) {
    const PrimaryDriver::Counters& counters = driver->counters;
    sum.frames_sealed += counters.frames_sealed.load(std::memory_order_relaxed);
    sum.records_sealed += counters.records_sealed.load(std::memory_order_relaxed);
    sum.bytes_sealed += counters.bytes_sealed.load(std::memory_order_relaxed);
    sum.sends += counters.sends.load(std::memory_order_relaxed);
    sum.acknowledgements += counters.acknowledgements.load(std::memory_order_relaxed);
    sum.connections_accepted += counters.connections_accepted.load(std::memory_order_relaxed);
    sum.connections_refused += counters.connections_refused.load(std::memory_order_relaxed);
    sum.replicas_dropped += counters.replicas_dropped.load(std::memory_order_relaxed);
    sum.turns += driver->shard().turns();
  }
  return sum;
}

void PrimaryNode::close() {
  if (std::exchange(closed_, true) || !attached_) return;
  ShardGroup& shards = engine_->shards();
  shards.at(0).call([&] { acceptor_->stop(); });
  for (bool done = false; !done;) {
    if (shards.at(0).host_here()) shards.at(0).turn(shards.at(0).reactor().now());
    shards.at(0).call([&] { done = acceptor_->done(); });
  }
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    Shard& shard = shards.at(loop);
    shard.call([&, loop] {
      const std::int64_t wait_ns = shared_.options.close_timeout.count() * kMillisecond_ns;
      drivers_[loop]->begin_close(shard.reactor().now() + wait_ns);
    });
  }
  for (std::uint32_t loop = 0; loop < shared_.loops; ++loop) {
    run_until(shards.at(loop), drivers_[loop]->closed());
  }
}

}  // namespace quorate::shard
