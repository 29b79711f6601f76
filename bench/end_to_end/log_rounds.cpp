#include "bench/end_to_end/log_rounds.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/end_to_end/measure.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::about;
using tools::Process;

constexpr double kAnswer_s = 200;  ///< longer than any wait inside a role
constexpr double kWriteLeast_mib_per_s = 50;  ///< a disk that writes a log slower is given up
constexpr std::uint32_t kNodes = 3;
constexpr double kLiveShare = 0.5;  ///< beside a catch-up, of what all nodes together can do

/// A role that needs nobody: started, asked for its result, gone.
Result<RoundResult> run_alone(Role role, const RoundSpec& spec, double timeout_s) {
  auto process = Process::start_self(role_arguments(role, spec, {}, 0));
  if (!process) return process.error();
  auto line = process->expect("result", timeout_s);
  if (!line) return line.error();
  return parse_result(*line);
}

/// Tells all of them, one behind the other; they answer meanwhile.
Status pass(std::vector<Process>& all, const char* heard, const char* told) {
  for (Process& each : all) {
    auto line = each.expect(heard, kAnswer_s);
    if (!line) return line.error();
  }
  for (Process& each : all) each.tell(told);
  return Done{};
}

/// Of the primary's log alone.
RoundSpec reader_of(const RoundSpec& round) {
  RoundSpec reader = round;
  reader.directory += "/a";
  return reader;
}

double mib_per_s(const RoundResult& round) {
  return round.bytes / round.seconds / kMiB;
}

}  // namespace

void LogRounds::begin_alternation() {
  disk_mib_per_s_.reset();
  received_mib_per_s_.reset();
}

Result<Figures> LogRounds::measure(const std::string& row, std::string& backend) {
  if (row == "sync_durable_64") return stream(64, true, backend);
  if (row == "sync_durable_1024") return stream(1024, true, backend);
  if (row == "sync_received_1024_log") return received_with_log(backend);
  if (row == "sync_durable_64_one") return one(backend);
  if (row == "recovery_4g") return recovery(backend);
  return catch_up(backend);
}

RoundSpec LogRounds::spec(std::uint32_t payload_bytes) const {
  RoundSpec spec;
  spec.payload_bytes = payload_bytes;
  spec.ring_bytes = plan_.ring_bytes;
  spec.seconds = plan_.seconds;
  spec.pin = plan_.pin;
  return spec;
}

Result<RoundResult> LogRounds::with_logs(RoundSpec round) {
  round.directory = scratch_.fresh();
  auto result = run_round(round, true);
  scratch_.clear(round.directory);
  return result;
}

Result<Figures> LogRounds::stream(std::uint32_t payload_bytes, bool durable,
                                  std::string& backend) {
  auto disk = disk_mib_per_s();
  if (!disk) return about("disk", disk.error());
  RoundSpec round = spec(payload_bytes);
  round.durable = durable;
  auto result = with_logs(round);
  if (!result) return result.error();
  backend = result->backend;
  const double payload = result->released * payload_bytes / result->seconds / kMiB;
  const double written = result->disk_bytes / result->seconds / kMiB;
  return Figures{{"released_per_s", result->released / result->seconds},
                 {"payload_mib_per_s", payload},
                 {"disk_mib_per_s", *disk},
                 {"ratio", payload * kNodes / *disk},
                 {"written_over_payload", written / (payload * kNodes)},
                 {"cpu_ns_per_record", result->cpu_ns / std::max(1.0, result->released)},
                 {"foreign_cores", result->foreign_cores}};
}

Result<Figures> LogRounds::received_with_log(std::string& backend) {
  auto without = received_mib_per_s();
  if (!without) return about("without log", without.error());
  auto figures = stream(1024, false, backend);
  if (!figures) return figures.error();
  const double limit = std::min(*without, (*figures)["disk_mib_per_s"] / kNodes);
  (*figures)["without_log_mib_per_s"] = *without;
  (*figures)["ratio"] = (*figures)["payload_mib_per_s"] / limit;
  return figures;
}

