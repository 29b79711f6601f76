// A primary with one replica from the beginning. Another one starts when much has been written and
// the load goes on, a third when the load has ended; both are fed from the log.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "bench/end_to_end/engine_parts.h"
#include "bench/end_to_end/lead.h"
#include "bench/end_to_end/line.h"
#include "bench/end_to_end/live_load.h"
#include "bench/end_to_end/round.h"
#include "bench/end_to_end/window.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;
using Phase = LiveLoad::Phase;

constexpr double kSettle_s = 10;
constexpr std::uint64_t kRings = 4;  ///< after which every page is there that will be
// The load alone, before a catch-up and behind it. What is written before adds to what is to be
// caught up with, so that is the shorter part.
constexpr double kLoadWarmUp_s = 2;
constexpr double kBefore_s = 4;
constexpr double kBehind_s = 12;
constexpr double kCatchUp_s = 120; ///< what is not done by then is not done

class CatchUpRole {
 public:
  explicit CatchUpRole(const RoundSpec& spec)
      : spec_(spec),
        primary_(require(Primary::open(options()), "primary")),
        stream_(primary_.stream()),
        rule_(require(stream_.rule(semi_sync(1)), "rule")) {}

  void run();

 private:
  struct CatchUp {
    double seconds = 0;
    double bytes = 0;
  };

  [[nodiscard]] PrimaryOptions options() const;
  [[nodiscard]] ReplicaStatus replica(const std::string& name) const;
  void fill();
  static void alone(LiveLoad& load, Phase phase, double seconds);
  void live(Window& window);
  CatchUp follow(const std::string& name, LiveLoad* load);
  void finish();
  template <typename Reached>
  void await(const std::string& what, double seconds, Reached reached);

  RoundSpec spec_;
  Primary primary_;
  Stream stream_;
  RuleId rule_;
  std::uint64_t appended_ = 0;
  Position end_ = 0;
  double p99_before_us_ = 0;
  double p99_behind_us_ = 0;
  double p99_beside_us_ = 0;
  double p50_before_us_ = 0;
  double p50_beside_us_ = 0;
  double foreign_cores_ = 0;  ///< while the load was alone
  double resident_kib_ = 0;   ///< when kRings had been written
  CatchUp live_;
  CatchUp idle_;
};

PrimaryOptions CatchUpRole::options() const {
  PrimaryOptions options;
  options.directory = node_directory(spec_, "a");
  options.storage = storage_that_keeps_all();
  options.replicas = {"b", "c", "d"};
  options.protected_copies = 2;  // b applies while the others are away
  options.ring_bytes = spec_.ring_bytes;
  options.rules = {semi_sync(1)};
  options.engine = engine_options(spec_, false);
  return options;
}

