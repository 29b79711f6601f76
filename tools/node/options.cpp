#include "tools/node/options.h"

#include <fmt/format.h>

#include "tools/cli/config_file.h"

namespace quorate::tools {

namespace {

using Role = NodeOptions::Role;

constexpr std::pair<std::string_view, Role> kRoles[] = {{"primary", Role::primary},
                                                        {"replica", Role::replica}};
constexpr const char* kPrimaryOnly[] = {"listen", "replicas",   "mode", "level",
                                        "wait",   "lag-policy", "echo"};
constexpr const char* kReplicaOnly[] = {"primary", "output", "load-sink", "no-digest"};

Error usage(std::string text) {
  return {Errc::invalid_option, std::move(text)};
}

void add_common(OptionSet& set, NodeOptions& options) {
  set.add("role", "ROLE", "primary or replica", one_of(options.role, kRoles));
  set.text("config", "FILE", options.config,
           "TOML file with the same options, `_` for `-`; the command line wins")
      .in_file = false;
  set.text("name", "NAME", options.name, "This node [a for a primary, b for a replica]");
  set.text("cluster", "NAME", options.cluster, "Peers of another cluster are refused");
  set.number("heartbeat-ms", "N", options.heartbeat_ms, 1u, 60'000u, "Speak at least this often");
  set.number("peer-timeout-ms", "N", options.peer_timeout_ms, 3u, 3'600'000u,
             "Silence after which a peer counts as gone");
  set.flag("quiet", options.quiet, "Tell only of trouble");
}

void add_replica(OptionSet& set, NodeOptions& options) {
  set.text("primary", "HOST:PORT", options.primary, "Replica: the primary to follow");
  set.text("output", "FILE", options.output,
           "Replica: write each payload there as a line; - is stdout");
  set.flag("load-sink", options.load_sink,
           "Replica of `quorate load`: print how contents compare at the end; exit 1 if different");
  set.flag("no-digest", options.no_digest, "Replica: apply records without looking at them");
}

void add_primary(OptionSet& set, NodeOptions& options) {
  set.text("listen", "HOST:PORT", options.listen, "Primary: where replicas connect");
  set.list("replicas", "A,B", options.replicas, "Primary: names of all replicas");
  set.text("mode", "MODE", options.mode, "Primary: when a line counts as written");
  set.add("level", "LEVEL", "Primary: received, durable or applied [received]",
          read_level(options.level));
  set.add("lag-policy", "POLICY", "Primary: hold or drop [hold]", read_lag_policy(options.lag));
  set.real("wait", "SECONDS", options.wait_s, 0, 1e6,
           "Primary: how long to wait for the release of a line with --echo, and of all at the "
           "end");
  set.flag("echo", options.echo, "Primary: wait for each line and print what became of it");
}

template <std::size_t kCount>
Status refuse_given(const OptionSet& set, const char* const (&names)[kCount], const char* role) {
  for (const char* name : names) {
    if (set.given(name)) return usage(fmt::format("--{}: allowed only with --role {}", name, role));
  }
  return Done{};
}

/// Of storage; how many streams there are, the primary decides.
Status check_storage(const NodeOptions& options, const OptionSet& set) {
  if (!set.given("directory")) return refuse_storage_details(set, "--directory");
  if (Status status = options.storage.has_a_place(); !status) return status;
  return options.storage.fits(options.engine, 1);
}

Status check_role(NodeOptions& options, const OptionSet& set) {
  switch (options.role) {
    case Role::none:
      return usage("--role: found nothing, allowed primary, replica");
    case Role::primary:
      if (options.name.empty()) options.name = "a";
      return refuse_given(set, kReplicaOnly, "replica");
    case Role::replica:
      if (options.name.empty()) options.name = "b";
      if (options.primary.empty()) {
        return usage("--primary: found nothing, allowed HOST:PORT of the primary to follow");
      }
      return refuse_given(set, kPrimaryOnly, "primary");
  }
  return Done{};
}

}  // namespace

void add_node_options(OptionSet& set, NodeOptions& options) {
  add_common(set, options);
  add_replica(set, options);
  add_primary(set, options);
  add_engine_flags(set, options.engine);
  add_storage_flags(set, options.storage,
                    "Keep the log there and go on with what it holds; made if it does not exist");
}

Status complete_node_options(NodeOptions& options, OptionSet& set) {
  if (Status status = set.problem(); !status) return status;
  if (!options.config.empty()) {
    if (Status status = read_config_file(options.config, set); !status) return status;
  }
  if (Status status = check_role(options, set); !status) return status;
  return check_storage(options, set);
}

PrimaryOptions primary_options(const NodeOptions& options, const Rule& rule) {
  PrimaryOptions primary;
  primary.directory = options.storage.directory;
  primary.storage = options.storage.options();
  primary.cluster = options.cluster;
  primary.name = options.name;
  primary.listen = options.listen;
  primary.replicas = options.replicas;
  primary.ring_bytes = options.engine.ring_bytes();
  primary.rules = {rule};
  primary.lag.kind = options.lag;
  primary.heartbeat = std::chrono::milliseconds(options.heartbeat_ms);
  primary.peer_timeout = std::chrono::milliseconds(options.peer_timeout_ms);
  primary.engine = options.engine.options("primary " + options.name);
  return primary;
}

ReplicaOptions replica_options(const NodeOptions& options) {
  ReplicaOptions replica;
  // Nothing of what the log holds counts as applied: the digest and the output begin empty.
  replica.directory = options.storage.directory;
  replica.storage = options.storage.options();
  replica.cluster = options.cluster;
  replica.name = options.name;
  replica.primary = options.primary;
  replica.ring_bytes = options.engine.ring_bytes();
  replica.heartbeat = std::chrono::milliseconds(options.heartbeat_ms);
  replica.peer_timeout = std::chrono::milliseconds(options.peer_timeout_ms);
  // How the connection fares is told in the node's own words.
  replica.engine = options.engine.options("replica " + options.name, TraceLevel::error);
  // One thread that receives and applies needs no wake-up between the two.
  replica.engine.hosted = options.engine.loops == 1;
  return replica;
}

}  // namespace quorate::tools
