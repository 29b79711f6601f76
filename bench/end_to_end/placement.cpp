#include "bench/end_to_end/placement.h"

#include <sched.h>

namespace quorate::bench {
namespace {

/// The CPUs of this program as it was started, read before the first pinning narrows them.
const cpu_set_t& allowed() {
  static const cpu_set_t kAllowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  return kAllowed;
}

}  // namespace

bool pin_this_thread(Core core) {
  int first = -1;
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed())) continue;
    if (first < 0) first = cpu;
    last = cpu;
  }
  if (first < 0) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core == Core::lead ? first : last, &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace quorate::bench