Result<double> LogRounds::received_mib_per_s() {
  if (!received_mib_per_s_) {
    auto result = run_round(spec(1024), true);
    if (!result) return result.error();
    received_mib_per_s_ = result->released * 1024 / result->seconds / kMiB;
  }
  return *received_mib_per_s_;
}

Result<Figures> LogRounds::one(std::string& backend) {
  RoundSpec round = spec(64);
  round.work = RoundSpec::Work::one;
  auto trip = run_round(round, false);
  if (!trip) return about("round trip", trip.error());
  auto written = disk_round(round, 1);
  if (!written) return about("synced write", written.error());
  // Three nodes on one disk write at once, which takes a disk longer than one write alone.
  auto together = disk_round(round, kNodes);
  if (!together) return about("synced writes of three", together.error());
  round.durable = true;
  auto result = with_logs(round);
  if (!result) return result.error();
  backend = result->backend;
  const double limit_us = written->p50_us + trip->p50_us;
  return Figures{{"p50_us", result->p50_us},
                 {"synced_write_p50_us", written->p50_us},
                 {"three_synced_p50_us", together->p50_us},
                 {"ratio_of_three", result->p50_us / (together->p50_us + trip->p50_us)},
                 {"round_trip_p50_us", trip->p50_us},
                 {"ratio", result->p50_us / limit_us},
                 {"foreign_cores", result->foreign_cores}};
}

Result<double> LogRounds::disk_mib_per_s() {
  if (!disk_mib_per_s_) {
    auto together = disk_round(spec(1024), kNodes);
    if (!together) return together.error();
    disk_mib_per_s_ = mib_per_s(*together);
  }
  return *disk_mib_per_s_;
}

/// Bytes are those of all writers, time and latency those of the first.
Result<RoundResult> LogRounds::disk_round(RoundSpec round, std::uint32_t writers) {
  round.directory = scratch_.fresh();
  std::vector<Process> all;
  for (std::uint32_t i = 0; i < writers; ++i) {
    auto process = Process::start_self(role_arguments(Role::disk_writer, round, {}, i));
    if (!process) return process.error();
    all.push_back(std::move(*process));
  }
  if (auto told = pass(all, "listening", "peers"); !told) return told.error();
  if (auto told = pass(all, "streaming", "go"); !told) return told.error();
  if (auto told = pass(all, "warm", "measure"); !told) return told.error();
  RoundResult result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto line = all[i].expect("result", round.seconds + kAnswer_s);
    if (!line) return line.error();
    const RoundResult each = parse_result(*line);
    const double before = result.bytes;
    if (i == 0) result = each;
    result.bytes = before + each.bytes;
  }
  all.clear();
  scratch_.clear(round.directory);
  return result;
}

Status LogRounds::fill_log() {
  if (!filled_.empty()) return Done{};
  RoundSpec round = spec(1024);
  round.directory = scratch_.fresh();
  round.log_mib = plan_.recovery_mib;
  const double most_s = static_cast<double>(plan_.recovery_mib) / kWriteLeast_mib_per_s;
  auto written = run_alone(Role::log_filler, round, kAnswer_s + most_s);
  if (!written) return written.error();
  filled_ = round.directory;
  return Done{};
}

/// The log is written once; the first time that it is opened is like the others, as it was closed.
Result<Figures> LogRounds::recovery(std::string& backend) {
  if (auto filled = fill_log(); !filled) return about("writing the log", filled.error());
  RoundSpec round = spec(1024);
  round.directory = filled_;
  auto read = run_alone(Role::disk_reader, round, kAnswer_s);
  if (!read) return about("reading the log", read.error());
  auto opened = run_alone(Role::log_opener, round, kAnswer_s);
  if (!opened) return about("opening the log", opened.error());
  backend = opened->backend;
  const double rate = read->bytes / opened->seconds / kMiB;
  const double whole = static_cast<double>(plan_.recovery_mib << 20) * 0.99;
  if (opened->bytes < whole) return Error(Errc::corrupt, "the log lost what was written");
  return Figures{{"log_mib", read->bytes / kMiB},
                 {"open_s", opened->seconds},
                 {"recovery_mib_per_s", rate},
                 {"read_mib_per_s", mib_per_s(*read)},
                 {"ratio", rate / mib_per_s(*read)}};
}

