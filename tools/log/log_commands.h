#pragma once

// What `quorate log` does, each to the end. They return the exit code of the process.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "quorate/types.h"

namespace quorate::tools {

struct LogCommandOptions {
  std::string directory;
  std::optional<StreamId> stream;  ///< only that one
  bool json = false;
};

struct DumpOptions {
  bool records = false;
  bool payload = false;  ///< nothing but the payloads of data records
  Position from = 0;
  Position to = std::numeric_limits<Position>::max();
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();  ///< of frames, or of records
};

int inspect_log(const LogCommandOptions& options);
int verify_log(const LogCommandOptions& options);
int dump_log(const LogCommandOptions& options, const DumpOptions& dump);

}  // namespace quorate::tools
