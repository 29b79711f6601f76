#pragma once

// Errors are values: no exception crosses the API. Each code says who caused it and what to do.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace quorate {

enum class Errc : std::uint8_t {
  busy,            ///< overload: nothing was appended; back off and try again
  too_large,       ///< the record exceeds max_record_bytes; final for this record
  closed,          ///< the handle was closed; final
  fenced,          ///< a newer epoch exists or this one was given up; final for the handle, reopen
  not_primary,     ///< this node does not lead the stream; ask the one that does
  unsupported,     ///< asked for something this build or configuration cannot do
  invalid_option,  ///< the text names the field, the allowed range and the fix
  timed_out,       ///< a bounded call ran out of time; says nothing about the write
  unreachable,     ///< the peer does not answer; retried by itself
  incompatible,    ///< cluster, version or capability differ; an operator must look
  corrupt,         ///< bytes failed verification
  needs_full_copy, ///< the primary no longer holds what this replica lacks
  io,              ///< the operating system refused; carries errno
  no_space,        ///< the log's disk is full: nothing was appended; passes when there is space
  log_full,        ///< the log is at its hard limit with what is not committed: nothing was
                   ///< appended; passes when replicas have more of it; see StorageOptions
};

[[nodiscard]] std::string_view to_string(Errc code) noexcept;

struct Error {
  Errc code = Errc::io;
  std::string text;     ///< one line: field or object, what was found, what is allowed
  int system_errno = 0; ///< set with Errc::io

  Error() = default;
  Error(Errc error_code, std::string message, int error_number = 0)
      : code(error_code), text(std::move(message)), system_errno(error_number) {}
};

/// A value or an Error, shaped like std::expected so that it can be replaced by it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; on an error prints its text and aborts, so that short programs stay short.
  T& value() & { require(); return *std::get_if<0>(&state_); }
  const T& value() const& { require(); return *std::get_if<0>(&state_); }
  T&& value() && { require(); return std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }

  /// The error; only when has_value() is false.
  [[nodiscard]] const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  void require() const {
    if (has_value()) return;
    std::fprintf(stderr, "quorate: %s: %s\n", to_string(error().code).data(),
                 error().text.c_str());
    std::abort();
  }

  std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace quorate
