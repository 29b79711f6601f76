#pragma once

// Optional: awaiting a release in a coroutine. Header-only; needs nothing but the primary's handle.
//
//   Result<Outcome> outcome = co_await quorate::release(stream, ticket, rule);
//
// The coroutine goes on on the loop's thread, so it must not block there; when the write is
// released already, or cannot be awaited, it goes on at once where it is.

#include <coroutine>
#include <utility>

#include "quorate/error.h"
#include "quorate/primary.h"
#include "quorate/types.h"

namespace quorate {

class ReleaseAwaiter {
 public:
  ReleaseAwaiter(Stream stream, const Ticket& ticket, RuleId rule)
      : stream_(stream), ticket_(ticket), rule_(rule) {}

  [[nodiscard]] bool await_ready() noexcept { return stream_.released(ticket_, rule_); }

  bool await_suspend(std::coroutine_handle<> handle) {
    suspended_ = true;
    Status registered = stream_.on_released(ticket_, rule_, [this, handle](const Outcome& outcome) {
      result_ = outcome;
      handle.resume();
    });
    // Once registered the coroutine may have gone on elsewhere, and this awaiter with it.
    if (registered) return true;
    result_ = registered.error();
    return false;
  }

  Result<Outcome> await_resume() {
    if (suspended_) return std::move(result_);
    return stream_.wait(ticket_, rule_, std::chrono::nanoseconds{0});
  }

 private:
  Stream stream_;
  Ticket ticket_;
  RuleId rule_;
  bool suspended_ = false;
  Result<Outcome> result_ = Outcome{};
};

[[nodiscard]] inline ReleaseAwaiter release(Stream stream, const Ticket& ticket, RuleId rule) {
  return {stream, ticket, rule};
}

}  // namespace quorate
