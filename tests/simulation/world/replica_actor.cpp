#include "tests/simulation/world/replica_actor.h"

#include <utility>

#include "tests/simulation/system/heap.h"
#include "tests/simulation/world/content.h"
#include "tests/simulation/world/loops.h"

namespace quorate::simulation {

ReplicaActor::ReplicaActor(Network& network, Teller& teller, const Plan& plan, Ledgers* ledgers,
                           HostId host, std::uint32_t replica, Draw draw)
    : network_(network),
      teller_(teller),
      plan_(plan),
      ledgers_(ledgers),
      index_(replica),
      draw_(draw),
      apply_([this](const Record& record) { apply(record); }) {
  open(host);
}

void ReplicaActor::open(HostId host) {
  process_ = network_.start_process(host);
  HistoryEvent event;
  event.kind = EventKind::process_began;
  event.replica = index_;
  event.process = process_->id();
  teller_.tell(event);
  const std::string name = "r" + std::to_string(index_ + 1);
  EngineOptions engine;
  engine.trace = [this, name](TraceLevel, std::string_view text) {
    if (teller_.tracing()) teller_.trace(name.c_str(), std::string(text));
  };
  Loops loops = open_loops(*process_, plan_.replica_loops, engine, [this] { apply_soon(); });
  engine_ = std::move(loops.engine);
  ReplicaOptions options = plan_.replica;
  options.name = name;
  options.primary = Network::address_of(kPrimaryHost) + ":" + std::to_string(kPrimaryPort);
  {
    const HeapScope memory(process_->id());
    auto opened = Replica::open(*engine_, options);
    if (!opened) return teller_.fail("open of a replica: " + opened.error().text);
    replica_ = std::make_unique<Replica>(std::move(opened).value());
  }
  if (ledgers_ != nullptr) disk_ = ledgers_->open(host, *loops.reactors.back());
  loops.wake();
}

ReplicaActor::~ReplicaActor() { kill(Ending::process); }

void ReplicaActor::apply_soon() {
  if (apply_due_ || ended_) return;
  apply_due_ = true;
  const Instant now = network_.scheduler().now();
  const Instant pause_ns = now < slow_until_ ? draw_.magnitude(kMillisecond_ns, kSecond_ns) : 0;
  if (pause_ns == 0) return fire(0);
  network_.scheduler().at(now + pause_ns, *this);
}

void ReplicaActor::fire(std::uint64_t) {
  apply_due_ = false;
  if (ended_ || process_->paused()) return;
  const bool slow = network_.scheduler().now() < slow_until_;
  const auto records_max = static_cast<std::size_t>(slow ? draw_.between(1, 8) : 256);
  const auto count = replica_->poll(apply_, records_max);
  if (!count) {
    lost_ = true;
    return;
  }
  if (count.value() == records_max) {
    apply_due_ = true;
    const Instant now = network_.scheduler().now();
    network_.scheduler().at(now + (slow ? 10 * kMillisecond_ns : kMicrosecond_ns), *this);
  }
}

void ReplicaActor::apply(const Record& record) {
  HistoryEvent event;
  event.kind = EventKind::applied;
  event.process = process_->id();
  event.stream = record.stream;
  event.begin = record.begin;
  event.end = record.end;
  event.content = content_of(record.payload);
  teller_.tell(event);
}

void ReplicaActor::show() {
  if (ended_) return;
  for (const ReplicaStreamStatus& stream : replica_->report().streams) {
    HistoryEvent event;
    event.kind = EventKind::shown;
    event.process = process_->id();
    event.stream = stream.stream;
    event.epoch = stream.epoch;
    event.end = stream.received;
    event.begin = stream.committed;
    event.applied = stream.applied;
    teller_.tell(event);
  }
}

void ReplicaActor::kill(Ending ending) {
  if (std::exchange(ended_, true)) return;
  if (disk_) disk_->stop();
  process_->kill(ending);
  HistoryEvent event;
  event.kind = EventKind::process_ended;
  event.process = process_->id();
  event.replica = index_;
  teller_.tell(event);
  replica_.reset();
  engine_.reset();
  disk_.reset();
}

}  // namespace quorate::simulation
