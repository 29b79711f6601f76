#include "tools/load/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "quorate/primary.h"
#include "tools/cli/signals.h"
#include "tools/load/cluster.h"
#include "tools/load/comparison.h"
#include "tools/load/monitor.h"
#include "tools/load/writer.h"
#include "tools/process/process.h"

namespace quorate::tools {

namespace {

using State = ReplicaStatus::State;

constexpr double kEnd_s = 5;             ///< for members to end after the primary's goodbye
constexpr double kAfterInterrupt_s = 1;  ///< for what is outstanding
constexpr std::int64_t kNanoseconds = 1'000'000'000;

class LoadRun {
 public:
  LoadRun(const LoadPlan& plan, const std::string& mode, Primary primary, std::string logs)
      : plan_(plan),
        logs_(std::move(logs)),
        primary_(std::move(primary)),
        faults_(plan.options.faults) {
    report_.mode = mode;
    if (plan.options.deadline_s > 0) deadline_s_ = now_s() + plan.options.deadline_s;
  }

  Status begin(const Rule& rule);
  void write();
  void compare();
  LoadReport end();

 private:
  [[nodiscard]] Status begins_empty();
  Status await_replicas();
  [[nodiscard]] bool all_streaming() const;
  void make_writers();
  void set_times();
  void pause(double timeout_s);
  void watch();
  void collect();
  [[nodiscard]] double give_up_s(double now) const;
  [[nodiscard]] bool writers_done() const;
  [[nodiscard]] std::uint64_t progress() const;
  [[nodiscard]] std::uint64_t appended();
  [[nodiscard]] Position ends();

