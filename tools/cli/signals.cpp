#include "tools/cli/signals.h"

#include <atomic>
#include <csignal>

namespace quorate::tools {

namespace {
std::atomic<bool> g_interrupted{false};

void on_signal(int /*number*/) {
  g_interrupted.store(true, std::memory_order_relaxed);
}
}  // namespace

void note_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // No SA_RESTART, so that a blocked read returns; one shot, so that the second signal ends us.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
  return g_interrupted.load(std::memory_order_relaxed);
}

}  // namespace quorate::tools
