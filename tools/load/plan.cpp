// What the options of a load mean together.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "quorate/primary.h"
#include "tools/load/content.h"
#include "tools/load/options.h"

namespace quorate::tools {

namespace {

/// Above this many samples a second of one writer, the clock would cost more than the writes.
constexpr double kSampledRate = 200'000;
/// Not a divisor of the cycle of record sizes, so that every size gets measured.
constexpr std::uint32_t kSampleEvery = 63;
constexpr std::uint32_t kSmallWindow = 1024;
constexpr std::uint64_t kDropShare = 4;

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

Status check_directory(const LoadOptions& options) {
  const std::string& directory = options.storage.directory;
  if (options.cluster == 0) {
    if (!directory.empty()) return options.storage.has_a_place();
    return usage(
        "--directory: found nothing, allowed with --log or --level durable and without --cluster "
        "the directory of the primary's log");
  }
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return Done{};
  return usage(
      fmt::format("--directory: found \"{}\", allowed with --cluster a directory that "
                  "exists, for the logs of this run",
                  directory));
}

/// Whether nodes keep logs, and whether what was said about logs fits that.
Status check_logs(LoadPlan& plan, const OptionSet& given) {
  const LoadOptions& options = plan.options;
  const bool named = !options.storage.directory.empty();
  if (given.given("directory") && !named) return options.storage.has_a_place();
  const bool own = options.cluster == 0;
  if (own && options.keep) {
    return usage("--keep: allowed only with --cluster; without it nothing is removed");
  }
  plan.keeps_logs = options.log || options.level == Level::durable || (own && named);
  if (plan.keeps_logs) {
    if (Status status = check_directory(options); !status) return status;
    return options.storage.fits(options.engine, options.streams);
  }
  const std::string needed =
      own ? "--directory, which names the primary's" : "--log or --level durable";
  for (const char* name : {"directory", "keep"}) {
    if (given.given(name)) return usage(fmt::format("--{}: allowed only with {}", name, needed));
  }
  return refuse_storage_details(given, needed);
}

/// What a replica would have made of the records so far, only a writer that is alone on its stream
/// knows.
Status check_snapshots(const LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  if (options.snapshot_every_mib == 0) return Done{};
  if (!plan.keeps_logs || !options.verify) {
    return usage("--snapshot-every: allowed only with logs and --verify");
  }
  if (options.writers <= options.streams) return Done{};
  return usage(fmt::format("--snapshot-every: found {} writers for {} streams, allowed at most one "
                           "writer of a stream",
                           options.writers, options.streams));
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
      fmt::format("--streams: found {}, allowed with --trace 1…{}", options.streams, kWritersMax));
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

/// Names and counts of rules are checked where a primary opens; this one never gets a replica, nor
/// a log: it is asked for `received` instead of `durable`, which needs the same names and counts.
Status try_rules(const LoadPlan& plan) {
  PrimaryOptions trial;
  trial.replicas = plan.names;
  trial.engine.hosted = true;
  for (const auto& [text, rule] : plan.modes) {
    trial.rules.push_back(rule);
    Level& level = trial.rules.back().level;
    if (level == Level::durable) level = Level::received;
  }
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

std::string LoadPlan::directory_of(const std::string& name, const std::string& logs) const {
  return options.cluster == 0 || logs.empty() ? logs : logs + '/' + name;
}

PrimaryOptions LoadPlan::primary(const Rule& rule, const std::string& logs) const {
  PrimaryOptions primary;
  primary.directory = directory_of(primary.name, logs);
  primary.storage = options.storage.options();
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
  if (Status status = check_logs(plan, given); !status) return status.error();
  if (Status status = check_snapshots(plan); !status) return status.error();
  if (Status status = check_sizes(plan.options); !status) return status.error();
  if (Status status = parse_modes(plan); !status) return status.error();
  if (Status status = plan.primary(sync(), {}).validate(); !status) return status.error();
  if (Status status = try_rules(plan); !status) return status.error();
  if (Status status = read_rows(plan); !status) return status.error();
  fit_window(plan);
  return plan;
}

}  // namespace quorate::tools
