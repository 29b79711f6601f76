// The engine's roles: a primary with its writer thread, and replicas that apply every record.

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench/end_to_end/engine_parts.h"
#include "bench/end_to_end/latency.h"
#include "bench/end_to_end/lead.h"
#include "bench/end_to_end/line.h"
#include "bench/end_to_end/placement.h"
#include "bench/end_to_end/round.h"
#include "quorate/primary.h"
#include "quorate/replica.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

using std::chrono::milliseconds;

constexpr double kSettle_s = 10;  ///< for connecting, and for the last record to be applied
/// At least; see warm_up_log().
constexpr double kLogWarmUp_s = 2;
/// A disk on which segments are not used again after so long is measured while it makes new ones.
constexpr double kLogWarmUpMax_s = 40;

class PrimaryRole {
 public:
  explicit PrimaryRole(const RoundSpec& spec)
      : spec_(spec),
        hosted_(spec.work == RoundSpec::Work::one),
        primary_(require(Primary::open(options()), "primary")),
        stream_(primary_.stream()),
        rule_(require(stream_.rule(release_rule()), "rule")),
        payload_(spec.payload_bytes) {}

  void run();

 private:
  [[nodiscard]] Rule release_rule() const {
    const Level level = spec_.durable ? Level::durable : Level::received;
    return spec_.sync ? sync(level) : semi_sync(1, level);
  }
  [[nodiscard]] double warm_up_s() const {
    return spec_.directory.empty() ? kWarmUp_s : kLogWarmUp_s;
  }
  [[nodiscard]] PrimaryOptions options() const;
  [[nodiscard]] std::uint32_t live_peers() const {
    return spec_.stop_second ? spec_.peers - 1 : spec_.peers;
  }

  void warm_up_log();
  void run_stream(Window& window);
  void run_one(Window& window);
  void write_one(Latencies& latencies);
  void pump();
  template <typename Reached>
  void await(const char* what, Reached reached);
  [[nodiscard]] bool all_streaming() const;
  [[nodiscard]] bool applied_by_live(Position end) const;

  RoundSpec spec_;
  bool hosted_;
  Primary primary_;
  Stream stream_;
  RuleId rule_;
  std::vector<std::byte> payload_;
  RoundResult result_;
  std::uint64_t appended_ = 0;
  Position end_ = 0;
};

PrimaryOptions PrimaryRole::options() const {
  PrimaryOptions options;
  options.directory = node_directory(spec_, "a");
  options.storage = storage_options();
  options.listen = "127.0.0.1:0";
  options.replicas = {"b", "c"};
  options.ring_bytes = spec_.ring_bytes;
  options.rules = {release_rule()};
  options.engine = engine_options(spec_, hosted_);
  return options;
}

/// A moment for the loop: ours to turn, or somebody else's.
void PrimaryRole::pump() {
  if (hosted_) {
    primary_.engine().run_once(0, milliseconds(1));
  } else {
    std::this_thread::sleep_for(milliseconds(1));
  }
}

template <typename Reached>
void PrimaryRole::await(const char* what, Reached reached) {
  const double deadline_s = now_s() + kSettle_s;
  while (!reached()) {
    if (now_s() > deadline_s) fail(fmt::format("{} not reached within {} s", what, kSettle_s));
    pump();
  }
}

bool PrimaryRole::all_streaming() const {
  std::uint32_t streaming = 0;
  for (const ReplicaStatus& replica : stream_.status().replicas) {
    if (replica.state == ReplicaStatus::State::streaming) ++streaming;
  }
  return streaming >= spec_.peers;
}

bool PrimaryRole::applied_by_live(Position end) const {
  std::uint32_t applied = 0;
  for (const ReplicaStatus& replica : stream_.status().replicas) {
    if (replica.applied >= end) ++applied;
  }
  return applied >= live_peers();
}

