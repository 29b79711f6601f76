#pragma once

// The lines that roles and controller exchange by pipe: a verb, then `key=value` words or text.
//   lead: listening ADDRESS · streaming · warm · result key=value… · error TEXT
//   controller to lead: peers PID… · go · measure
//   peer, at its end: report key=value…

#include <string_view>

#include "tools/process/line.h"

namespace quorate::bench {

using tools::Line;

// A role's end of its pipes.

/// Writes one line to the controller.
void say(std::string_view line);
/// Waits for the line with that verb; leaves the process when the controller is gone.
Line hear(std::string_view verb);
/// Says `error TEXT` and leaves the process with 1.
[[noreturn]] void fail(std::string_view text);

}  // namespace quorate::bench