  const LoadPlan& plan_;
  std::string logs_;
  Primary primary_;
  FaultPlan faults_;
  Position began_at_ = 0;  ///< of all streams together
  LoadReport report_;
  std::optional<double> deadline_s_;
  std::optional<double> interrupted_s_;
  std::vector<RuleId> rules_;  ///< by stream
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Monitor> monitor_;
  LoadControl control_;
  std::vector<std::unique_ptr<Writer>> writers_;
};

Status LoadRun::begin(const Rule& rule) {
  for (StreamId id = 0; id < primary_.stream_count(); ++id) {
    auto registered = primary_.stream(id).rule(rule);
    if (!registered) return registered.error();
    rules_.push_back(*registered);
  }
  if (Status status = begins_empty(); !status) return status;
  monitor_ = std::make_unique<Monitor>(primary_, plan_, rules_);
  report_.backend = primary_.engine().backend();
  if (plan_.options.cluster != 0) {
    cluster_ = std::make_unique<Cluster>(plan_, primary_.address(), logs_);
    if (Status status = cluster_->start(); !status) return status;
  } else {
    fmt::print(stderr, "listening on {}, cluster {}, for {}\n", primary_.address(),
               plan_.options.cluster_name, fmt::join(plan_.names, ", "));
  }
  if (Status status = await_replicas(); !status) return status;
  make_writers();
  return Done{};
}

/// The digest of a run covers its own records; a replica's covers all that were ever in the stream.
Status LoadRun::begins_empty() {
  if (!plan_.options.verify) return Done{};
  for (StreamId id = 0; id < primary_.stream_count(); ++id) {
    const Position end = primary_.stream(id).status().appended;
    if (end == 0) continue;
    return Error(
        Errc::invalid_option,
        fmt::format("--verify: found records of an earlier run up to position {} of stream "
                    "{} in --directory {}, allowed with an empty directory",
                    end, id, logs_));
  }
  return Done{};
}

bool LoadRun::all_streaming() const {
  const std::vector<State> states = monitor_->states();
  return std::all_of(states.begin(), states.end(),
                     [](State state) { return state == State::streaming; });
}

Status LoadRun::await_replicas() {
  const double within_s = plan_.options.replicas_within_s;
  for (const double limit_s = now_s() + within_s; within_s > 0 && !all_streaming();) {
    pause(0.01);
    if (interrupted()) return Error(Errc::timed_out, "interrupted");
    if (now_s() > limit_s || (deadline_s_ && now_s() > *deadline_s_)) {
      std::string missing;
      for (const ReplicaResult& replica : monitor_->results()) {
        if (replica.state != State::streaming) missing += ' ' + replica.name;
      }
      return Error(Errc::timed_out,
                   fmt::format("replicas not connected within {} s:{}", within_s, missing));
    }
    for (std::size_t i = 0; cluster_ && i < cluster_->members().size(); ++i) {
      const Cluster::Member& member = cluster_->members()[i];
      if (!member.exit_code) continue;
      return Error(Errc::io, fmt::format("replica {} ended with {} before it was connected",
                                         member.name, *member.exit_code));
    }
  }
  return Done{};
}

/// With at least as many writers as streams, streams are dealt to writers in turn; else each writer
/// has several, and takes turns among them.
void LoadRun::make_writers() {
  const LoadOptions& options = plan_.options;
  for (std::uint32_t w = 0; w < options.writers; ++w) {
    std::vector<Lane> lanes;
    for (StreamId id = w % options.streams; id < options.streams; id += options.writers) {
      Stream stream = primary_.stream(id);
      lanes.push_back({stream, rules_[id], stream.epoch(), 0, 0, 0, {}});
    }
    WriterSpec spec;
    spec.index = static_cast<std::uint16_t>(w);
    spec.writers = static_cast<std::uint16_t>(options.writers);
    spec.window = plan_.window;
    spec.window_bytes = plan_.window_bytes;
    spec.sample_every = plan_.sample_every;
    if (options.rate > 0) spec.interval_ns = 1e9 * options.writers / options.rate;
    spec.trace_speed = options.trace_speed;
    spec.verify = options.verify;
    if (options.snapshot_every_mib != 0) {
      spec.snapshots = plan_.directory_of(PrimaryOptions{}.name, logs_);
      spec.snapshot_every_bytes = std::uint64_t{options.snapshot_every_mib} << 20;
    }
    spec.sizes = options.sizes;
    spec.rows = plan_.rows;
    writers_.push_back(std::make_unique<Writer>(spec, std::move(lanes), control_));
  }
}

void LoadRun::set_times() {
  constexpr double kShare = 0.1;  // of the deadline, for what is outstanding when appending ends
  const auto in_ns = [](double seconds) { return static_cast<std::int64_t>(seconds * 1e9); };
  control_.start_ns = now_ns();
  control_.append_until_ns = plan_.rows.empty() ? control_.start_ns + in_ns(plan_.options.seconds)
                                                : std::numeric_limits<std::int64_t>::max();
  if (!deadline_s_) return;
  const double spare_s = plan_.rows.empty() ? plan_.options.deadline_s * kShare : 0;
  control_.append_until_ns = std::min(control_.append_until_ns, in_ns(*deadline_s_ - spare_s));
}

/// A moment for the members, or just for the time to pass.
void LoadRun::pause(double timeout_s) {
  if (cluster_) {
    cluster_->look(timeout_s);
  } else {
    std::this_thread::sleep_for(std::chrono::duration<double>(timeout_s));
  }
}

void LoadRun::write() {
  set_times();
  began_at_ = ends();
  for (const auto& writer : writers_) writer->start();
  watch();
  control_.stop.store(true);
  control_.abandon.store(true);
  for (const auto& writer : writers_) writer->join();
  collect();
}

bool LoadRun::writers_done() const {
  return std::all_of(writers_.begin(), writers_.end(),
                     [](const auto& writer) { return writer->done(); });
}

std::uint64_t LoadRun::progress() const {
  std::uint64_t sum = 0;
  for (const auto& writer : writers_) sum += writer->progress();
  return sum;
}

Position LoadRun::ends() {
  Position sum = 0;
  for (StreamId id = 0; id < primary_.stream_count(); ++id) {
    sum += primary_.stream(id).status().appended;
  }
  return sum;
}

/// By this run; looked at only for faults that wait for it.
std::uint64_t LoadRun::appended() {
  return faults_.counts_bytes() ? ends() - began_at_ : 0;
}

/// When nobody waits any longer.
double LoadRun::give_up_s(double now) const {
  if (interrupted_s_) return *interrupted_s_ + kAfterInterrupt_s;
  if (deadline_s_) return *deadline_s_;
  const double stalled_s = monitor_->stalled_s(now);
  return stalled_s > kDrain_s ? now : now + kDrain_s - stalled_s;
}

void LoadRun::watch() {
  const double start_s = static_cast<double>(control_.start_ns) / kNanoseconds;
  for (;;) {
    const double now = now_s();
    monitor_->look(now);
    monitor_->show(now, now - start_s, progress());
    while (const auto fault = faults_.due(now - start_s, appended())) {
      if (Status status = cluster_->inject(*fault); !status) {
        report_.errors.push_back(status.error().text);
      }
    }
    if (interrupted() && !interrupted_s_) {
      interrupted_s_ = now;
      control_.stop.store(true);
      report_.errors.emplace_back("interrupted");
    }
    if (writers_done() || now >= give_up_s(now)) break;
    pause(std::min({Monitor::kInterval_s, faults_.wait_s(now - start_s), give_up_s(now) - now}));
  }
  // A run that was to show what becomes of a fault has shown nothing.
  if (const auto fault = faults_.left(); fault && !interrupted_s_) {
    report_.errors.push_back(fmt::format("{} of {}: writing ended before it was due",
                                         to_string(fault->kind), fault->name));
  }
}

void LoadRun::collect() {
  std::int64_t finished_ns = control_.start_ns;
  for (const auto& writer : writers_) {
    report_.appended += writer->appended();
    report_.pending += writer->pending();
    report_.missed += writer->missed();
    report_.rows_left += writer->rows_left();
    report_.latencies_ns.merge(writer->latencies_ns());
    for (const Lane& lane : writer->lanes()) report_.payload_bytes += lane.digest.bytes;
    finished_ns = std::max(finished_ns, writer->finished_ns());
    if (writer->error()) report_.errors.push_back(writer->error()->text);
  }
  report_.seconds = static_cast<double>(finished_ns - control_.start_ns) / kNanoseconds;
}

void LoadRun::compare() {
  report_.replicas = monitor_->results();
  // Contents that are still on their way, or cut short, cannot be compared.
  const bool whole = report_.pending == 0 && report_.rows_left == 0 && report_.errors.empty();
  if (!plan_.options.verify || !whole) return;
  const double limit_s = deadline_s_.value_or(now_s() + kDrain_s);
  Comparison comparison(primary_, plan_, cluster_.get());
  for (const auto& writer : writers_) comparison.add(writer->lanes());
  if (Status status = comparison.send(limit_s); !status) {
    report_.errors.push_back(status.error().text);
    return;
  }
  while (!comparison.complete(monitor_->states()) && now_s() < limit_s && !interrupted()) {
    pause(0.02);
    monitor_->look(now_s());
  }
  report_.replicas = monitor_->results();
  comparison.judge(report_.replicas);
}

LoadReport LoadRun::end() {
  primary_.close();
  if (cluster_) cluster_->finish(kEnd_s);
  monitor_.reset();
  judge(report_, plan_);
  return std::move(report_);
}

}  // namespace

Result<LoadReport> run_load(const LoadPlan& plan, const std::string& mode, const Rule& rule,
                            const std::string& logs) {
  auto primary = Primary::open(plan.primary(rule, logs));
  if (!primary) return primary.error();
  LoadRun run(plan, mode, std::move(*primary), logs);
  if (Status status = run.begin(rule); !status) return status.error();
  run.write();
  run.compare();
  return run.end();
}

}  // namespace quorate::tools