template <typename Reached>
void CatchUpRole::await(const std::string& what, double seconds, Reached reached) {
  const double deadline_s = now_s() + seconds;
  while (!reached()) {
    if (now_s() > deadline_s) fail(fmt::format("{} not reached within {} s", what, seconds));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

ReplicaStatus CatchUpRole::replica(const std::string& name) const {
  for (const ReplicaStatus& replica : stream_.status().replicas) {
    if (replica.name == name) return replica;
  }
  return {};
}

void CatchUpRole::fill() {
  const std::uint64_t all = (spec_.log_mib << 20) / stream_bytes(spec_.payload_bytes);
  const double live = spec_.live_records_per_s * (kLoadWarmUp_s + kBefore_s);
  const std::uint64_t records = all - std::min(all / 2, static_cast<std::uint64_t>(live));
  Writer writer(stream_, spec_.payload_bytes, 0, records);
  await("writing of a few rings", kSettle_s,
        [&] { return stream_.status().appended >= kRings * spec_.ring_bytes; });
  resident_kib_ = static_cast<double>(resident_kib());
  writer.join();
  appended_ = writer.appended();
  end_ = writer.end();
  await("release of what was written", kSettle_s, [&] { return stream_.watermark(rule_) >= end_; });
}

/// Until the ring holds what it lacks. Begins when it has connected: what its process needs to
/// start is not the engine's.
CatchUpRole::CatchUp CatchUpRole::follow(const std::string& name, LiveLoad* load) {
  const Position behind = stream_.status().appended;
  say("start " + name);
  await(name + " connected", kSettle_s,
        [&] { return replica(name).state != ReplicaStatus::State::absent; });
  if (load != nullptr) load->measure(Phase::beside);
  const double begin_s = now_s();
  ReplicaStatus status;
  await(fmt::format("streaming to {} again", name), kCatchUp_s, [&] {
    status = replica(name);
    return status.state == ReplicaStatus::State::streaming && status.received >= behind;
  });
  if (load != nullptr) load->measure(Phase::none);
  return {now_s() - begin_s, static_cast<double>(status.received)};
}

void CatchUpRole::alone(LiveLoad& load, Phase phase, double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(kLoadWarmUp_s));
  load.measure(phase);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  load.measure(Phase::none);
}

void CatchUpRole::live(Window& window) {
  LiveLoad load(stream_, rule_, spec_.payload_bytes, spec_.live_records_per_s, appended_);
  window.begin();
  alone(load, Phase::before, kBefore_s);
  window.end();
  foreign_cores_ = window.foreign_cores();
  live_ = follow("c", &load);
  // What it was behind with it applies first: that is not live either.
  await("apply by c", kSettle_s, [&] {
    const ReplicaStatus c = replica("c");
    return c.applied + spec_.ring_bytes >= c.received;
  });
  alone(load, Phase::behind, kBehind_s);
  load.stop();
  await("release of the load", kSettle_s, [&] { return load.settled(); });
  if (load.refused()) fail("more bursts were awaited at once than callbacks may wait");
  p99_before_us_ = load.quantile_us(Phase::before, 0.99);
  p99_behind_us_ = load.quantile_us(Phase::behind, 0.99);
  p99_beside_us_ = load.quantile_us(Phase::beside, 0.99);
  p50_before_us_ = load.quantile_us(Phase::before, 0.5);
  p50_beside_us_ = load.quantile_us(Phase::beside, 0.5);
  appended_ = load.appended();
  end_ = load.end();
}

void CatchUpRole::finish() {
  for (const char* name : {"b", "c", "d"}) {
    await(fmt::format("apply of the last record by {}", name), kSettle_s,
          [&] { return replica(name).applied >= end_; });
  }
  const double grown_kib = static_cast<double>(greatest_resident_kib()) - resident_kib_;
  say(fmt::format(
      "result grown_kib={:.0f} p99_before_us={:.1f} p99_beside_us={:.1f} p99_behind_us={:.1f} "
      "p50_before_us={:.1f} p50_beside_us={:.1f} live_s={:.4f} live_bytes={:.0f} idle_s={:.4f} "
      "idle_bytes={:.0f} foreign_cores={:.3f} backend={} appended={}",
      grown_kib, p99_before_us_, p99_beside_us_, p99_behind_us_, p50_before_us_, p50_beside_us_,
      live_.seconds, live_.bytes, idle_.seconds, idle_.bytes, foreign_cores_,
      primary_.engine().backend(), appended_));
  primary_.close();
}

void CatchUpRole::run() {
  Window window(introduce(primary_.address()));
  await("streaming to b", kSettle_s,
        [&] { return replica("b").state == ReplicaStatus::State::streaming; });
  fill();
  live(window);
  await("apply by c", kSettle_s, [&] { return replica("c").applied >= end_; });
  idle_ = follow("d", nullptr);
  finish();
}

}  // namespace

int run_catch_up(const RoundSpec& spec) {
  CatchUpRole(spec).run();
  return 0;
}

}  // namespace quorate::bench
