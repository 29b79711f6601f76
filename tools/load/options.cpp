#include "tools/load/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "quorate/primary.h"
#include "tools/load/content.h"

namespace quorate::tools {

namespace {

/// Above this many samples a second of one writer, the clock would cost more than the writes.
constexpr double kSampledRate = 200'000;
/// Not a divisor of the cycle of record sizes, so that every size gets measured.
constexpr std::uint32_t kSampleEvery = 63;
constexpr std::uint32_t kSmallWindow = 1024;
constexpr std::uint32_t kWritersMax = 256;
constexpr std::uint64_t kDropShare = 4;

ReadValue read_fault(std::vector<Fault>& faults, Fault::Kind kind) {
  return [&faults, kind](std::string_view text) -> std::string {
    auto fault = parse_fault(kind, text);
    if (!fault) return fault.error().text;
    faults.push_back(std::move(*fault));
    return {};
  };
}

void add_nodes(OptionSet& set, LoadOptions& options) {
  set.add("cluster", "N",
          "Start a primary and N-1 replica processes on loopback, and stop them at the end",
          [&options](std::string_view text) -> std::string {
            const auto nodes = parse_number<std::uint32_t>(text);
            if (!nodes || *nodes < 1 || *nodes > kReplicasMax + 1) {
              return found_allowed(text, fmt::format("1…{}", kReplicasMax + 1));
            }
            options.cluster = *nodes;
            return {};
          });
  set.list("replicas", "A,B", options.replicas,
           "Without --cluster: names of the replicas, which connect by themselves");
  set.text("listen", "HOST:PORT", options.listen, "Where replicas connect; port 0 picks one");
  set.text("cluster-name", "NAME", options.cluster_name, "Peers of another cluster are refused");
  set.real("replicas-within", "SECONDS", options.replicas_within_s, 0, 86400,
           "How long to wait for all replicas before the first write; 0: not at all");
}

void add_faults(OptionSet& set, LoadOptions& options) {
  const auto add = [&](Fault::Kind kind, const char* help) {
    set.add(std::string(to_string(kind)), "NAME@SECONDS", help, read_fault(options.faults, kind))
        .repeatable = true;
  };
  add(Fault::Kind::kill, "Fault injection, with --cluster: SIGKILL that replica");
  add(Fault::Kind::restart, "Start it again, empty");
  add(Fault::Kind::stop, "SIGSTOP it");
  add(Fault::Kind::cont, "SIGCONT it");
  set.flag("show-pids", options.show_pids, "Print `pid NAME PID` on stderr for each replica");
}

void add_rules(OptionSet& set, LoadOptions& options) {
  set.add("mode", "MODE",
          "When a write counts: async, semi_sync[:K], sync, any:K:A,B, all:A,B, copies:W; given "
          "again, the load runs again in that mode [sync]",
          [&options](std::string_view text) -> std::string {
            options.modes.emplace_back(text);
            return {};
          })
      .repeatable = true;
  set.add("level", "LEVEL", "received, durable or applied [received]", read_level(options.level));
  set.add("lag-policy", "POLICY",
          "hold: writers wait for the slowest replica, for as long as --stall-limit-ms allows; "
          "drop: nobody waits, who falls behind the ring needs a full copy [hold]",
          read_lag_policy(options.lag));
  set.number("stall-limit-ms", "N", options.stall_limit_ms, 1u, 3'600'000u,
             "With hold: a replica without progress for that long is left behind");
}

void add_work(OptionSet& set, LoadOptions& options) {
  set.add("record-size", "SIZES",
          "Bytes of a record: N, uniform:LO-HI, lognormal:MEDIAN:SIGMA, list:64@0.9,4096@0.1 [64]",
          [&options](std::string_view text) -> std::string {
            auto sizes = RecordSizes::parse(text);
            if (!sizes) return sizes.error().text;
            options.sizes = std::move(*sizes);
            return {};
          });
  set.number("writers", "N", options.writers, 1u, kWritersMax, "Writer threads");
  set.number("streams", "N", options.streams, 1u, kStreamsMax, "Streams, spread over the loops");
  set.number("window", "N", options.window, 0u, kWindowMax,
             "Records a writer may have outstanding; 0: what the ring holds, a quarter with drop");
  set.real("seconds", "S", options.seconds, 0.05, 1e6, "How long to write");
  set.real("rate", "N", options.rate, 0, 1e9,
           "Open loop: records a second over all writers, latency from the intended time; 0: "
           "closed loop");
  set.text("trace", "FILE.csv", options.trace,
           "Instead of records of a size: replay rows time_s,offset_bytes,length_bytes");
  set.real("trace-speed", "X", options.trace_speed, 0, 1e9,
           "Keep the trace's times, X times faster; 0: as fast as it goes");
  set.real("deadline", "S", options.deadline_s, 0, 1e6,
           "End the whole run by then; exit 1 and the count when writes are still pending; 0: "
           "none");
}

Error usage(std::string text) {
  return {Errc::invalid_option, std::move(text)};
}

/// b, c, …, z, then r26, r27, …
std::vector<std::string> cluster_names(std::uint32_t replicas) {
  std::vector<std::string> names;
  for (std::uint32_t i = 1; i <= replicas; ++i) {
    names.push_back(i < 26 ? std::string(1, static_cast<char>('a' + i)) : fmt::format("r{}", i));
  }
  return names;
}

Status check_nodes(const LoadOptions& options, const OptionSet& given) {
  if ((options.cluster == 0) == options.replicas.empty()) {
    return usage(options.cluster == 0
                     ? "--cluster: found nothing, allowed N to start nodes here, or --replicas A,B "
                       "for replicas that connect from elsewhere"
                     : "--replicas: allowed only without --cluster, which names its own");
  }
  if (options.cluster == 0 && (!options.faults.empty() || options.show_pids)) {
    return usage("--kill, --restart, --stop, --cont, --show-pids: allowed only with --cluster");
  }
  if (options.cluster != 0 && given.given("listen")) {
    return usage("--listen: allowed only without --cluster, which picks a port itself");
  }
  return Done{};
}

Status check_faults(const LoadOptions& options, const std::vector<std::string>& names) {
  for (const Fault& fault : options.faults) {
    if (std::find(names.begin(), names.end(), fault.name) != names.end()) continue;
    return usage(fmt::format("--{}: found replica \"{}\", allowed {}", to_string(fault.kind),
                             fault.name, fmt::join(names, ", ")));
  }
  return Done{};
}

Status check_trace(LoadOptions& options, const OptionSet& given) {
  if (options.trace.empty()) {
    if (options.trace_speed > 0) return usage("--trace-speed: allowed only with --trace");
    return Done{};
  }
  for (const char* other : {"record-size", "seconds"}) {
    if (given.given(other)) {
      return usage(fmt::format("--{}: allowed only without --trace, which brings its own", other));
    }
  }
  if (options.rate > 0 && options.trace_speed > 0) {
    return usage("--trace-speed: allowed only without --rate");
  }
  if (given.given("writers") && options.writers != options.streams) {
    return usage(
        fmt::format("--writers: found {}, allowed with --trace as many as --streams ({}): "
                    "one writer a stream keeps the rows in order",
                    options.writers, options.streams));
  }
  options.writers = options.streams;
  if (options.streams <= kWritersMax) return Done{};
  return usage(
      fmt::format("--streams: found {}, allowed with --trace 1…{}", options.streams,
                  kWritersMax));
}

Status check_sizes(const LoadOptions& options) {
  if (options.trace.empty() && options.sizes.most_bytes() > options.engine.record_bytes_max()) {
    return usage(fmt::format(
        "--record-size: found up to {} bytes, allowed 0…{} (a quarter of "
        "--ring-kib {} without the record's header)",
        options.sizes.most_bytes(), options.engine.record_bytes_max(), options.engine.ring_kib));
  }
  return Done{};
}

Status parse_modes(LoadPlan& plan) {
  std::vector<std::string> texts = plan.options.modes;
  if (texts.empty()) texts.emplace_back("sync");
  for (const std::string& text : texts) {
    auto rule = parse_rule(text, plan.options.level);
    if (!rule) return Error(rule.error().code, "--" + rule.error().text);
    plan.modes.emplace_back(text, std::move(*rule));
  }
  return Done{};
}

/// Names and counts of rules are checked where a primary opens; this one never gets a replica.
Status try_rules(const LoadPlan& plan) {
  PrimaryOptions trial;
  trial.replicas = plan.names;
  trial.engine.hosted = true;
  for (const auto& [text, rule] : plan.modes) trial.rules.push_back(rule);
  if (auto primary = Primary::open(trial); !primary) return primary.error();
  return Done{};
}

void fit_window(LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  const std::uint64_t least =
      options.trace.empty() ? options.sizes.least_bytes() : sizeof(BlockHeader);
  // Where nobody waits for replicas, what is awaited of them must stay well within the ring.
  const std::uint64_t share = options.lag == LagPolicy::Kind::hold ? 1 : kDropShare;
  plan.window_bytes = options.engine.ring_bytes() / share;
  const std::uint64_t most = plan.window_bytes / (kRecordHeaderBytes + (least + 7) / 8 * 8);
  plan.window = options.window != 0
                    ? options.window
                    : static_cast<std::uint32_t>(std::clamp<std::uint64_t>(most, 1, kWindowMax));
  const bool slow = options.rate > 0 && options.rate / options.writers <= kSampledRate;
  const bool each = slow || !options.trace.empty() || plan.window <= kSmallWindow;
  plan.sample_every = each ? 1 : kSampleEvery;
}

Status read_rows(LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  if (options.trace.empty()) return Done{};
  const auto most = options.engine.record_bytes_max() - std::uint32_t{sizeof(BlockHeader)};
  auto rows = read_trace(options.trace, {most, options.trace_speed > 0});
  if (!rows) return rows.error();
  plan.rows = std::move(*rows);
  return Done{};
}

}  // namespace

void add_load_options(OptionSet& set, LoadOptions& options) {
  set.text("config", "FILE", options.config,
           "TOML file with the same options, `_` for `-`; the command line wins")
      .in_file = false;
  add_nodes(set, options);
  add_rules(set, options);
  add_work(set, options);
  set.flag("verify", options.verify,
           "At the end every live replica's content digest must equal the primary's");
  set.flag("json", options.json, "One JSON object for each mode instead of the table");
  set.flag("progress", options.progress, "Progress on stderr even when it is no terminal");
  add_faults(set, options);
  add_engine_flags(set, options.engine);
}

PrimaryOptions LoadPlan::primary(const Rule& rule) const {
  PrimaryOptions primary;
  primary.cluster = options.cluster_name;
  primary.listen = options.listen;
  primary.replicas = names;
  primary.streams = options.streams;
  primary.ring_bytes = options.engine.ring_bytes();
  primary.rules = {rule};
  // Only replicas that some rule needs are waited for; this rule needs them all.
  if (options.lag == LagPolicy::Kind::hold && !names.empty()) primary.rules.push_back(sync());
  primary.lag = {options.lag, std::chrono::milliseconds(options.stall_limit_ms)};
  primary.engine = options.engine.options("primary");
  return primary;
}

Result<LoadPlan> plan_load(const LoadOptions& options, const OptionSet& given) {
  LoadPlan plan;
  plan.options = options;
  if (Status status = check_nodes(options, given); !status) return status.error();
  plan.names = options.cluster == 0 ? options.replicas : cluster_names(options.cluster - 1);
  if (Status status = check_faults(options, plan.names); !status) return status.error();
  if (Status status = check_trace(plan.options, given); !status) return status.error();
  if (Status status = check_sizes(plan.options); !status) return status.error();
  if (Status status = parse_modes(plan); !status) return status.error();
  if (Status status = plan.primary(sync()).validate(); !status) return status.error();
  if (Status status = try_rules(plan); !status) return status.error();
  if (Status status = read_rows(plan); !status) return status.error();
  fit_window(plan);
  return plan;
}

}  // namespace quorate::tools
