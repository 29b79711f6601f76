#pragma once

// What `quorate node` is asked to be.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/options.h"
#include "tools/cli/engine_flags.h"
#include "tools/cli/option_set.h"
#include "tools/cli/storage_flags.h"

namespace quorate::tools {

struct NodeOptions {
  enum class Role : std::uint8_t { none, primary, replica };
  Role role = Role::none;
  std::string config;
  std::string name;  ///< "": a for a primary, b for a replica
  std::string cluster = "quorate";
  EngineFlags engine;
  StorageFlags storage;  ///< without a directory everything is in memory only
  std::uint32_t heartbeat_ms = 100;
  std::uint32_t peer_timeout_ms = 3000;
  bool quiet = false;

  // A replica.
  std::string primary;
  std::string output;  ///< "": nowhere; "-": stdout
  bool load_sink = false;
  bool no_digest = false;

  // A primary.
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> replicas;
  std::string mode = "async";
  Level level = Level::received;
  LagPolicy::Kind lag = LagPolicy::Kind::hold;
  double wait_s = 10;
  bool echo = false;
};

void add_node_options(OptionSet& set, NodeOptions& options);

/// Reads the file, if one was given, and checks that what was given fits the role.
Status complete_node_options(NodeOptions& options, OptionSet& set);

PrimaryOptions primary_options(const NodeOptions& options, const Rule& rule);
ReplicaOptions replica_options(const NodeOptions& options);

int run_primary_node(const NodeOptions& options);
int run_replica_node(const NodeOptions& options);

}  // namespace quorate::tools
