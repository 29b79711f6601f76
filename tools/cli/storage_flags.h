#pragma once

// What every verb that keeps logs lets its user choose about them.

#include <cstdint>
#include <string>

#include "quorate/error.h"
#include "quorate/options.h"
#include "tools/cli/engine_flags.h"
#include "tools/cli/option_set.h"

namespace quorate::tools {

struct StorageFlags {
  std::string directory;
  std::uint32_t segment_mib = 64;
  std::uint32_t retain_mib = 0;  ///< 0: as the library has it
  bool buffered = false;

  [[nodiscard]] StorageOptions options() const;
  /// Whether the directory exists or can be made: the engine makes no parents.
  [[nodiscard]] Status has_a_place() const;
  /// Whether nodes of that ring and so many streams can keep logs, in the words of the options.
  [[nodiscard]] Status fits(const EngineFlags& engine, std::uint32_t streams) const;
};

void add_storage_flags(OptionSet& options, StorageFlags& flags, const std::string& directory_help);

/// What says how logs are written says nothing without them; `needed` is what would turn them on.
Status refuse_storage_details(const OptionSet& given, const std::string& needed);

}  // namespace quorate::tools
