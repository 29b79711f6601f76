#pragma once

// This program again as one of a round's processes: the internal subcommand that says which.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "bench/end_to_end/round.h"

namespace quorate::bench {

struct RoleArguments {
  int role = 0;
  int work = 0;
  bool semi = false;
  bool no_pin = false;
  std::string address;
  std::uint32_t index = 0;
  RoundSpec spec;
};

CLI::App* add_role(CLI::App& app, RoleArguments& role);
/// Plays it to the end; the exit code.
int play(RoleArguments& role);

}  // namespace quorate::bench
