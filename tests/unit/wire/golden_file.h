#pragma once

// Bytes as text: hexadecimal, 32 bytes a line, so that the repository holds no binaries and a
// change shows in a diff.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorate::wire {

/// Nothing when the file is missing or is not of that form.
std::optional<std::vector<std::byte>> read_golden(const std::string& path);
bool write_golden(const std::string& path, std::span<const std::byte> bytes);
std::string to_hex(std::span<const std::byte> bytes);

}  // namespace quorate::wire
