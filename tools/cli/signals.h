#pragma once

// Ctrl-C and SIGTERM ask a verb to end in its own order.

namespace quorate::tools {

/// From now on they are noted instead of ending the process at once; a second one ends it.
void note_interrupts();
[[nodiscard]] bool interrupted() noexcept;

}  // namespace quorate::tools
