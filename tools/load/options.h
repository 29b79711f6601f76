#pragma once

// What `quorate load` is asked to do, and the same once it is known to be possible.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "quorate/options.h"
#include "tools/cli/engine_flags.h"
#include "tools/cli/option_set.h"
#include "tools/cli/storage_flags.h"
#include "tools/load/fault_plan.h"
#include "tools/load/record_sizes.h"
#include "tools/load/trace_file.h"

namespace quorate::tools {

struct LoadOptions {
  std::string config;
  std::uint32_t cluster = 0;  ///< nodes to start here; 0: replicas come from elsewhere
  std::vector<std::string> replicas;
  std::string listen = "127.0.0.1:0";
  std::string cluster_name = "quorate";
  double replicas_within_s = 30;

  std::vector<std::string> modes;
  Level level = Level::received;
  LagPolicy::Kind lag = LagPolicy::Kind::hold;
  std::uint32_t stall_limit_ms = 2000;
  EngineFlags engine;

  StorageFlags storage;  ///< the directory: of a cluster's runs, else of the primary's log
  bool log = false;      ///< also where the level needs none
  bool keep = false;
  std::uint32_t snapshot_every_mib = 0;  ///< 0: never

  RecordSizes sizes{64};
  std::uint32_t writers = 1;
  std::uint32_t streams = 1;
  std::uint32_t window = 0;  ///< 0: as many as the ring holds
  double seconds = 5;
  double rate = 0;  ///< 0: closed loop
  std::string trace;
  double trace_speed = 0;  ///< 0: as fast as it goes
  double deadline_s = 0;   ///< 0: none but kDrain_s after the last append

  bool verify = false;
  bool json = false;
  bool progress = false;
  bool show_pids = false;
  std::vector<Fault> faults;
};

/// Longer than this nobody waits for releases and applies after the last append.
inline constexpr double kDrain_s = 30;
inline constexpr std::uint32_t kWindowMax = 1u << 20;
inline constexpr std::uint32_t kWritersMax = 256;

/// Everything about a run but the mode.
struct LoadPlan {
  LoadOptions options;
  std::vector<std::string> names;                   ///< of the replicas
  std::vector<std::pair<std::string, Rule>> modes;  ///< as written, as parsed
  std::vector<TraceRow> rows;                       ///< empty without a trace
  std::uint32_t window = 1;                         ///< records of a writer
  std::uint64_t window_bytes = 0;                   ///< of a stream
  std::uint32_t sample_every = 1;
  bool keeps_logs = false;  ///< every node here does

  /// Where a node that runs here keeps its log. `logs`: the directory of one mode's logs, or
  /// without a cluster the primary's own; "" without logs.
  [[nodiscard]] std::string directory_of(const std::string& name, const std::string& logs) const;
  [[nodiscard]] PrimaryOptions primary(const Rule& rule, const std::string& logs) const;
};

void add_load_options(OptionSet& set, LoadOptions& options);

/// Checks what options mean together and reads the trace. Errors are one line; those of code
/// invalid_option and unsupported are the caller's.
Result<LoadPlan> plan_load(const LoadOptions& options, const OptionSet& given);

}  // namespace quorate::tools
