#pragma once

// Files of a reactor, completed like its sockets: in reap(), exactly once. What a caller must be
// ready for on every backend: short reads and writes, completions in any order, a cancelled
// operation that still took effect, failure of anything. Operations on one file are not ordered
// among themselves: what must follow another operation is started when that one has completed.
//
// Of a file opened `direct`, offsets, lengths and buffers are multiples of kDirectAlignment.
// Buffers belong to the operating system until completion: a write reads them, and a read writes
// them, at any moment until then.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quorate/error.h"
#include "reactor/operation.h"

namespace quorate::reactor {

class Files {
 public:
  static constexpr std::size_t kDirectAlignment = 4096;

  Files() = default;
  virtual ~Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  /// Result: the id of a File. A file system that refuses `direct` answers -EINVAL.
  virtual void open(Operation& operation, const char* path, OpenMode mode, bool direct) = 0;
  /// Reserves space, which reads as zero; the file grows if it is shorter. A file system that
  /// cannot reserve answers -EOPNOTSUPP.
  virtual void preallocate(Operation& operation, File file, std::uint64_t offset,
                           std::uint64_t bytes) = 0;
  virtual void read(Operation& operation, File file, std::span<const iovec> buffers,
                    std::uint64_t offset) = 0;
  /// `durable`: completes when the bytes, and what is needed to read them back, are on the medium.
  virtual void write(Operation& operation, File file, std::span<const iovec> buffers,
                     std::uint64_t offset, bool durable) = 0;
  /// Makes durable what was written before it was started: bytes and size of a file, entries of a
  /// directory. After an error nothing is known about them, and a later success proves nothing.
  virtual void sync(Operation& operation, File file) = 0;
  virtual void truncate(Operation& operation, File file, std::uint64_t bytes) = 0;
  /// Replaces what is at `to`. Durable once the directory is synced, as removal is.
  virtual void rename(Operation& operation, const char* from, const char* to) = 0;
  virtual void remove(Operation& operation, const char* path) = 0;
  /// Only when no operation is in flight on it.
  virtual void close(File file) noexcept = 0;

  // For start-up: these block.

  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  ///< sorted
  virtual Result<std::uint64_t> size(File file) = 0;
  /// Done also when it exists.
  virtual Status make_directory(const std::string& path) = 0;
};

}  // namespace quorate::reactor
