#pragma once

// What every verb that runs an engine lets its user choose about it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "quorate/options.h"
#include "tools/cli/option_set.h"

namespace quorate::tools {

struct EngineFlags {
  std::uint32_t loops = 1;
  Backend backend = Backend::automatic;
  std::uint64_t ring_kib = 4096;
  std::optional<TraceLevel> diagnostics;  ///< unset: as the verb finds right

  [[nodiscard]] std::uint64_t ring_bytes() const { return ring_kib << 10; }
  /// The largest payload that a stream of this ring takes.
  [[nodiscard]] std::uint32_t record_bytes_max() const {
    return static_cast<std::uint32_t>(ring_bytes() / 4 - kRecordHeaderBytes);
  }
  /// Diagnostics go to stderr, each line with `who` in front; `least` unless the user chose.
  [[nodiscard]] EngineOptions options(const std::string& who,
                                      TraceLevel least = TraceLevel::warning) const;
};

void add_engine_flags(OptionSet& options, EngineFlags& flags);

std::string_view to_text(Backend backend);
std::string_view to_text(TraceLevel level);

/// Reads one of several words; `allowed` lists them for the error.
template <typename Target, typename Enum, std::size_t kCount>
ReadValue one_of(Target& target, const std::pair<std::string_view, Enum> (&words)[kCount]) {
  return [&target, &words](std::string_view text) -> std::string {
    std::string allowed;
    for (const auto& [word, value] : words) {
      if (word == text) {
        target = value;
        return {};
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string(word);
    }
    return found_allowed(text, allowed);
  };
}

ReadValue read_level(Level& target);
ReadValue read_lag_policy(LagPolicy::Kind& target);

}  // namespace quorate::tools
