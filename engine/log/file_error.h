#pragma once

// Every failure names the operation, the file and what the operating system said.

#include <cstdint>
#include <string_view>

#include "quorate/error.h"
#include "reactor/operation.h"

namespace quorate::log {

/// `result`: a negated errno, or 0 from a write that moved nothing.
[[nodiscard]] Error file_error(std::string_view operation, std::string_view path,
                               std::int32_t result);

/// Of a read without which nothing can be decided. What it was to give out may be whole, so nothing
/// is given up for it.
[[nodiscard]] Error read_refused(Error refusal);

/// No space now, but perhaps later: a disk or a quota that is full.
[[nodiscard]] bool is_out_of_space(std::int32_t result) noexcept;

/// Nothing happened and nothing is wrong: the operation may be started again.
[[nodiscard]] bool is_passing(std::int32_t result) noexcept;

/// Makes an operation end in a member function of its owner.
template <auto kMember, typename Owner>
void bind(reactor::Operation& operation, Owner& owner) {
  operation.owner = &owner;
  operation.complete = [](reactor::Operation& done, std::int32_t result) {
    (static_cast<Owner*>(done.owner)->*kMember)(result);
  };
}

}  // namespace quorate::log
