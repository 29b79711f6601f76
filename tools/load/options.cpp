#include "tools/load/options.h"

#include <fmt/format.h>

namespace quorate::tools {

namespace {

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
    set.add(std::string(to_string(kind)), "NAME@WHEN", help, read_fault(options.faults, kind))
        .repeatable = true;
  };
  add(Fault::Kind::kill,
      "Fault injection, with --cluster: SIGKILL that replica. WHEN: so many seconds after the "
      "first write, as in c@1.5; or, as in c@64MiB, once so much was appended since that "
      "replica's last fault that has a time, or since the first write");
  add(Fault::Kind::restart, "Start it again, with its log or else empty");
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

void add_logs(OptionSet& set, LoadOptions& options) {
  set.flag("log", options.log, "Nodes keep logs, also where --level durable does not need them");
  add_storage_flags(set, options.storage,
                    "With --cluster: an existing directory, below which all logs of this run are "
                    "kept while it runs [where temporary files go]; else the primary's own");
  set.number("snapshot-every", "MIB", options.snapshot_every_mib, 0u, 1u << 20,
             "With logs and --verify: offer what a replica would have made of the records so far, "
             "after each so many MiB of a stream; 0: never");
  set.flag("keep", options.keep, "With --cluster: do not remove the logs at the end");
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

}  // namespace

void add_load_options(OptionSet& set, LoadOptions& options) {
  set.text("config", "FILE", options.config,
           "TOML file with the same options, `_` for `-`; the command line wins")
      .in_file = false;
  add_nodes(set, options);
  add_rules(set, options);
  add_logs(set, options);
  add_work(set, options);
  set.flag("verify", options.verify,
           "At the end every live replica's content digest must equal the primary's");
  set.flag("json", options.json, "One JSON object for each mode instead of the table");
  set.flag("progress", options.progress, "Progress on stderr even when it is no terminal");
  add_faults(set, options);
  add_engine_flags(set, options.engine);
}

}  // namespace quorate::tools
