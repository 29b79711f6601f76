#pragma once

// The first broken rule of a history, as one line of text. Texts are made only when a rule is
// broken, so that a check costs no more than its comparison.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "quorate/types.h"

namespace quorate::simulation {

class Violation {
 public:
  [[nodiscard]] bool any() const noexcept { return !text_.empty(); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// Events are counted so that the line names the one that broke the rule.
  void next_event() noexcept { ++event_; }

  /// `rule` is the name by which tests and people recognise it; the parts are words and numbers.
  template <typename... Parts>
  void fail(std::string_view rule, const Parts&... parts) {
    if (any()) return;
    text_ = std::string(rule) + ": ";
    ((text_ += part(parts)), ...);
    text_ += " (event " + std::to_string(event_) + ")";
  }

 private:
  static std::string part(std::string_view text) { return std::string(text); }
  template <std::unsigned_integral Number>
  static std::string part(Number number) {
    return std::to_string(number);
  }
  static std::string part(const Epoch& epoch) {
    return "epoch " + std::to_string(epoch.number) + "/" + std::to_string(epoch.incarnation);
  }

  std::string text_;
  std::uint64_t event_ = 0;
};

/// The names of the rules, as they begin the text of a violation.
namespace rules {
inline constexpr std::string_view kClaims = "claims";
inline constexpr std::string_view kFrames = "frames";
inline constexpr std::string_view kAcknowledgements = "acknowledgements";
inline constexpr std::string_view kWatermarks = "watermarks";
inline constexpr std::string_view kCommits = "commits";
inline constexpr std::string_view kApplying = "applying";
inline constexpr std::string_view kReports = "reports";
inline constexpr std::string_view kWaiters = "waiters";
inline constexpr std::string_view kConvergence = "convergence";
inline constexpr std::string_view kEvents = "events";
}  // namespace rules

}  // namespace quorate::simulation
