#include "tests/simulation/model/right_history.h"

#include <algorithm>
#include <deque>
#include <random>

namespace quorate::simulation {

namespace {

struct Written {
  Position begin = 0;
  Position end = 0;
  std::uint64_t content = 0;
  EventKind state = EventKind::claimed;  ///< or published or abandoned
};

struct Waiting {
  std::uint64_t number = 0;
  std::uint8_t rule = 0;
  Position end = 0;
};

/// A stream as its primary knows it.
struct Source {
  std::vector<Written> records;
  Position written = 0;
  bool fenced = false;
  Position committed = 0;
  std::vector<Position> received;  ///< by replica
  std::vector<Position> applied;
  std::vector<Position> watermarks;  ///< by rule
  std::vector<Waiting> waiting;
};

/// A stream as a process has it.
struct Sink {
  std::size_t reign = 0;
  Position held = 0;
  Position sent = 0;     ///< by the primary of its session
  bool joined = false;   ///< the primary has accepted its claim
  Position told = 0;     ///< committed
  std::size_t at = 0;    ///< the next record to apply
  Position applied = 0;
};

struct Process {
  std::uint32_t number = 0;
  bool alive = false;
  bool connected = false;
  std::vector<Sink> sinks;
  std::deque<HistoryEvent> coming;  ///< under way to it
  std::deque<HistoryEvent> going;   ///< under way to the primary
};

class Maker {
 public:
  Maker(std::uint64_t seed, std::uint32_t steps) : random_(seed), steps_(steps) {
    config_.replicas = static_cast<std::uint32_t>(below(4)) + 1;
    config_.streams = static_cast<std::uint32_t>(below(3)) + 1;
    config_.protected_copies = static_cast<std::uint32_t>(below(config_.replicas)) + 1;
    if (config_.protected_copies == 1 && below(2) == 0) config_.protected_copies = 2;
    const std::uint64_t all = (1ull << config_.replicas) - 1;
    config_.rules = {{Level::received, 0, 0},
                     {Level::received, 1, all},
                     {Level::received, config_.replicas, all},
                     {Level::applied, 1, all},
                     {Level::received, 1, 1ull << below(config_.replicas)}};
  }

