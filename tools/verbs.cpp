#include "tools/verbs.h"

#include <fmt/format.h>

#include <cstdio>

namespace quorate::tools {

int fail(const char* verb, const Error& error) {
  fmt::print(stderr, "quorate {}: {}\n", verb, error.text);
  return error.code == Errc::invalid_option || error.code == Errc::unsupported ? 2 : 1;
}

}  // namespace quorate::tools
