// The verb `quorate log`.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "quorate/options.h"
#include "tools/cli/option_set.h"
#include "tools/log/log_commands.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

constexpr auto kLogFooter = R"(
DIR is a node's --directory, with the logs of all streams, or the directory of one stream. Nothing
in it is changed, and a node may be running on it. The whole log is read each time.

  inspect  what it holds: identity, promise, positions, epochs, segments
  verify   whether it is what was written: every unit, frame and record is checked
  dump     its frames, with --records also their records, with --payload only the payloads

verify says for each stream one of
  whole
  torn tail       a crash cut writes short that were never acknowledged; the next start cuts them
  fault           something that was written cannot be read; what is before it is good
  lost identity   no copy of the metadata can be believed
Beside a running node a torn tail may be a write that is under way.

Exit code: 0 good, a torn tail included; 1 a fault or a lost identity (verify and dump), or it could
not be read; 2 wrong usage.)";

/// One of the commands: its options and where it was asked for.
struct Command {
  CLI::App* app = nullptr;
  OptionSet set;
  LogCommandOptions options;
  std::uint32_t stream = 0;

  void attach(CLI::App& parent, const char* name, const char* help) {
    app = parent.add_subcommand(name, help);
    app->add_option("DIR", options.directory, "A node's directory or a stream's")->required();
    set.number("stream", "N", stream, 0u, kStreamsMax - 1, "Only this stream");
  }
  Status complete() {
    if (set.given("stream")) options.stream = stream;
    return set.problem();
  }
};

class LogVerb : public Verb {
 public:
  explicit LogVerb(CLI::App& app) {
    CLI::App* command = app.add_subcommand("log", "Look at the logs that a node keeps");
    command->require_subcommand(1);
    command->footer(kLogFooter);
    inspect_.attach(*command, "inspect", "Show what a log holds");
    inspect_.set.flag("json", inspect_.options.json, "One JSON object");
    inspect_.set.attach(*inspect_.app);
    verify_.attach(*command, "verify", "Check everything that a log holds");
    verify_.set.flag("json", verify_.options.json, "One JSON object");
    verify_.set.attach(*verify_.app);
    dump_.attach(*command, "dump", "Print frames, records or payloads");
    add_dump_options();
    dump_.set.attach(*dump_.app);
  }

  int run() override {
    for (Command* command : {&inspect_, &verify_, &dump_}) {
      if (!command->app->parsed()) continue;
      if (Status status = command->complete(); !status) return fail("log", status.error());
    }
    if (inspect_.app->parsed()) return inspect_log(inspect_.options);
    if (verify_.app->parsed()) return verify_log(verify_.options);
    if (options_.from > options_.to) {
      return fail("log dump", Error(Errc::invalid_option,
                                    "--from: found " + std::to_string(options_.from) +
                                        ", allowed at most --to, which is " +
                                        std::to_string(options_.to)));
    }
    return dump_log(dump_.options, options_);
  }

 private:
  void add_dump_options() {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    dump_.set.flag("records", options_.records, "Also each record, with its first bytes");
    dump_.set.flag("payload", options_.payload,
                   "Only payloads, one a line, as they are; escaped on a terminal");
    dump_.set.number("from", "POSITION", options_.from, Position{0}, Position{kMost},
                     "Nothing that ends before");
    dump_.set.number("to", "POSITION", options_.to, Position{0}, Position{kMost},
                     "Nothing that begins there or behind");
    dump_.set.number("limit", "N", options_.limit, std::uint64_t{1}, kMost,
                     "So many frames, or records, and no more");
  }

  Command inspect_;
  Command verify_;
  Command dump_;
  DumpOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_log(CLI::App& app) { return std::make_unique<LogVerb>(app); }

}  // namespace quorate::tools
