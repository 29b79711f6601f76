#pragma once

// Bytes of records as text that a terminal shows and does not obey.

#include <cstddef>
#include <span>
#include <string>

namespace quorate::tools {

/// Printable ASCII as it is, `\\`, `\n`, `\r`, `\t`, and anything else as `\xNN`. Of more than
/// `bytes_max` bytes the first, with `…` behind.
std::string escaped(std::span<const std::byte> bytes, std::size_t bytes_max);

}  // namespace quorate::tools
