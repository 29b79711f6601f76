#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace quorate::base {

std::uint64_t random_seed() noexcept {
  std::uint64_t seed = 0;
  while (seed == 0) {
    const ssize_t got = getrandom(&seed, sizeof seed, 0);
    CHECK(got == static_cast<ssize_t>(sizeof seed));
  }
  return seed;
}

}  // namespace quorate::base
