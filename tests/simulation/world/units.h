#pragma once

// Units of the wire as somebody writes them who is not the engine.

#include <cstddef>
#include <span>
#include <vector>

#include "wire/frame.h"

namespace quorate::simulation {

/// The envelope, with what it says of its body, and the body.
std::vector<std::byte> make_unit(wire::Envelope envelope, std::span<const std::byte> body);

}  // namespace quorate::simulation
