#pragma once

// File operations that wait for their end, for start-up: before a loop turns, straight code is
// easier to trust than a machine. Errors name the file. Short reads and writes are continued.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "log/file_error.h"
#include "reactor/files.h"

namespace quorate::log {

/// An open file and what to call it in an error.
struct NamedFile {
  reactor::File file;
  std::string path;
  bool direct = false;
};

/// A part of a file that is being read while its reader does something else. Not destroyed, nor
/// what it reads into, before it was finished.
class FileRead {
 public:
  FileRead() = default;
  FileRead(const FileRead&) = delete;
  FileRead& operator=(const FileRead&) = delete;

 private:
  friend class BlockingFiles;
  struct Chunk {
    reactor::Operation operation;
    iovec vector{};
  };
  std::vector<Chunk> chunks_;
  std::uint64_t base_ = 0;  ///< where in the file the first one begins
};

class BlockingFiles {
 public:
  /// Waits until an operation has completed, and delivers completions.
  using Turn = std::function<void()>;

  BlockingFiles(reactor::Files& files, Turn turn) : files_(files), turn_(std::move(turn)) {}

  /// Past the page cache where the file system can.
  Result<NamedFile> open(const std::string& path, reactor::OpenMode mode);
  Status preallocate(const NamedFile& file, std::uint64_t bytes);
  /// How many bytes from `base` on could be read: fewer where the file ends, or, with `error` set,
  /// where the operating system refused, to the block. Several reads are in flight.
  std::uint64_t read(const NamedFile& file, std::span<std::byte> out, Error& error,
                     std::uint64_t base = 0);
  /// The same in two steps: the second waits, and answers. `file` stays open until then.
  void start_read(FileRead& read, const NamedFile& file, std::span<std::byte> out,
                  std::uint64_t base = 0);
  std::uint64_t finish_read(FileRead& read, const NamedFile& file, Error& error);
  Status write(const NamedFile& file, std::span<const std::byte> bytes, std::uint64_t offset);
  Status sync(const NamedFile& file);
  Status rename(const std::string& from, const std::string& to);
  Status remove(const std::string& path);
  Status sync_directory(const std::string& path);
  void close(NamedFile& file) noexcept;
  [[nodiscard]] reactor::Files& files() noexcept { return files_; }

 private:
  template <typename Start>
  std::int32_t run(const Start& start);
  std::int32_t read_part(const NamedFile& file, std::span<std::byte> out, std::uint64_t offset);
  std::uint64_t read_blocks(const NamedFile& file, std::span<std::byte> out, std::uint64_t base,
                            Error& error);

  reactor::Files& files_;
  Turn turn_;
};

}  // namespace quorate::log
