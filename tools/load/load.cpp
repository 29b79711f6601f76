// The verb `quorate load`.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "tools/cli/config_file.h"
#include "tools/cli/signals.h"
#include "tools/load/options.h"
#include "tools/load/owned_directory.h"
#include "tools/load/report.h"
#include "tools/load/run.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

constexpr auto kLoadFooter = R"(
Examples:
  quorate load --cluster 3 --mode async --mode semi_sync --mode sync
  quorate load --cluster 3 --mode sync --trace block-writes.csv --verify
  quorate load --cluster 3 --mode sync --level durable --directory disk
  quorate load --replicas b,c --listen 0.0.0.0:7400 --rate 50000

The load is itself the primary: its writer threads live in the primary's process.
Rate: released records divided by the time from the first write until the last was released.
Largest lag: bytes not yet received by a connected replica, and the age of the oldest of them.

Logs: with --level durable or --log every node of a --cluster keeps its log in
DIR/quorate-load-XXXXXX/MODE/NODE while the mode runs; DIR is --directory or where temporary files
go. A replica that is restarted has the records of its log again, so its digest covers them all.
With --snapshot-every the primary offers its digest as a snapshot; a replica that lacks what the
primary's log no longer holds goes on from that; --retain-mib is about the primary's log alone.

With --verify a replica that needs a full copy or is gone is named and not counted as equal.
Replicas started elsewhere by `quorate node --load-sink` print how they compare; here they are told.

Exit code: 0 all writes released, and with --verify at least one replica is verified and none that
is streaming is different; 1 pending writes, failed verification, other failures; 2 wrong usage.)";

class LoadVerb : public Verb {
 public:
  explicit LoadVerb(CLI::App& app) {
    CLI::App* command = app.add_subcommand("load", "Write to replicas and measure");
    add_load_options(set_, options_);
    set_.attach(*command);
    command->footer(kLoadFooter);
  }

  int run() override;

 private:
  Status make_logs(const LoadPlan& plan);
  int run_modes(const LoadPlan& plan);
  Result<LoadReport> run_mode(const LoadPlan& plan, std::size_t index);
  void print(const LoadPlan& plan, const LoadReport& report);

  OptionSet set_;
  LoadOptions options_;
  Table table_ = report_table();
  std::string notes_;
  std::optional<OwnedDirectory> logs_;  ///< of a cluster
};

int LoadVerb::run() {
  if (Status status = set_.problem(); !status) return fail("load", status.error());
  if (!options_.config.empty()) {
    const Status status = read_config_file(options_.config, set_);
    if (!status) return fail("load", status.error());
  }
  auto plan = plan_load(options_, set_);
  if (!plan) return fail("load", plan.error());
  note_interrupts();
  if (Status status = make_logs(*plan); !status) return fail("load", status.error());
  return run_modes(*plan);
}

Status LoadVerb::make_logs(const LoadPlan& plan) {
  if (!plan.keeps_logs) return Done{};
  std::string path = options_.storage.directory;
  if (options_.cluster != 0) {
    auto made = OwnedDirectory::make_fresh(path, options_.keep);
    if (!made) return made.error();
    path = logs_.emplace(std::move(*made)).path();
    if (options_.keep) fmt::print(stderr, "logs are kept in {}\n", path);
  }
  if (lies_in_memory(path)) {
    fmt::print(stderr, "{} lies in memory (tmpfs): durable means nothing there\n", path);
  }
  return Done{};
}

/// The logs of a cluster live as long as the mode; a primary of its own goes on in its directory.
Result<LoadReport> LoadVerb::run_mode(const LoadPlan& plan, std::size_t index) {
  const auto& [mode, rule] = plan.modes[index];
  if (!logs_) return run_load(plan, mode, rule, options_.storage.directory);
  auto logs = logs_->make_below(std::to_string(index));
  if (!logs) return logs.error();
  return run_load(plan, mode, rule, logs->path());
}

int LoadVerb::run_modes(const LoadPlan& plan) {
  int code = 0;
  std::string backend;
  for (std::size_t i = 0; i < plan.modes.size(); ++i) {
    const std::string& mode = plan.modes[i].first;
    auto report = run_mode(plan, i);
    if (!report) return fail("load", report.error());
    backend = report->backend;
    print(plan, *report);
    for (const std::string& error : report->errors) {
      fmt::print(stderr, "quorate load: {}: {}\n", mode, error);
      code = 1;
    }
    if (interrupted()) break;
  }
  if (!options_.json) fmt::print("{}{}{}", heading(plan, backend), table_.text(), notes_);
  return code;
}

/// JSON at once; rows of the table when all modes have run.
void LoadVerb::print(const LoadPlan& plan, const LoadReport& report) {
  if (options_.json) {
    fmt::print("{}\n", report_json(report, plan));
    std::fflush(stdout);
    return;
  }
  add_row(table_, report, plan);
  if (report.missed > 0) {
    notes_ += fmt::format("{}: {} writes of the schedule were not made in time\n", report.mode,
                          grouped(report.missed));
  }
  if (options_.verify) notes_ += fmt::format("{}: {}\n", report.mode, verdict_line(report));
}

}  // namespace

std::unique_ptr<Verb> make_load(CLI::App& app) {
  return std::make_unique<LoadVerb>(app);
}

}  // namespace quorate::tools
