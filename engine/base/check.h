#pragma once

// CHECK is for bugs of this program and stays on in release. It is never applied to bytes from the
// wire, the disk or the user: those are verified and answered with an error.

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                  \
  do {                                                                                    \
    if (!(condition)) [[unlikely]] {                                                      \
      std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", __FILE__, __LINE__, #condition);  \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define DCHECK(condition) CHECK(condition)
#endif

#define UNREACHABLE()                                                     \
  do {                                                                    \
    std::fprintf(stderr, "%s:%d: unreachable\n", __FILE__, __LINE__);     \
    std::abort();                                                         \
  } while (false)
