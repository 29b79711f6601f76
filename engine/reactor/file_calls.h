#pragma once

// What the files of both backends have in common: calls recorded in their Operations, what each
// file was opened as, and the system calls that block.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reactor/files.h"
#include "reactor/operation.h"

namespace quorate::reactor {

[[nodiscard]] constexpr bool is_file_operation(Operation::Kind kind) noexcept {
  return kind >= Operation::Kind::open;
}

/// Flags of open(2).
[[nodiscard]] int open_flags(OpenMode mode, bool direct) noexcept;

/// Carries out a file operation where it stands, however long that takes. The result it has.
[[nodiscard]] std::int32_t perform(const Operation& operation) noexcept;

class FileCalls final : public Files {
 public:
  /// What others of the system may do with a new file or directory: those in the group may look.
  static constexpr unsigned kFileRights = 0640;
  static constexpr unsigned kDirectoryRights = 0750;

  /// The backend: takes operations that are filled in and marked as started.
  class Starter {
   public:
    virtual void start_file(Operation& operation) = 0;

   protected:
    ~Starter() = default;
  };

  explicit FileCalls(Starter& starter) noexcept : starter_(starter) {}

  void open(Operation& operation, const char* path, OpenMode mode, bool direct) override;
  void preallocate(Operation& operation, File file, std::uint64_t offset,
                   std::uint64_t bytes) override;
  void read(Operation& operation, File file, std::span<const iovec> buffers,
            std::uint64_t offset) override;
  void write(Operation& operation, File file, std::span<const iovec> buffers, std::uint64_t offset,
             bool durable) override;
  void sync(Operation& operation, File file) override;
  void truncate(Operation& operation, File file, std::uint64_t bytes) override;
  void rename(Operation& operation, const char* from, const char* to) override;
  void remove(Operation& operation, const char* path) override;
  void close(File file) noexcept override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> size(File file) override;
  Status make_directory(const std::string& path) override;

  /// The backend tells how an open ended, before anybody else is told.
  void opened(const Operation& operation, std::int32_t result);

 private:
  /// How a file was opened decides how it is synced and written.
  struct Opened {
    OpenMode mode = OpenMode::read;
    bool direct = false;
  };

  void start(Operation& operation, Operation::Kind kind, FileArguments arguments,
             std::span<const iovec> buffers = {});
  [[nodiscard]] FileArguments arguments_for(File file) const noexcept;

  Starter& starter_;
  std::vector<Opened> opened_;  ///< by descriptor
};

}  // namespace quorate::reactor
