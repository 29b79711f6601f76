#pragma once

// Options from a TOML file: a flat table whose keys are the long options with `_` for `-`.

#include <string>

#include "quorate/error.h"
#include "tools/cli/option_set.h"

namespace quorate::tools {

/// Reads every key of the file into the options that the command line has not given. The error
/// names file, line and column.
Status read_config_file(const std::string& path, OptionSet& options);

/// The same for a text; `name` stands for the file in errors.
Status read_config_text(const std::string& text, const std::string& name, OptionSet& options);

}  // namespace quorate::tools
