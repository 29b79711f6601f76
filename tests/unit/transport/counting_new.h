#pragma once

#include <cstddef>

namespace quorate::transport {

/// Calls of operator new so far, in the whole process.
std::size_t allocations() noexcept;

}  // namespace quorate::transport
