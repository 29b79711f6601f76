#include "tools/cli/engine_flags.h"

#include <fmt/format.h>

#include <bit>
#include <cstdio>

namespace quorate::tools {

namespace {

constexpr std::pair<std::string_view, Backend> kBackends[] = {
    {"auto", Backend::automatic}, {"io_uring", Backend::io_uring}, {"epoll", Backend::epoll}};
constexpr std::pair<std::string_view, TraceLevel> kTraceLevels[] = {{"debug", TraceLevel::debug},
                                                                  {"info", TraceLevel::info},
                                                                  {"warning", TraceLevel::warning},
                                                                  {"error", TraceLevel::error}};
constexpr std::pair<std::string_view, Level> kLevels[] = {
    {"received", Level::received}, {"durable", Level::durable}, {"applied", Level::applied}};
constexpr std::pair<std::string_view, LagPolicy::Kind> kLagPolicies[] = {
    {"hold", LagPolicy::Kind::hold}, {"drop", LagPolicy::Kind::drop}};

template <typename Enum, std::size_t kCount>
std::string_view word_of(Enum value, const std::pair<std::string_view, Enum> (&words)[kCount]) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) return word;
  }
  return "?";
}

ReadValue read_ring_kib(std::uint64_t& target) {
  return [&target](std::string_view text) -> std::string {
    const auto value = parse_number<std::uint64_t>(text);
    if (!value || *value < 512 || *value > 1u << 20 || !std::has_single_bit(*value)) {
      return found_allowed(text, "a power of two from 512 to 1048576");
    }
    target = *value;
    return {};
  };
}

}  // namespace

std::string_view to_text(Backend backend) {
  return word_of(backend, kBackends);
}

std::string_view to_text(TraceLevel level) {
  return word_of(level, kTraceLevels);
}

ReadValue read_level(Level& target) {
  return one_of(target, kLevels);
}

ReadValue read_lag_policy(LagPolicy::Kind& target) {
  return one_of(target, kLagPolicies);
}

void add_engine_flags(OptionSet& options, EngineFlags& flags) {
  options.number("loops", "N", flags.loops, 1u, 64u, "Event loops of this node, a thread each");
  options.add("backend", "NAME",
              "auto (io_uring, or epoll where that is forbidden), io_uring, epoll",
              one_of(flags.backend, kBackends));
  options.add("ring-kib", "N", "Ring of each stream in KiB, a power of two [4096]",
              read_ring_kib(flags.ring_kib));
  options.add("diagnostics", "NAME",
              "Diagnostics on stderr from that level on: debug, info, warning, error",
              one_of(flags.diagnostics, kTraceLevels));
}

EngineOptions EngineFlags::options(const std::string& who, TraceLevel least) const {
  EngineOptions options;
  options.loops = loops;
  options.backend = backend;
  const TraceLevel from = diagnostics.value_or(least);
  options.trace = [who, from](TraceLevel level, std::string_view line) {
    if (level >= from) fmt::print(stderr, "{}: {}: {}\n", who, to_text(level), line);
  };
  return options;
}

}  // namespace quorate::tools
