#pragma once

// A directory of its own for a run. It goes when the run ends, however it ends: a process that
// does nothing else waits for that and removes it. Owned by one thread; made before other threads.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "quorate/error.h"

namespace quorate::bench {

class Scratch {
 public:
  static Result<Scratch> make(const std::string& parent);
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  /// A directory in it that is not there yet.
  [[nodiscard]] std::string fresh();
  /// What a round has left there. The disk has nothing to do any more when it returns.
  void clear(const std::string& directory) const;

 private:
  Scratch(std::string path, pid_t remover, int lifeline)
      : path_(std::move(path)), remover_(remover), lifeline_(lifeline) {}

  std::string path_;
  pid_t remover_ = -1;
  int lifeline_ = -1;  ///< the remover reads its end
  std::uint32_t made_ = 0;
};

std::string default_parent();
Result<std::uint64_t> free_bytes(const std::string& directory);

}  // namespace quorate::bench
