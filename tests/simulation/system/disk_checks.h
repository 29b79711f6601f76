#pragma once

// What the kernel refuses before any disk is asked.

#include <cstdint>

#include "reactor/operation.h"
#include "tests/simulation/system/disk_file.h"

namespace quorate::simulation {

/// Of all buffers together.
[[nodiscard]] std::size_t bytes_of(const reactor::Operation& operation) noexcept;

/// 0 or a negated errno. `file` is what the operation's descriptor stands for, null when nothing.
[[nodiscard]] std::int32_t check(const reactor::Operation& operation,
                                 const DiskFile* file) noexcept;

}  // namespace quorate::simulation
