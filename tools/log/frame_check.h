#pragma once

// What recovery does not look at, as it trusts the checksum of the unit around a frame.

#include <cstddef>
#include <span>
#include <string>

#include "wire/frame.h"

namespace quorate::tools {

/// What is wrong with the body of a frame: its checksum, its prefix, its records. "": nothing.
/// `frame` begins with the header.
std::string flaw_of(const wire::FrameHeader& header, std::span<const std::byte> frame);

}  // namespace quorate::tools
