#pragma once

// File operations as requests of io_uring.

#include <liburing.h>

#include <cstdint>

#include "reactor/operation.h"

namespace quorate::reactor {

/// Whether the kernel has a request for ftruncate (Linux 6.9).
[[nodiscard]] bool can_truncate(io_uring& ring) noexcept;

/// Fills in everything but user_data.
void prepare_file(io_uring_sqe* sqe, const Operation& operation) noexcept;

/// True when a result says only that the request was disturbed, so that it must be made again, and
/// marks the operation for that. `result` becomes what is delivered when it is false.
[[nodiscard]] bool must_repeat(Operation& operation, std::int32_t& result) noexcept;

/// Marks the operation, so that a request that is disturbed by this is not repeated.
void mark_cancelled(Operation& operation) noexcept;

}  // namespace quorate::reactor