/// Until segments are used again that retention has given up, on every node, as they are all the
/// time in a program that runs for long: before, each is written twice, once with zeros.
void PrimaryRole::warm_up_log() {
  const double deadline_s = now_s() + kLogWarmUpMax_s;
  const Position settled = 3 * storage_options().segment_bytes;
  while (stream_.status().log_first < settled && now_s() < deadline_s) {
    std::this_thread::sleep_for(milliseconds(10));
  }
}

void PrimaryRole::run_stream(Window& window) {
  Writer writer(stream_, spec_.payload_bytes);
  std::this_thread::sleep_for(std::chrono::duration<double>(warm_up_s()));
  if (!spec_.directory.empty()) warm_up_log();
  begin_window(window, result_);
  const Position begin = stream_.watermark(rule_);
  std::this_thread::sleep_for(std::chrono::duration<double>(spec_.seconds));
  const Position end = stream_.watermark(rule_);
  end_window(window, result_);
  writer.stop();
  result_.bytes = static_cast<double>(end - begin);
  result_.released = result_.bytes / static_cast<double>(stream_bytes(spec_.payload_bytes));
  appended_ = writer.appended();
  end_ = writer.end();
}

void PrimaryRole::write_one(Latencies& latencies) {
  std::memcpy(payload_.data(), &appended_, sizeof appended_);
  const double begin_s = now_s();
  const Ticket ticket = require(stream_.append(std::span<const std::byte>(payload_)), "append");
  const Outcome outcome = require(stream_.wait(ticket, rule_, milliseconds(10'000)), "wait");
  latencies.record(now_s() - begin_s);
  if (!outcome.released()) fail(fmt::format("a write ended {}", to_string(outcome.kind)));
  ++appended_;
  end_ = ticket.end;
}

void PrimaryRole::run_one(Window& window) {
  Latencies latencies(spec_.seconds);
  for (const double deadline_s = now_s() + warm_up_s(); now_s() < deadline_s;) {
    write_one(latencies);
  }
  latencies.clear();
  begin_window(window, result_);
  for (const double deadline_s = now_s() + spec_.seconds; now_s() < deadline_s;) {
    write_one(latencies);
  }
  end_window(window, result_);
  result_.released = static_cast<double>(latencies.count());
  result_.bytes = result_.released * static_cast<double>(stream_bytes(spec_.payload_bytes));
  result_.p50_us = latencies.p50_us();
}

void PrimaryRole::run() {
  // The loop's thread was started where the process was pinned; the writer moves away from it.
  if (spec_.pinned() && !hosted_) pin_this_thread(Core::peers);
  Window window(introduce(primary_.address()));
  await("streaming to all peers", [&] { return all_streaming(); });
  say("streaming");
  hear("go");
  spec_.work == RoundSpec::Work::stream ? run_stream(window) : run_one(window);
  result_.backend = std::string(primary_.engine().backend());
  // What was counted must be true: everything is released, and applied where somebody lives.
  await("release of the last record", [&] { return stream_.watermark(rule_) >= end_; });
  await("apply of the last record", [&] { return applied_by_live(end_); });
  say_result(result_, appended_);
  primary_.close();
}

}  // namespace

int run_primary(const RoundSpec& spec) {
  PrimaryRole(spec).run();
  return 0;
}

int run_replica(const RoundSpec& spec, const std::string& address, std::uint32_t index) {
  ReplicaOptions options;
  options.name = std::string(1, static_cast<char>('b' + index));
  options.directory = node_directory(spec, options.name);
  options.storage = storage_options();
  options.primary = address;
  options.ring_bytes = spec.ring_bytes;
  options.engine = engine_options(spec, true);
  Replica replica = require(Replica::open(options), "replica");
  std::uint64_t records = 0;
  std::uint64_t gaps = 0;
  std::uint64_t next = 0;
  const Status status = replica.run([&](const Record& record) {
    std::uint64_t found = 0;
    std::memcpy(&found, record.payload.data(), sizeof found);
    gaps += static_cast<std::uint64_t>(found != next);
    next = found + 1;
    ++records;
  });
  if (!status) fail("replica: " + status.error().text);
  say(fmt::format("report records={} gaps={}", records, gaps));
  return 0;
}

}  // namespace quorate::bench
