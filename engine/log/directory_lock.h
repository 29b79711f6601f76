#pragma once

// One process for one directory. Held for life: the lock belongs to the open file, so it goes when
// the process does, however that ends, and a program it starts does not inherit it. A child that
// was forked and starts no program shares it.

#include <string>

#include "quorate/error.h"

namespace quorate::log {

class DirectoryLock {
 public:
  /// Blocks, for start-up. Makes the file `lock` in a directory that exists.
  static Result<DirectoryLock> take(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int file) noexcept : file_(file) {}

  int file_ = -1;
};

}  // namespace quorate::log
