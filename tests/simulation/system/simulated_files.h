#pragma once

// What a reactor sees of its host's disk: calls recorded in their Operations, and open files.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reactor/files.h"
#include "tests/simulation/system/disk.h"

namespace quorate::simulation {

class SimulatedFiles final : public reactor::Files {
 public:
  SimulatedFiles(Disk& disk, FileCompletion& completion, Draw draw);
  ~SimulatedFiles() override;

  void open(reactor::Operation& operation, const char* path, reactor::OpenMode mode,
            bool direct) override;
  void preallocate(reactor::Operation& operation, reactor::File file, std::uint64_t offset,
                   std::uint64_t bytes) override;
  void read(reactor::Operation& operation, reactor::File file, std::span<const iovec> buffers,
            std::uint64_t offset) override;
  void write(reactor::Operation& operation, reactor::File file, std::span<const iovec> buffers,
             std::uint64_t offset, bool durable) override;
  void sync(reactor::Operation& operation, reactor::File file) override;
  void truncate(reactor::Operation& operation, reactor::File file, std::uint64_t bytes) override;
  void rename(reactor::Operation& operation, const char* from, const char* to) override;
  void remove(reactor::Operation& operation, const char* path) override;
  void close(reactor::File file) noexcept override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::uint64_t> size(reactor::File file) override;
  Status make_directory(const std::string& path) override;

 private:
  friend class Disk;

  struct Opened {
    std::shared_ptr<DiskFile> file;  ///< null: closed
    reactor::OpenMode mode = reactor::OpenMode::read;
    bool direct = false;
  };

  void start(reactor::Operation& operation, reactor::Operation::Kind kind,
             const reactor::FileArguments& arguments, std::span<const iovec> buffers = {});
  [[nodiscard]] const Opened* opened(reactor::File file) const noexcept;
  [[nodiscard]] reactor::FileArguments arguments_for(reactor::File file) const noexcept;
  /// The lowest id that is free, as Linux has it: a stale id soon names another file.
  [[nodiscard]] std::int32_t add(Opened opened);

  Disk& disk_;
  FileCompletion& completion_;
  Draw draw_;
  std::vector<Opened> opened_;  ///< by id
  bool abandoned_ = false;
};

}  // namespace quorate::simulation
