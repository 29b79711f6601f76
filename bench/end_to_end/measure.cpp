#include "bench/end_to_end/measure.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "bench/end_to_end/iperf3.h"
#include "bench/end_to_end/line.h"
#include "bench/end_to_end/wake.h"
#include "bench/end_to_end/window.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::about;
using tools::Process;

constexpr double kAnswer_s = 60;  ///< longer than any wait inside a role
constexpr double kWakeSeconds = 0.5;
constexpr double kBoundFactor = 1.3;
constexpr double kValidShare = 0.8;
constexpr std::uint32_t kStreamChecks = 3;

struct Group {
  Process lead;
  std::vector<Process> peers;
};

Result<Group> start_group(const RoundSpec& spec, bool engine) {
  auto lead =
      Process::start_self(role_arguments(engine ? Role::primary : Role::sender, spec, {}, 0));
  if (!lead) return about("lead", lead.error());
  auto listening = lead->expect("listening", kAnswer_s);
  if (!listening) return about("lead", listening.error());
  Group group{std::move(*lead), {}};
  std::string pids = "peers";
  for (std::uint32_t i = 0; i < spec.peers; ++i) {
    auto peer = Process::start_self(
        role_arguments(engine ? Role::replica : Role::receiver, spec, listening->text, i));
    if (!peer) return about("peer", peer.error());
    pids += ' ' + std::to_string(peer->pid());
    group.peers.push_back(std::move(*peer));
  }
  group.lead.tell(pids);
  return group;
}

Result<Line> drive(Group& group, const RoundSpec& spec) {
  auto line = group.lead.expect("streaming", kAnswer_s);
  if (!line) return about("lead", line.error());
  group.lead.tell("go");
  line = group.lead.expect("warm", kAnswer_s);
  if (!line) return about("lead", line.error());
  if (spec.stop_second) group.peers.back().signal(SIGSTOP);
  group.lead.tell("measure");
  line = group.lead.expect("result", spec.seconds + 2 * kAnswer_s);
  if (!line) return about("lead", line.error());
  return line;
}

double mib_per_s(const RoundResult& round) {
  return round.bytes / round.seconds / kMiB;
}

class GroupRun {
 public:
  GroupRun(const std::vector<Row>& rows, const Plan& plan) : plan_(plan) {
    for (const Row& row : rows) {
      RowMeasurement measurement;
      measurement.row = row;
      rows_.push_back(std::move(measurement));
    }
  }

  std::vector<RowMeasurement> run() {
    for (repeat_ = 0; repeat_ < plan_.repeats; ++repeat_) alternate();
    return std::move(rows_);
  }

 private:
  void alternate();
  void run_row(RowMeasurement& row, const RoundResult& roofline, double wake_us);
  void fail_all(const Error& error) {
    for (RowMeasurement& row : rows_) {
      if (row.error.empty()) row.error = error.text;
    }
  }
  void tell(const std::string& what) const {
    if (plan_.progress) {
      plan_.progress(what + ' ' + std::to_string(repeat_ + 1) + '/' +
                     std::to_string(plan_.repeats));
    }
  }

  const Plan& plan_;
  std::vector<RowMeasurement> rows_;
  std::uint32_t repeat_ = 0;
};

void GroupRun::alternate() {
  tell("roofline of " + rows_.front().row.group);
  auto roofline = run_round(roofline_spec(rows_.front().row.spec), false);
  if (!roofline) return fail_all(about("before the row", roofline.error()));
  double wake_us = 0;
  const auto threads = [](const RowMeasurement& row) {
    return row.row.spec.work == RoundSpec::Work::one_threads;
  };
  if (std::any_of(rows_.begin(), rows_.end(), threads)) {
    auto pair = wake_pair_p50_us(kWakeSeconds, plan_.pin);
    if (!pair) return fail_all(about("wake-up pair", pair.error()));
    wake_us = *pair;
  }
  // Every other time backwards, so that drift favours nobody.
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    RowMeasurement& row = rows_[repeat_ % 2 == 0 ? i : rows_.size() - 1 - i];
    run_row(row, *roofline, threads(row) ? wake_us : 0);
  }
}

void GroupRun::run_row(RowMeasurement& row, const RoundResult& roofline, double wake_us) {
  if (!row.error.empty()) return;
  if (!plan_.roofline_only) {
    tell(row.row.name);
    auto round = run_round(row.row.spec, true);
    if (!round) {
      row.error = about("round", round.error()).text;
      return;
    }
    row.engine.push_back(std::move(*round));
  }
  row.roofline.push_back(roofline);
  if (wake_us > 0) row.wake_pair_us.push_back(wake_us);
}

}  // namespace

std::optional<bool> StreamCheck::valid() const {
  if (!iperf3_mib_per_s) return std::nullopt;
  return roofline_mib_per_s >= kValidShare * *iperf3_mib_per_s;
}

