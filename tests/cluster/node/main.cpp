// cluster_node: a primary or a replica in a process of its own, told what to do by the test that
// started it, one command a line. Built on the public interface only.

#include <poll.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>

#include "node/roles.h"

namespace quorate::cluster {

namespace {

void limit(int resource, std::uint64_t value) {
  const rlimit wanted{value, value};
  if (setrlimit(resource, &wanted) != 0) fail("setrlimit");
}

}  // namespace

bool next_command(std::string& line) { return static_cast<bool>(std::getline(std::cin, line)); }

bool command_waits(int other_fd, int timeout_ms) {
  if (std::cin.rdbuf()->in_avail() > 0) return true;
  pollfd fds[] = {{0, POLLIN, 0}, {other_fd, POLLIN, 0}};
  return ::poll(fds, other_fd >= 0 ? 2 : 1, timeout_ms) > 0 && fds[0].revents != 0;
}

EngineOptions engine_options(const Words& arguments) {
  EngineOptions options;
  const std::string backend = arguments.text("backend", "automatic");
  if (backend == "io_uring") options.backend = Backend::io_uring;
  if (backend == "epoll") options.backend = Backend::epoll;
  options.loops = static_cast<std::uint32_t>(arguments.number("loops", 1));
  options.hosted = arguments.number("hosted", 0) != 0;
  options.ring_budget_bytes = arguments.number("budget", 0);
  options.socket_buffer_bytes = static_cast<std::uint32_t>(arguments.number("socket_buffer", 0));
  if (std::getenv("CLUSTER_TRACE") != nullptr) {
    const std::string who = arguments.verb() + " " + arguments.text("name", "");
    options.trace = [who](TraceLevel, std::string_view text) {
      std::fprintf(stderr, "[%s] %.*s\n", who.c_str(), static_cast<int>(text.size()), text.data());
    };
  }
  return options;
}

}  // namespace quorate::cluster

int main(int argc, char** argv) {
  using namespace quorate::cluster;
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);
  std::string line;
  for (int i = 1; i < argc; ++i) line += std::string(argv[i]) + ' ';
  const Words arguments(line);
  if (arguments.has("nofile")) limit(RLIMIT_NOFILE, arguments.number("nofile", 0));
  if (arguments.has("address_space")) limit(RLIMIT_AS, arguments.number("address_space", 0));
  if (arguments.verb() == "primary") return run_primary(arguments);
  if (arguments.verb() == "replica") return run_replica(arguments);
  fail("the first argument is primary or replica");
}
