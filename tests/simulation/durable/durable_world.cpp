#include "tests/simulation/durable/durable_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "log/segment_maker.h"

namespace quorate::simulation::durable {

namespace {

constexpr Instant kLook_ns = 50 * kMillisecond_ns;
constexpr Instant kWrite_ns = 5 * kMillisecond_ns;
constexpr Instant kCalm_ns = 3 * kSecond_ns;      ///< with load, after the last fault
constexpr Instant kConverge_ns = 60 * kSecond_ns; ///< without any progress
constexpr Instant kEnd_ns = 1800 * kSecond_ns;    ///< of a world, after the last fault
constexpr std::uint64_t kEventsPerSecondMax = 3'000'000;

/// Locks are real files, so directories exist for real; all else is on simulated disks.
std::string make_root(std::uint32_t replicas) {
  std::string name = (std::filesystem::temp_directory_path() / "quorate-sim-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  std::filesystem::create_directory(name + "/a");
  for (std::uint32_t i = 1; i <= replicas; ++i) {
    std::filesystem::create_directory(name + "/r" + std::to_string(i));
  }
  return name;
}

struct NoCompletion final : FileCompletion {
  void on_file_done(reactor::Operation&, std::int32_t) override {}
};

}  // namespace

DurableWorld::DurableWorld(const Settings& settings, bool trace)
    : settings_(settings),
      trace_(trace),
      scheduler_(settings.seed),
      network_(scheduler_, settings.seed),
      oracle_(settings.streams, settings.replicas, settings.rules, settings.protected_copies),
      root_(make_root(settings.replicas)),
      load_(Draw::of(settings.seed, "durable load")),
      dice_(Draw::of(settings.seed, "durable faults")),
      places_(settings.replicas + 1) {
  if (settings_.snapshots) oracle_.expect_snapshots();
  for (Place& place : places_) {
    Host& host = network_.add_host(dice_.between(-200, 200));
    host.disk.law.latency_max_ns = settings_.disk_latency_max_ns;
    place.segments.assign(settings_.streams, 0);
    place.oldest.assign(settings_.streams, 0);
  }
}

DurableWorld::~DurableWorld() { std::filesystem::remove_all(root_); }

void DurableWorld::trace(const std::string& who, const std::string& text) {
  if (!trace_) return;
  const Instant now = scheduler_.now();
  std::printf("%4lld.%06lld %-8s %s\n", static_cast<long long>(now / kSecond_ns),
              static_cast<long long>(now % kSecond_ns / kMicrosecond_ns), who.c_str(),
              text.c_str());
}

void DurableWorld::fail(const std::string& what) {
  if (!result_.failure.empty()) return;
  result_.failure = what;
  result_.failed_at = scheduler_.now();
  trace("FAIL", what);
}

void DurableWorld::look_at_primary() {
  if (primary() != nullptr) primary()->show();
}

void DurableWorld::fire(std::uint64_t what) {
  const auto task = std::exchange(tasks_[what], nullptr);
  if (!finished_ && task) task();
}

void DurableWorld::later(Instant delay_ns, std::function<void()> what) {
  tasks_.push_back(std::move(what));
  scheduler_.at(scheduler_.now() + delay_ns, *this, tasks_.size() - 1);
}

void DurableWorld::run_until(Instant time) {
  Instant second = 0;
  std::uint64_t events = 0;
  while (result_.failure.empty() && scheduler_.next() <= time) {
    scheduler_.run_one();
    if (!oracle_.violation().empty()) fail(oracle_.violation());
    if (scheduler_.now() - second >= kSecond_ns) {
      second = scheduler_.now();
      events = scheduler_.fired();
    } else if (scheduler_.fired() - events > kEventsPerSecondMax) {
      fail("liveness: events without end, and time does not go on; " + state());
    }
  }
}

DurableResult DurableWorld::run() {
  trace("world", settings_.to_string());
  look();
  write();
  begin_load();
  if (settings_.snapshots) offer();
  later(dice_.between(0, kSecond_ns), [this] { strike(); });
  if (settings_.left_alone) {
    later(dice_.between(0, settings_.horizon / 2), [this] { leave_alone(); });
  }
  run_until(settings_.horizon);
  heal();
  run_until(scheduler_.now() + kCalm_ns);
  writing_ = false;
  converge();
  finish();
  result_.simulated_ns = scheduler_.now();
  result_.hash = scheduler_.hash();
  result_.events = scheduler_.fired();
  return result_;
}

// The operator and the load.

void DurableWorld::look() {
  later(kLook_ns, [this] { look(); });
  for (std::uint32_t host = 0; host < hosts(); ++host) tend(host);
  // Calls that never end would keep the world in them for ever.
  if (scheduler_.now() > settings_.horizon + 2 * kEnd_ns) {
    fail("liveness: a call does not end; " + state());
    for (Place& place : places_) {
      if (place.node) place.node->kill(Ending::process);
    }
  }
}

void DurableWorld::tend(std::uint32_t host) {
  Place& place = places_[host];
  if (place.node && place.node->lost() && !place.node->busy()) {
    place.node->kill(Ending::process);
    place.down_until = scheduler_.now() + draw_pause() / 4;
  }
  if (place.node && place.node->ended()) {
    if (!place.node->bury()) return;
    past_.push_back(std::move(place.node));
  }
  if (place.node) return note_segments(place);
  if (scheduler_.now() >= place.down_until && result_.failure.empty()) start(host);
}

void DurableWorld::start(std::uint32_t host) {
  Place& place = places_[host];
  const Surroundings surroundings{network_, oracle_, *this, settings_, root_};
  const Draw draw = Draw::of(settings_.seed, "life", ++lives_);
  trace("operator", "starts host " + std::to_string(host));
  if (host == kPrimaryHost) {
    place.node = std::make_unique<PrimaryNode>(surroundings, key_, draw);
  } else {
    place.node = std::make_unique<ReplicaNode>(surroundings, host, host - 1, draw);
  }
  place.node->open(healed_ || dice_.chance(400));
}

/// From the names of the files: which segments were begun and which were given up since.
void DurableWorld::note_segments(Place& place) {
  if (place.node->busy()) return;
  NoCompletion nobody;
  const auto files = network_.host(place.node->host()).disk.make_files(nobody, Draw(0));
  for (StreamId stream = 0; stream < settings_.streams; ++stream) {
    const auto names = files->list(place.node->stream_path(stream));
    if (!names) continue;
    std::uint64_t highest = 0;
    std::uint64_t lowest = ~std::uint64_t{0};
    for (const std::string& name : *names) {
      const std::uint64_t number = log::segment_number(name);
      if (number == 0) continue;
      highest = std::max(highest, number);
      lowest = std::min(lowest, number);
    }
    if (highest == 0) continue;
    if (place.segments[stream] != 0 && highest > place.segments[stream]) {
      result_.counts[Count::rotations] += highest - place.segments[stream];
    }
    if (place.oldest[stream] != 0 && lowest > place.oldest[stream]) {
      result_.counts[Count::given_up] += lowest - place.oldest[stream];
    }
    place.segments[stream] = highest;
    place.oldest[stream] = lowest;
  }
}

void DurableWorld::begin_load() {
  const Instant lasts_ns = load_.magnitude(50 * kMillisecond_ns, 4 * kSecond_ns);
  loaded_until_ = scheduler_.now() + lasts_ns;
  const Instant pause_ns = lasts_ns * (1000 - settings_.load_per_mille) / settings_.load_per_mille;
  later(lasts_ns + load_.between(0, 2 * pause_ns), [this] { begin_load(); });
}

void DurableWorld::write() {
  later(load_.between(1, 2 * kWrite_ns), [this] { write(); });
  if (!writing_ || primary() == nullptr || !primary()->open_for_writes()) return;
  const bool loaded = scheduler_.now() < loaded_until_;
  // Otherwise a little, now and then: a quiet stream has paths of its own.
  if (!loaded && !load_.chance(50)) return;
  const std::uint64_t share = settings_.bytes_per_s * kWrite_ns / kSecond_ns;
  primary()->write(loaded ? share : 100);
}

void DurableWorld::offer() {
  later(load_.magnitude(50 * kMillisecond_ns, 4 * kSecond_ns), [this] { offer(); });
  if (primary() != nullptr && primary()->open_for_writes()) primary()->offer();
}

// The end.

void DurableWorld::heal() {
  healed_ = true;
  trace("world", "faults have ended");
  for (HostId host = 0; host < hosts(); ++host) {
    heal_host(host);
    places_[host].down_until = 0;
    if (places_[host].node) places_[host].node->pause(false);
    for (HostId other = 0; other < hosts(); ++other) {
      network_.cut(host, other, false);
      network_.law(host, other) = LinkLaw{};
      network_.widen(host, other);
    }
  }
}

bool DurableWorld::converged() {
  if (primary() == nullptr || !primary()->open_for_writes()) return false;
  for (StreamId id = 0; id < settings_.streams; ++id) {
    const StreamStatus status = primary()->status(id);
    if (status.appended != oracle_.written(id) || status.durable != status.appended) return false;
    if (status.committed != status.appended) return false;
    for (std::uint32_t host = 1; host < hosts(); ++host) {
      const ReplicaStatus& known = status.replicas[host - 1];
      if (known.applied != status.appended || known.durable != status.appended) return false;
      if (replica(host) == nullptr || !replica(host)->running()) return false;
      const ReplicaReport report = replica(host)->report();
      if (report.streams.size() <= id) return false;
      if (report.streams[id].applied != status.appended) return false;
    }
  }
  return true;
}

/// Grows while the cluster gets on.
Position DurableWorld::progress() {
  Position sum = 0;
  if (primary() == nullptr || !primary()->open_for_writes()) return sum;
  for (StreamId id = 0; id < settings_.streams; ++id) {
    const StreamStatus status = primary()->status(id);
    sum += status.committed;
    for (std::uint32_t host = 1; host < hosts(); ++host) sum += oracle_.applied(host - 1, id);
  }
  return sum;
}

/// Replicas that are fed in turns, each of which needs the others, get on slowly, yet they do.
void DurableWorld::converge() {
  const Instant end = scheduler_.now() + kEnd_ns;
  Instant deadline = scheduler_.now() + kConverge_ns;
  Position reached = 0;
  while (result_.failure.empty() && !converged()) {
    if (const Position now = progress(); now > reached) {
      reached = now;
      deadline = scheduler_.now() + kConverge_ns;
    }
    if (scheduler_.now() >= std::min(deadline, end)) {
      return fail("liveness: faults have ended and the cluster does not converge; " + state());
    }
    run_until(scheduler_.now() + kLook_ns);
  }
}

void DurableWorld::finish() {
  finished_ = !result_.failure.empty();
  // Whatever was released is looked for once more in every log, after the power was cut.
  for (std::uint32_t host = 0; host < hosts() && result_.failure.empty(); ++host) {
    if (places_[host].node) end_node(host, true);
    places_[host].down_until = scheduler_.now();
  }
  if (result_.failure.empty()) {
    run_until(scheduler_.now() + kSecond_ns);
    converge();
  }
  finished_ = true;
  for (Place& place : places_) {
    if (!place.node) continue;
    place.node->kill(Ending::process);
    place.node->bury();
  }
  for (const auto& node : past_) node->bury();
  if (!oracle_.violation().empty()) fail(oracle_.violation());
}

std::string DurableWorld::state() {
  std::string text = primary() != nullptr && primary()->open_for_writes() ? "primary up" : "down";
  if (primary() != nullptr && primary()->open_for_writes()) {
    for (StreamId id = 0; id < settings_.streams; ++id) {
      const StreamStatus status = primary()->status(id);
      text += ", stream " + std::to_string(id) + " at " + std::to_string(status.appended) + "/" +
              std::to_string(status.durable) + "/" + std::to_string(status.committed);
      for (const ReplicaStatus& replica : status.replicas) {
        text += " " + replica.name + " " + std::string(quorate::to_string(replica.state)) + " " +
                std::to_string(replica.received) + " durable " + std::to_string(replica.durable) +
                " applied " + std::to_string(replica.applied);
      }
    }
  }
  for (std::uint32_t host = 1; host < hosts(); ++host) {
    if (replica(host) == nullptr || !replica(host)->running()) {
      text += "; down";
      continue;
    }
    const ReplicaReport report = replica(host)->report();
    text += "; " + std::string(quorate::to_string(report.state)) + " " + report.reason;
    for (const auto& stream : report.streams) {
      text += " " + std::to_string(stream.received) + "/" + std::to_string(stream.durable) + "/" +
              std::to_string(stream.committed) + "/" + std::to_string(stream.applied);
    }
  }
  return text;
}

}  // namespace quorate::simulation::durable
