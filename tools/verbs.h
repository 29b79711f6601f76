#pragma once

// The verbs of the command. Each adds its subcommand and keeps what was given for it.

#include <memory>

#include "quorate/error.h"

namespace CLI {
class App;
}

namespace quorate::tools {

class Verb {
 public:
  virtual ~Verb() = default;
  /// After parsing. Returns the exit code: 0 good, 1 failure, 2 wrong usage.
  virtual int run() = 0;
};

std::unique_ptr<Verb> make_load(CLI::App& app);
std::unique_ptr<Verb> make_log(CLI::App& app);
std::unique_ptr<Verb> make_node(CLI::App& app);
std::unique_ptr<Verb> make_status(CLI::App& app);

/// Prints one line on stderr. 2 for what the caller asked wrongly, else 1.
int fail(const char* verb, const Error& error);

}  // namespace quorate::tools
