#pragma once

// What both leads (primary and sender) say and hear around their measured window.

#include <sys/types.h>

#include <vector>

#include "bench/end_to_end/round.h"
#include "bench/end_to_end/window.h"

namespace quorate::bench {

/// Says where it listens and waits for the pids of the peers that the controller started.
std::vector<pid_t> introduce(const std::string& address);

/// Says that all is warm, waits for `measure`, begins the window.
void begin_window(Window& window, RoundResult& result);
void end_window(Window& window, RoundResult& result);

/// Says the result line that the controller reads back with parse_result.
void say_result(const RoundResult& result, std::uint64_t appended);

}  // namespace quorate::bench
