#pragma once

// What is to be said of a stream's log as a whole.

#include <cstdint>
#include <string>

#include "tools/cli/json.h"
#include "tools/log/log_examiner.h"

namespace quorate::tools {

/// What reading a log tells that recovery does not look at: recovery trusts the unit's checksum.
struct ContentFacts {
  std::uint64_t frames = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;       ///< of the segments that were read
  std::uint64_t bad_frames = 0;  ///< whose body differs from its checksum, or is malformed
  std::string first_bad;         ///< where and why
};

/// Nothing of the log is lost, as far as can be told: whole, or torn where a crash may tear it.
[[nodiscard]] bool is_good(const StreamFacts& facts, const ContentFacts& content);
/// One word: whole, torn, fault, lost identity, none.
[[nodiscard]] std::string verdict_word(const StreamFacts& facts, const ContentFacts& content);
/// One line: the word, and where and why.
[[nodiscard]] std::string verdict_text(const StreamFacts& facts, const ContentFacts& content);
/// One line: where the log began anew; empty: it did not.
[[nodiscard]] std::string anew_text(const StreamFacts& facts);
/// Adds state, why and what is unknown or torn.
void add_verdict(JsonObject& json, const StreamFacts& facts, const ContentFacts& content);

}  // namespace quorate::tools