Status check_reports(std::vector<Process>& replicas, std::size_t asked, double appended) {
  for (std::size_t i = 0; i < asked; ++i) {
    auto report = replicas[i].expect("report", kAnswer_s);
    if (!report) return about("replica", report.error());
    if (report->number("gaps") == 0 && report->number("records") == appended) continue;
    return Error(Errc::corrupt, "replica " + std::to_string(i) + " applied " + report->text +
                                    " of " + std::to_string(appended) + " records");
  }
  return Done{};
}

RoundResult parse_result(const Line& line) {
  RoundResult result;
  result.seconds = line.number("seconds");
  result.released = line.number("released");
  result.bytes = line.number("bytes");
  result.p50_us = line.number("p50_us");
  result.cpu_ns = line.number("cpu_ns");
  result.foreign_cores = line.number("foreign_cores");
  result.rss_growth_kib = line.number("rss_growth_kib");
  result.disk_bytes = line.number("disk_bytes");
  result.backend = line.value("backend");
  return result;
}

Result<RoundResult> run_round(const RoundSpec& spec, bool engine) {
  const char* side = engine ? "engine" : "roofline";
  auto group = start_group(spec, engine);
  if (!group) return about(side, group.error());
  auto line = drive(*group, spec);
  if (!line) return about(side, line.error());
  RoundResult result = parse_result(*line);
  if (result.seconds <= 0 || result.bytes <= 0) {
    return Error(Errc::io, "nothing was acknowledged in the measured time");
  }
  if (engine) {
    // A stopped one is not asked; its process is killed with the group.
    const std::size_t asked = group->peers.size() - (spec.stop_second ? 1 : 0);
    const Status whole = check_reports(group->peers, asked, line->number("appended"));
    if (!whole) return about(side, whole.error());
  }
  return result;
}

Result<StreamCheck> check_stream(const RoundSpec& spec) {
  StreamCheck check;
  RoundSpec single = spec;
  single.peers = 1;
  single.seconds = 1;
  std::vector<double> iperf3;
  std::vector<double> roofline;
  for (std::uint32_t i = 0; i < kStreamChecks; ++i) {
    auto theirs = iperf3_mib_per_s(single.seconds);
    if (theirs) {
      iperf3.push_back(*theirs);
    } else {
      check.note = about("iperf3", theirs.error()).text;
    }
    auto ours = run_round(single, false);
    if (!ours) return about("one stream", ours.error());
    roofline.push_back(mib_per_s(*ours));
  }
  check.roofline_mib_per_s = *std::max_element(roofline.begin(), roofline.end());
  if (!iperf3.empty()) {
    check.iperf3_mib_per_s = *std::max_element(iperf3.begin(), iperf3.end());
  }
  return check;
}

std::vector<RowMeasurement> measure_group(const std::vector<Row>& rows, const Plan& plan) {
  return GroupRun(rows, plan).run();
}

std::vector<double> RowMeasurement::each(const std::function<double(std::size_t)>& of) const {
  std::vector<double> values;
  for (std::size_t i = 0; i < engine.size(); ++i) values.push_back(of(i));
  return values;
}

std::vector<double> RowMeasurement::released_per_s() const {
  return each([&](std::size_t i) { return engine[i].released / engine[i].seconds; });
}

std::vector<double> RowMeasurement::payload_mib_per_s() const {
  return each([&](std::size_t i) {
    return engine[i].released * row.spec.payload_bytes / engine[i].seconds / kMiB;
  });
}

std::vector<double> RowMeasurement::roofline_mib_per_s() const {
  std::vector<double> values;
  for (const RoundResult& round : roofline) values.push_back(mib_per_s(round));
  return values;
}

std::vector<double> RowMeasurement::p50_us() const {
  return each([&](std::size_t i) { return engine[i].p50_us; });
}

std::vector<double> RowMeasurement::roofline_p50_us() const {
  std::vector<double> values;
  for (const RoundResult& round : roofline) values.push_back(round.p50_us);
  return values;
}

std::vector<double> RowMeasurement::cpu_ns_per_record() const {
  return each([&](std::size_t i) { return engine[i].cpu_ns / std::max(1.0, engine[i].released); });
}

std::vector<double> RowMeasurement::foreign_cores() const {
  std::vector<double> values = each([&](std::size_t i) { return engine[i].foreign_cores; });
  for (const RoundResult& round : roofline) values.push_back(round.foreign_cores);
  return values;
}

std::vector<double> RowMeasurement::rss_growth_kib() const {
  return each([&](std::size_t i) { return engine[i].rss_growth_kib; });
}

std::vector<double> RowMeasurement::ratio() const {
  const std::vector<double> ours = latency() ? p50_us() : payload_mib_per_s();
  const std::vector<double> theirs = latency() ? roofline_p50_us() : roofline_mib_per_s();
  return each([&](std::size_t i) { return theirs[i] > 0 ? ours[i] / theirs[i] : 0; });
}

std::vector<double> RowMeasurement::bound_us() const {
  std::vector<double> values;
  for (std::size_t i = 0; i < wake_pair_us.size(); ++i) {
    values.push_back(kBoundFactor * (roofline[i].p50_us + wake_pair_us[i]));
  }
  return values;
}

}  // namespace quorate::bench
