// The verb `quorate node`.

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/cli/signals.h"
#include "tools/node/options.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

constexpr auto kFooter = R"(
A primary appends each line of stdin as a record. At the end of stdin it waits for the release of
all, for its connected replicas to receive all, and ends.
A replica follows its primary until that says goodbye (exit 0) or until it needs a full copy of what
the primary does not hold any more, or its own log fails (exit 1).
With --directory a node that is started again goes on where its log ends. A replica's records come
again from the first on, so that its digest and its output are whole. One that lacks what the
primary's log no longer holds waits for a snapshot, as `quorate load --snapshot-every` offers them.

Examples:
  quorate node --role primary --listen 127.0.0.1:7400 --replicas b,c --mode sync --echo
  quorate node --role replica --primary 127.0.0.1:7400 --name b --output -
  quorate node --role replica --primary 127.0.0.1:7400 --name b --directory quorate-b

Exit code: 0 good; 1 failure; 2 wrong usage.)";

class NodeVerb : public Verb {
 public:
  explicit NodeVerb(CLI::App& app) {
    CLI::App* command = app.add_subcommand("node", "Run a primary or a replica");
    add_node_options(set_, options_);
    set_.attach(*command);
    command->footer(kFooter);
  }

  int run() override {
    if (Status status = complete_node_options(options_, set_); !status) {
      return fail("node", status.error());
    }
    note_interrupts();
    return options_.role == NodeOptions::Role::primary ? run_primary_node(options_)
                                                       : run_replica_node(options_);
  }

 private:
  OptionSet set_;
  NodeOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_node(CLI::App& app) {
  return std::make_unique<NodeVerb>(app);
}

}  // namespace quorate::tools
