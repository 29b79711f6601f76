#include "core/message.h"

namespace quorate::core {

std::string_view to_string(GoodbyeReason reason) noexcept {
  switch (reason) {
    case GoodbyeReason::closing: return "closing";
    case GoodbyeReason::wrong_cluster: return "wrong_cluster";
    case GoodbyeReason::unknown_node: return "unknown_node";
    case GoodbyeReason::incompatible_version: return "incompatible_version";
    case GoodbyeReason::bad_frame: return "bad_frame";
    case GoodbyeReason::too_large: return "too_large";
    case GoodbyeReason::protocol_violation: return "protocol_violation";
    case GoodbyeReason::replaced: return "replaced";
    case GoodbyeReason::timeout: return "timeout";
    case GoodbyeReason::busy: return "busy";
    case GoodbyeReason::not_primary: return "not_primary";
    case GoodbyeReason::needs_full_copy: return "needs_full_copy";
    case GoodbyeReason::fenced: return "fenced";
    case GoodbyeReason::caught_up: return "caught up";
    case GoodbyeReason::internal: return "internal";
  }
  return "?";
}

}  // namespace quorate::core
