#include "bench/end_to_end/lead.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "bench/end_to_end/line.h"

namespace quorate::bench {

std::vector<pid_t> introduce(const std::string& address) {
  say("listening " + address);
  std::vector<pid_t> peers;
  for (const std::string& word : hear("peers").words()) {
    peers.push_back(static_cast<pid_t>(std::atoi(word.c_str())));
  }
  return peers;
}

void begin_window(Window& window, RoundResult& result) {
  say("warm");
  hear("measure");
  result.rss_growth_kib = -static_cast<double>(resident_kib());
  window.begin();
}

void end_window(Window& window, RoundResult& result) {
  window.end();
  result.rss_growth_kib += static_cast<double>(resident_kib());
  result.seconds = window.seconds();
  result.cpu_ns = window.cpu_ns();
  result.foreign_cores = window.foreign_cores();
  result.disk_bytes = window.disk_bytes();
}

void say_result(const RoundResult& result, std::uint64_t appended) {
  say(
      fmt::format("result seconds={:.9f} released={:.0f} bytes={:.0f} p50_us={:.3f} cpu_ns={:.0f} "
                  "foreign_cores={:.3f} rss_growth_kib={:.0f} disk_bytes={:.0f} backend={} "
                  "appended={}",
                  result.seconds, result.released, result.bytes, result.p50_us, result.cpu_ns,
                  result.foreign_cores, result.rss_growth_kib, result.disk_bytes, result.backend,
                  appended));
}

}  // namespace quorate::bench