  History make() {
    processes_.resize(config_.replicas);
    begin_reign();
    for (auto& process : processes_) begin_process(process);
    for (std::uint32_t i = 0; i < steps_; ++i) step();
    settle_down();
    end_reign();
    return {config_, std::move(events_)};
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  HistoryEvent& tell(EventKind kind, StreamId stream = 0) {
    HistoryEvent event;
    event.kind = kind;
    event.stream = stream;
    events_.push_back(event);
    return events_.back();
  }
  HistoryEvent of_sink(EventKind kind, const Process& process, StreamId stream) const {
    HistoryEvent event;
    event.kind = kind;
    event.process = process.number;
    event.stream = stream;
    return event;
  }

  std::vector<Source>& sources() { return reigns_.back(); }
  static Epoch epoch_of(std::size_t reign) { return {reign + 1, 77 * reign + 5}; }

  std::uint32_t replica_of(const Process& process) const {
    return static_cast<std::uint32_t>(&process - processes_.data());
  }

  void step() {
    const auto stream = static_cast<StreamId>(below(config_.streams));
    Process& process = processes_[below(processes_.size())];
    switch (below(400)) {
      case 0: return fence(stream);
      case 1: return begin_reign();
      case 2: case 3: return end_process(process);
      case 4: case 5: case 6: case 7: return disconnect(process);
      default: break;
    }
    switch (below(10)) {
      case 0: case 1: return write(stream);
      case 2: return settle_oldest(stream);
      case 3: return await(stream);
      case 4: return send(process, stream);
      case 5: return deliver(process);
      case 6: return collect(process);
      case 7: return apply(process, stream, 1 + below(3));
      case 8: return acknowledge(process, stream);
      default: return below(3) == 0 ? show(process, stream) : revive(process);
    }
  }

  // The primary.

  void begin_reign() {
    if (!reigns_.empty()) end_reign();
    reigns_.emplace_back(config_.streams);
    for (Source& source : sources()) {
      source.received.resize(config_.replicas);
      source.applied.resize(config_.replicas);
      source.watermarks.resize(config_.rules.size());
    }
    tell(EventKind::reign_began).epoch = epoch_of(reigns_.size() - 1);
  }

  void end_reign() {
    tell(EventKind::closing);
    for (Source& source : sources()) {
      for (const Waiting& waiting : source.waiting) tell_unknown(waiting);
      source.waiting.clear();
    }
    tell(EventKind::reign_ended);
    // What is under way to replicas may still arrive; what is under way to the primary not.
    for (Process& process : processes_) {
      process.going.clear();
      for (Sink& sink : process.sinks) sink.joined = false;
    }
  }

  void tell_unknown(const Waiting& waiting) {
    HistoryEvent& event = tell(EventKind::resolved);
    event.waiter = waiting.number;
    event.outcome = OutcomeKind::unknown;
    event.copies = 1;
  }

  void fence(StreamId stream) {
    Source& source = sources()[stream];
    if (source.fenced || source.records.empty() ||
        source.written == source.records.back().end) {
      return;
    }
    source.fenced = true;
    tell(EventKind::stream_fenced, stream);
    for (const Waiting& waiting : source.waiting) tell_unknown(waiting);
    source.waiting.clear();
  }

  void write(StreamId stream) {
    Source& source = sources()[stream];
    if (source.fenced) return;
    Written record;
    record.begin = source.records.empty() ? 0 : source.records.back().end;
    record.end = record.begin + 16 + 8 * below(5);
    record.content = random_();
    HistoryEvent& event = tell(EventKind::claimed, stream);
    event.begin = record.begin;
    event.end = record.end;
    event.content = record.content;
    source.records.push_back(record);
    if (below(4) != 0) settle(stream, source.records.size() - 1, EventKind::published);
  }

  void settle_oldest(StreamId stream) {
    Source& source = sources()[stream];
    for (std::size_t i = 0; i < source.records.size(); ++i) {
      if (source.records[i].state != EventKind::claimed) continue;
      return settle(stream, i, below(2) == 0 ? EventKind::abandoned : EventKind::published);
    }
  }

  void settle(StreamId stream, std::size_t at, EventKind state) {
    Source& source = sources()[stream];
    source.records[at].state = state;
    tell(state, stream).begin = source.records[at].begin;
    if (source.fenced) return;
    for (const Written& record : source.records) {
      if (record.begin < source.written) continue;
      if (record.state == EventKind::claimed) break;
      source.written = record.end;
    }
    raise(stream);
  }

  void await(StreamId stream) {
    Source& source = sources()[stream];
    if (source.records.empty() || source.fenced) return;
    const Written& record = source.records[source.records.size() - 1 - below(
        std::min<std::size_t>(source.records.size(), 4))];
    if (record.state != EventKind::published) return;
    Waiting waiting;
    waiting.number = ++waiters_;
    waiting.rule = static_cast<std::uint8_t>(below(config_.rules.size()));
    waiting.end = record.end;
    HistoryEvent& event = tell(EventKind::awaited, stream);
    event.end = waiting.end;
    event.rule = waiting.rule;
    event.waiter = waiting.number;
    source.waiting.push_back(waiting);
    release(source);
  }

  /// The highest position that `count` of the members have, by sorting.
  Position reached(const Source& source, const ModelRule& rule) const {
    if (rule.count == 0) return source.written;
    std::vector<Position> values;
    const auto& from = rule.level == Level::applied ? source.applied : source.received;
    for (std::uint32_t i = 0; i < config_.replicas; ++i) {
      if (rule.members >> i & 1) values.push_back(from[i]);
    }
    std::sort(values.rbegin(), values.rend());
    return std::min(source.written, values[rule.count - 1]);
  }

  void raise(StreamId stream) {
    Source& source = sources()[stream];
    const std::uint64_t all = (1ull << config_.replicas) - 1;
    const Position committed =
        reached(source, {Level::received, config_.protected_copies - 1, all});
    if (committed > source.committed) {
      source.committed = committed;
      tell(EventKind::committed, stream).end = committed;
    }
    for (std::uint8_t r = 0; r < config_.rules.size(); ++r) {
      const Position mark = reached(source, config_.rules[r]);
      if (mark <= source.watermarks[r]) continue;
      source.watermarks[r] = mark;
      HistoryEvent& event = tell(EventKind::watermark, stream);
      event.rule = r;
      event.end = mark;
    }
    release(source);
  }

  void release(Source& source) {
    std::erase_if(source.waiting, [&](const Waiting& waiting) {
      const ModelRule& rule = config_.rules[waiting.rule];
      if (source.watermarks[waiting.rule] < waiting.end) return false;
      const auto& from = rule.level == Level::applied ? source.applied : source.received;
      HistoryEvent& event = tell(EventKind::resolved);
      event.waiter = waiting.number;
      event.outcome = OutcomeKind::released;
      const auto copies = static_cast<std::uint32_t>(std::count_if(
          from.begin(), from.end(), [&](Position has) { return has >= waiting.end; }));
      // There may be fewer since a replica was started again.
      event.copies = 1 + std::max(copies, rule.count);
      return true;
    });
  }

  // The wire.

  void send(Process& process, StreamId stream) {
    if (!process.connected) return;
    Sink& sink = process.sinks[stream];
    Source& source = sources()[stream];
    if (!sink.joined || sink.sent >= source.written) return;
    HistoryEvent frame = of_sink(EventKind::frame_delivered, process, stream);
    frame.epoch = epoch_of(reigns_.size() - 1);
    frame.begin = sink.sent;
    const std::uint64_t records_max = 1 + below(4);
    std::uint64_t records = 0;
    for (const Written& record : source.records) {
      if (record.begin < sink.sent || record.end > source.written) continue;
      frame.end = record.end;
      if (++records == records_max) break;
    }
    sink.sent = frame.end;
    process.coming.push_back(frame);
    HistoryEvent commit = of_sink(EventKind::commit_delivered, process, stream);
    commit.end = source.committed;
    if (below(2) == 0) commit.epoch = frame.epoch;
    say_commit(process, commit);
  }

  void say_commit(Process& process, const HistoryEvent& commit) {
    events_.push_back(commit);
    events_.back().kind = EventKind::commit_sent;
    process.coming.push_back(commit);
  }

  void deliver(Process& process) {
    if (process.coming.empty()) return;
    const HistoryEvent event = process.coming.front();
    process.coming.pop_front();
    events_.push_back(event);
    Sink& sink = process.sinks[event.stream];
    if (event.kind == EventKind::commit_delivered) {
      sink.told = std::max(sink.told, event.end);
      return;
    }
    sink.held = event.end;
    sink.reign = event.epoch.number - 1;
  }

  void acknowledge(Process& process, StreamId stream) {
    Sink& sink = process.sinks[stream];
    if (!process.alive || !process.connected || sink.held == 0) return;
    HistoryEvent event = of_sink(EventKind::ack_sent, process, stream);
    event.epoch = epoch_of(sink.reign);
    event.end = sink.held;
    event.applied = sink.applied;
    events_.push_back(event);
    event.kind = EventKind::ack_delivered;
    process.going.push_back(event);
  }

  void collect(Process& process) {
    if (process.going.empty()) return;
    const HistoryEvent event = process.going.front();
    process.going.pop_front();
    events_.push_back(event);
    const bool current = event.epoch == epoch_of(reigns_.size() - 1);
    const std::uint32_t replica = replica_of(process);
    Sink& sink = process.sinks[event.stream];
    Source& source = sources()[event.stream];
    if (event.kind == EventKind::claim_delivered) {
      if (process.alive) {
        sink.joined = current || event.end == 0;
        sink.sent = event.end;
      }
      events_.push_back(of_sink(EventKind::claim_answered, process, event.stream));
      source.received[replica] = source.applied[replica] = 0;
    }
    if (!current) return;
    source.received[replica] = std::max(source.received[replica], event.end);
    source.applied[replica] = std::max(source.applied[replica], event.applied);
    raise(event.stream);
  }

  // The processes.

  void begin_process(Process& process) {
    process = {};
    process.number = next_number_++;
    process.alive = true;
    process.sinks.resize(config_.streams);
    HistoryEvent& event = tell(EventKind::process_began);
    event.process = process.number;
    event.replica = replica_of(process);
  }

  void end_process(Process& process) {
    if (!process.alive) return;
    process.alive = process.connected = false;
    process.coming.clear();
    HistoryEvent& event = tell(EventKind::process_ended);
    event.process = process.number;
    event.replica = replica_of(process);
  }

  void disconnect(Process& process) {
    if (!process.connected) return;
    process.connected = false;
    process.coming.clear();
    process.going.clear();
    for (Sink& sink : process.sinks) sink.joined = false;
    tell(EventKind::session_ended).process = process.number;
  }

  void revive(Process& process) {
    if (!process.alive) begin_process(process);
    const bool left_behind = std::any_of(
        process.sinks.begin(), process.sinks.end(), [](const Sink& sink) { return !sink.joined; });
    if (process.connected && left_behind && process.going.empty()) disconnect(process);
    if (process.connected) return;
    process.connected = true;
    for (StreamId stream = 0; stream < config_.streams; ++stream) {
      const Sink& sink = process.sinks[stream];
      HistoryEvent event = of_sink(EventKind::claim_sent, process, stream);
      event.end = sink.held;
      if (sink.held > 0) event.epoch = epoch_of(sink.reign);
      events_.push_back(event);
      event.kind = EventKind::claim_delivered;
      process.going.push_back(event);
    }
  }

  void apply(Process& process, StreamId stream, std::uint64_t records_max) {
    if (!process.alive) return;
    Sink& sink = process.sinks[stream];
    const Position exposed = std::min(sink.held, sink.told);
    if (sink.held == 0) return;
    const auto& records = reigns_[sink.reign][stream].records;
    for (; records_max > 0 && sink.at < records.size(); ++sink.at) {
      const Written& record = records[sink.at];
      if (record.end > exposed) break;
      sink.applied = record.end;
      if (record.state == EventKind::abandoned) continue;
      HistoryEvent event = of_sink(EventKind::applied, process, stream);
      event.epoch = epoch_of(sink.reign);
      event.begin = record.begin;
      event.end = record.end;
      event.content = record.content;
      events_.push_back(event);
      --records_max;
    }
  }

  void show(Process& process, StreamId stream) {
    if (!process.alive) return;
    const Sink& sink = process.sinks[stream];
    HistoryEvent event = of_sink(EventKind::shown, process, stream);
    event.end = sink.held;
    event.begin = std::min(sink.held, sink.told);
    event.applied = sink.applied;
    events_.push_back(event);
  }

  // The end.

  void settle_down() {
    const bool leaves_one = below(3) == 0;
    if (leaves_one) end_process(processes_.back());
    const std::size_t lively = processes_.size() - (leaves_one ? 1 : 0);
    for (std::size_t i = 0; i < lively; ++i) {
      end_process(processes_[i]);
      revive(processes_[i]);
    }
    for (StreamId stream = 0; stream < config_.streams; ++stream) {
      while (open_claim(stream)) settle_oldest(stream);
    }
    for (std::uint32_t round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < lively; ++i) converge(processes_[i]);
    }
    tell(EventKind::quiet).content = (1ull << lively) - 1;
  }

