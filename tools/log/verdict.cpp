#include "tools/log/verdict.h"

#include <fmt/format.h>

namespace quorate::tools {

using log::RecoveryState;

bool is_good(const StreamFacts& facts, const ContentFacts& content) {
  return facts.found.state == RecoveryState::whole && content.bad_frames == 0;
}

std::string verdict_word(const StreamFacts& facts, const ContentFacts& content) {
  const bool whole = facts.found.state == RecoveryState::whole;
  if (whole && content.bad_frames > 0) return "fault";
  if (whole && facts.found.torn) return "torn";
  return std::string(to_string(facts.found.state));
}

std::string verdict_text(const StreamFacts& facts, const ContentFacts& content) {
  const log::Recovered& found = facts.found;
  switch (found.state) {
    case RecoveryState::none: return "none: nothing was ever stored there";
    case RecoveryState::lost_identity: return "lost identity: " + found.why;
    case RecoveryState::fault:
      return fmt::format("fault at {}: unknown from {} to {}", found.why,
                         found.start.end.position, found.unknown_until);
    case RecoveryState::whole: break;
  }
  if (content.bad_frames > 0) {
    return fmt::format("fault at {}: {} frame{} whose content is not what it should be",
                       content.first_bad, content.bad_frames, content.bad_frames == 1 ? "" : "s");
  }
  if (!found.torn) return "whole";
  return fmt::format("torn tail (would be cut at {} of {}, {} bytes): {}", found.torn->offset,
                     found.torn->path, found.torn->used_end - found.torn->offset, found.why);
}

std::string anew_text(const StreamFacts& facts) {
  if (!facts.found.anew) return "";
  return fmt::format("segment {} began the log anew at position {}: nothing of earlier segments "
                     "counts",
                     facts.found.anew->segment, facts.found.anew->position);
}

void add_verdict(JsonObject& json, const StreamFacts& facts, const ContentFacts& content) {
  const log::Recovered& found = facts.found;
  const std::string& why = content.first_bad.empty() ? found.why : content.first_bad;
  json.add("state", verdict_word(facts, content)).add("why", why);
  if (found.state == RecoveryState::fault) {
    json.add("unknown_from", found.start.end.position).add("unknown_until", found.unknown_until);
  }
  if (found.anew) {
    JsonObject anew;
    anew.add("segment", found.anew->segment).add("position", found.anew->position);
    json.raw("anew", anew.text());
  }
  if (!found.torn) return;
  JsonObject torn;
  torn.add("path", found.torn->path)
      .add("offset", found.torn->offset)
      .add("bytes", found.torn->used_end - found.torn->offset);
  json.raw("torn", torn.text());
}

}  // namespace quorate::tools
