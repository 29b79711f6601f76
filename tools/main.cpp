// The command `quorate`: node, load, log, status.

#include <fmt/format.h>
#include <mimalloc.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "tools/verbs.h"

namespace quorate::tools {

namespace {

int run(int argc, char** argv) {
  CLI::App app("Replication: run a node, load a cluster, look at logs, ask a primary how it is",
               "quorate");
  app.require_subcommand(0, 1);
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(make_node(app));
  verbs.push_back(make_load(app));
  verbs.push_back(make_log(app));
  verbs.push_back(make_status(app));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "quorate: {}\n", error.what());
    return 2;
  }
  const std::vector<CLI::App*> all = app.get_subcommands([](CLI::App*) { return true; });
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i]->parsed()) return verbs[i]->run();
  }
  fmt::print(stderr,
             "quorate: found no verb, allowed node, load, log, status; --help tells more\n");
  return 2;
}

}  // namespace

}  // namespace quorate::tools

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // A reference keeps the linker from leaving mimalloc out; nothing else names it.
  mi_version();
  return quorate::tools::run(argc, argv);
}