Result<Figures> LogRounds::catch_up(std::string& backend) {
  RoundSpec single = spec(1024);
  single.peers = 1;
  auto roofline = run_round(single, false);
  if (!roofline) return about("roofline", roofline.error());
  auto whole = stream(1024, false, backend);
  if (!whole) return about("greatest rate", whole.error());
  RoundSpec round = spec(1024);
  round.directory = scratch_.fresh();
  round.log_mib = plan_.catch_up_mib;
  round.live_records_per_s = kLiveShare * (*whole)["released_per_s"];
  auto line = run_catch_up_round(round);
  auto read = line ? run_alone(Role::disk_reader, reader_of(round), kAnswer_s)
                   : Result<RoundResult>(line.error());
  scratch_.clear(round.directory);
  if (!line) return line.error();
  if (!read) return about("reading the log", read.error());
  auto written = disk_round(spec(1024), 1);
  if (!written) return about("disk", written.error());
  backend = line->value("backend");
  // What is read from one log is written to another, so the disk limits it as well as the sockets.
  const double disk = std::min(mib_per_s(*read), mib_per_s(*written));
  const double idle = line->number("idle_bytes") / line->number("idle_s") / kMiB;
  const double live = line->number("live_bytes") / line->number("live_s") / kMiB;
  const double before_us = line->number("p99_before_us");
  const double behind_us = line->number("p99_behind_us");
  // The lower one: before it a replica less takes part, and what stands still for a moment spoils
  // either.
  const double alone_us = std::min(before_us, behind_us);
  const double beside_us = line->number("p99_beside_us");
  return Figures{{"greatest_mib_per_s", (*whole)["payload_mib_per_s"]},
                 {"live_p50_before_us", line->number("p50_before_us")},
                 {"live_p50_beside_us", line->number("p50_beside_us")},
                 {"live_p99_before_us", before_us},
                 {"live_p99_beside_us", beside_us},
                 {"live_p99_behind_us", behind_us},
                 {"live_p99_ratio", alone_us > 0 ? beside_us / alone_us : 0},
                 {"catch_up_live_s", line->number("live_s")},
                 {"catch_up_live_mib_per_s", live},
                 {"catch_up_idle_s", line->number("idle_s")},
                 {"catch_up_idle_mib_per_s", idle},
                 {"read_mib_per_s", mib_per_s(*read)},
                 {"one_writer_mib_per_s", mib_per_s(*written)},
                 {"roofline_mib_per_s", mib_per_s(*roofline)},
                 {"sockets_share", idle / mib_per_s(*roofline)},
                 {"ratio", idle / std::min(disk, mib_per_s(*roofline))},
                 {"grown_mib", line->number("grown_kib") / 1024},
                 {"foreign_cores", line->number("foreign_cores")}};
}

Result<tools::Line> run_catch_up_round(const RoundSpec& spec) {
  auto lead = Process::start_self(role_arguments(Role::catch_up, spec, {}, 0));
  if (!lead) return about("primary", lead.error());
  auto listening = lead->expect("listening", kAnswer_s);
  if (!listening) return about("primary", listening.error());
  std::vector<Process> replicas;
  const auto start_next = [&]() -> Status {
    const auto index = static_cast<std::uint32_t>(replicas.size());
    auto replica = Process::start_self(role_arguments(Role::replica, spec, listening->text, index));
    if (!replica) return about("replica", replica.error());
    replicas.push_back(std::move(*replica));
    return Done{};
  };
  if (auto started = start_next(); !started) return started.error();
  lead->tell("peers " + std::to_string(replicas.front().pid()));
  for (int late = 0; late < 2; ++late) {
    auto asked = lead->expect("start", spec.seconds + 2 * kAnswer_s);
    if (!asked) return about("primary", asked.error());
    if (auto started = start_next(); !started) return started.error();
  }
  auto line = lead->expect("result", kAnswer_s);
  if (!line) return about("primary", line.error());
  // Who came late must have applied all the same, from the first record on.
  if (auto whole = check_reports(replicas, replicas.size(), line->number("appended")); !whole) {
    return whole.error();
  }
  return line;
}

}  // namespace quorate::bench