  bool open_claim(StreamId stream) {
    const auto& records = sources()[stream].records;
    return std::any_of(records.begin(), records.end(), [](const Written& record) {
      return record.state == EventKind::claimed;
    });
  }

  void converge(Process& process) {
    while (!process.going.empty()) collect(process);
    for (StreamId stream = 0; stream < config_.streams; ++stream) {
      const Source& source = sources()[stream];
      while (process.sinks[stream].sent < source.written) send(process, stream);
      HistoryEvent commit = of_sink(EventKind::commit_delivered, process, stream);
      commit.end = source.committed;
      say_commit(process, commit);
      while (!process.coming.empty()) deliver(process);
      apply(process, stream, ~0ull);
      show(process, stream);
      acknowledge(process, stream);
    }
    while (!process.going.empty()) collect(process);
  }

  std::mt19937_64 random_;
  const std::uint32_t steps_;
  ModelConfig config_;
  std::vector<HistoryEvent> events_;
  std::vector<std::vector<Source>> reigns_;  ///< by reign and stream
  std::vector<Process> processes_;           ///< by replica
  std::uint32_t next_number_ = 1;
  std::uint64_t waiters_ = 0;
};

}  // namespace

History right_history(std::uint64_t seed, std::uint32_t steps) { return Maker(seed, steps).make(); }

std::string judge(const History& history) {
  Model model(history.config);
  for (const HistoryEvent& event : history.events) model.on(event);
  return model.violation();
}

}  // namespace quorate::simulation
