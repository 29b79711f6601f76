#pragma once

// The parts cluster_node can play.

#include <string>

#include "node/words.h"
#include "quorate/options.h"

namespace quorate::cluster {

int run_primary(const Words& arguments);
int run_replica(const Words& arguments);

/// The next command of the test; false when the test has closed its end.
bool next_command(std::string& line);
/// True when a command has arrived. For a thread that also turns a loop.
bool command_waits(int other_fd, int timeout_ms);

EngineOptions engine_options(const Words& arguments);

}  // namespace quorate::cluster
