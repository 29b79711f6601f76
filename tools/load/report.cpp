#include "tools/load/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/cli/json.h"
#include "tools/cli/text.h"

namespace quorate::tools {

namespace {

bool failed(Verdict verdict) {
  return verdict == Verdict::different || verdict == Verdict::late;
}

std::string count_text(std::uint32_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string work_text(const LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  if (!options.trace.empty()) {
    return fmt::format("{} writes of {}", grouped(plan.rows.size()), options.trace);
  }
  return "records of " + options.sizes.text();
}

std::string log_text(const LoadPlan& plan) {
  if (!plan.keeps_logs) return "no logs";
  return fmt::format("logs in files of {} MiB{}", plan.options.storage.segment_mib,
                     plan.options.storage.buffered ? " through the page cache" : "");
}

std::string loop_text(const LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  if (options.rate > 0) {
    return fmt::format("open loop, {} records/s; latency from the intended time",
                       grouped(static_cast<std::uint64_t>(options.rate)));
  }
  if (options.trace_speed > 0) {
    return fmt::format("the trace's times, {} times faster; latency from the intended time",
                       options.trace_speed);
  }
  const char* ring = options.lag == LagPolicy::Kind::hold ? "a ring" : "a quarter of a ring";
  return fmt::format("closed loop, {} outstanding; latency from append to release",
                     options.window != 0 ? grouped(plan.window) : ring);
}

double us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e3;
}

std::string lag_cell(const LoadReport& report) {
  return fmt::format("{}, {:.1f} ms", byte_text(report.lag_bytes_max()),
                     report.lag_seconds_max() * 1e3);
}

std::string latency_json(const Histogram& latencies_ns, std::uint32_t sample_every) {
  JsonObject json;
  json.add("p50", us(latencies_ns.at(0.5)))
      .add("p90", us(latencies_ns.at(0.9)))
      .add("p99", us(latencies_ns.at(0.99)))
      .add("p99_9", us(latencies_ns.at(0.999)))
      .add("p99_99", us(latencies_ns.at(0.9999)))
      .add("max", us(latencies_ns.most()))
      .add("mean", latencies_ns.mean() / 1e3)
      .add("measured", latencies_ns.count())
      .add("every", sample_every);
  return json.text();
}

std::string replicas_json(const LoadReport& report) {
  JsonArray array;
  for (const ReplicaResult& replica : report.replicas) {
    JsonObject json;
    json.add("name", replica.name)
        .add("state", to_string(replica.state))
        .add("lag_bytes_max", replica.lag_bytes_max)
        .add("lag_seconds_max", replica.lag_seconds_max)
        .add("verify", to_string(replica.verdict));
    array.raw(json.text());
  }
  return array.text();
}

std::string errors_json(const LoadReport& report) {
  JsonArray array;
  for (const std::string& error : report.errors) array.raw(json_text(error));
  return array.text();
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::unchecked:
      return "unchecked";
    case Verdict::equal:
      return "equal";
    case Verdict::different:
      return "different";
    case Verdict::late:
      return "late";
    case Verdict::told:
      return "told";
    case Verdict::needs_full_copy:
      return "needs_full_copy";
    case Verdict::gone:
      return "gone";
  }
  return "?";
}

double LoadReport::released_per_s() const {
  return seconds > 0 ? static_cast<double>(released()) / seconds : 0;
}

double LoadReport::mib_per_s() const {
  if (seconds <= 0 || appended == 0) return 0;
  const double share = static_cast<double>(released()) / static_cast<double>(appended);
  return static_cast<double>(payload_bytes) * share / seconds / kBytesPerMiB;
}

std::uint64_t LoadReport::lag_bytes_max() const {
  std::uint64_t most = 0;
  for (const ReplicaResult& replica : replicas) most = std::max(most, replica.lag_bytes_max);
  return most;
}

double LoadReport::lag_seconds_max() const {
  double most = 0;
  for (const ReplicaResult& replica : replicas) most = std::max(most, replica.lag_seconds_max);
  return most;
}

void judge(LoadReport& report, const LoadPlan& plan) {
  if (report.pending > 0) {
    report.errors.push_back(fmt::format("{} writes are still pending: {} released of {} appended",
                                        report.pending, report.released(), report.appended));
  }
  if (report.rows_left > 0) {
    report.errors.push_back(fmt::format("{} rows of the trace were not written", report.rows_left));
  }
  if (!plan.options.verify) return;
  const auto has = [&](auto test) {
    return std::any_of(report.replicas.begin(), report.replicas.end(),
                       [&](const ReplicaResult& replica) { return test(replica.verdict); });
  };
  const auto good = [](Verdict verdict) {
    return verdict == Verdict::equal || verdict == Verdict::told;
  };
  if (has(failed) || !has(good)) report.errors.push_back("not verified: " + verdict_line(report));
}

std::string heading(const LoadPlan& plan, const std::string& backend) {
  const LoadOptions& options = plan.options;
  const auto replicas = static_cast<std::uint32_t>(plan.names.size());
  return fmt::format("1 primary + {}{}, {}, {}, {} on {}, ring {} KiB, {}, {}\n{}\n",
                     count_text(replicas, "replica"),
                     options.cluster != 0 ? " (processes on loopback)" : "", work_text(plan),
                     count_text(options.writers, "writer"), count_text(options.streams, "stream"),
                     count_text(options.engine.loops, "loop"), options.engine.ring_kib,
                     log_text(plan), backend, loop_text(plan));
}

Table report_table() {
  Table table(3);
  table.row({"mode", "level", "log", "released writes/s", "MiB/s", "p50 µs", "p99 µs", "p99.9 µs",
             "largest lag"});
  return table;
}

void add_row(Table& table, const LoadReport& report, const LoadPlan& plan) {
  const Histogram& latencies = report.latencies_ns;
  table.row({report.mode, std::string(to_string(plan.options.level)),
             plan.keeps_logs ? "on" : "off",
             grouped(static_cast<std::uint64_t>(report.released_per_s())),
             short_number(report.mib_per_s()), short_number(us(latencies.at(0.5))),
             short_number(us(latencies.at(0.99))), short_number(us(latencies.at(0.999))),
             lag_cell(report)});
}

std::string verdict_line(const LoadReport& report) {
  std::size_t equal = 0;
  std::string rest;
  for (const ReplicaResult& replica : report.replicas) {
    if (replica.verdict == Verdict::equal) {
      ++equal;
    } else {
      rest += fmt::format("; {}: {}", replica.name, to_string(replica.verdict));
    }
  }
  return fmt::format("verified {} of {} replicas{}", equal, report.replicas.size(), rest);
}

std::string report_json(const LoadReport& report, const LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  JsonObject json;
  json.add("mode", report.mode)
      .add("level", to_string(options.level))
      .add("log", plan.keeps_logs)
      .add("segment_mib", plan.keeps_logs ? options.storage.segment_mib : 0)
      .add("buffered", plan.keeps_logs && options.storage.buffered)
      .add("backend", report.backend)
      .add("replica_count", plan.names.size())
      .add("record_size", options.trace.empty() ? options.sizes.text() : "trace " + options.trace)
      .add("writers", options.writers)
      .add("streams", options.streams)
      .add("loops", options.engine.loops)
      .add("ring_kib", options.engine.ring_kib)
      .add("window", plan.window)
      .add("rate", options.rate)
      .add("seconds", report.seconds)
      .add("appended", report.appended)
      .add("released", report.released())
      .add("pending", report.pending)
      .add("missed", report.missed)
      .add("payload_bytes", report.payload_bytes)
      .add("released_per_s", report.released_per_s())
      .add("payload_mib_per_s", report.mib_per_s())
      .raw("latency_us", latency_json(report.latencies_ns, plan.sample_every))
      .add("lag_bytes_max", report.lag_bytes_max())
      .add("lag_seconds_max", report.lag_seconds_max())
      .raw("replicas", replicas_json(report))
      .add("verified", options.verify ? verdict_line(report) : "")
      .raw("errors", errors_json(report));
  return json.text();
}

}  // namespace quorate::tools
