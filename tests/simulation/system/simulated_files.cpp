#include "tests/simulation/system/simulated_files.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/heap.h"

namespace quorate::simulation {

using reactor::File;
using reactor::FileArguments;
using reactor::OpenMode;
using reactor::Operation;

namespace {

Error system_error(const std::string& what, int number) {
  return Error(Errc::io, what + ": " + std::strerror(number), number);
}

}  // namespace

SimulatedFiles::SimulatedFiles(Disk& disk, FileCompletion& completion, Draw draw)
    : disk_(disk), completion_(completion), draw_(draw) {
  disk_.add(*this);
}

SimulatedFiles::~SimulatedFiles() { disk_.remove(*this); }

void SimulatedFiles::start(Operation& operation, Operation::Kind kind,
                           const FileArguments& arguments, std::span<const iovec> buffers) {
  const HeapScope kernel(0);
  CHECK(operation.state == Operation::State::idle && buffers.size() <= Operation::kVectorsMax);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.result = 0;
  operation.socket = reactor::Socket{};
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  operation.file = arguments;
  if (abandoned_) {
    completion_.on_file_done(operation, -EIO);
  } else {
    disk_.submit(*this, operation);
  }
}

const SimulatedFiles::Opened* SimulatedFiles::opened(File file) const noexcept {
  if (!file.valid() || static_cast<std::size_t>(file.id) >= opened_.size()) return nullptr;
  const Opened& opened = opened_[static_cast<std::size_t>(file.id)];
  return opened.file == nullptr ? nullptr : &opened;
}

FileArguments SimulatedFiles::arguments_for(File file) const noexcept {
  FileArguments arguments;
  arguments.file = file;
  if (const Opened* known = opened(file)) {
    arguments.mode = known->mode;
    arguments.direct = known->direct;
  }
  return arguments;
}

std::int32_t SimulatedFiles::add(Opened opened) {
  std::size_t id = 0;
  while (id < opened_.size() && opened_[id].file != nullptr) ++id;
  if (id == opened_.size()) opened_.emplace_back();
  opened_[id] = std::move(opened);
  return static_cast<std::int32_t>(id);
}

void SimulatedFiles::open(Operation& operation, const char* path, OpenMode mode, bool direct) {
  FileArguments arguments;
  arguments.path = path;
  arguments.mode = mode;
  arguments.direct = direct;
  start(operation, Operation::Kind::open, arguments);
}

void SimulatedFiles::preallocate(Operation& operation, File file, std::uint64_t offset,
                                 std::uint64_t bytes) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  arguments.bytes = bytes;
  start(operation, Operation::Kind::preallocate, arguments);
}

void SimulatedFiles::read(Operation& operation, File file, std::span<const iovec> buffers,
                          std::uint64_t offset) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  start(operation, Operation::Kind::read, arguments, buffers);
}

void SimulatedFiles::write(Operation& operation, File file, std::span<const iovec> buffers,
                           std::uint64_t offset, bool durable) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  arguments.durable = durable;
  start(operation, Operation::Kind::write, arguments, buffers);
}

void SimulatedFiles::sync(Operation& operation, File file) {
  start(operation, Operation::Kind::sync, arguments_for(file));
}

void SimulatedFiles::truncate(Operation& operation, File file, std::uint64_t bytes) {
  FileArguments arguments = arguments_for(file);
  arguments.bytes = bytes;
  start(operation, Operation::Kind::truncate, arguments);
}

void SimulatedFiles::rename(Operation& operation, const char* from, const char* to) {
  FileArguments arguments;
  arguments.path = from;
  arguments.new_path = to;
  start(operation, Operation::Kind::rename, arguments);
}

void SimulatedFiles::remove(Operation& operation, const char* path) {
  FileArguments arguments;
  arguments.path = path;
  start(operation, Operation::Kind::remove, arguments);
}

void SimulatedFiles::close(File file) noexcept {
  if (opened(file) != nullptr) opened_[static_cast<std::size_t>(file.id)] = Opened{};
}

Result<std::vector<std::string>> SimulatedFiles::list(const std::string& directory) {
  const std::string what = "open directory " + directory;
  if (abandoned_ || disk_.fail_always_) return system_error(what, EIO);
  const std::shared_ptr<DiskFile> file = disk_.names_.find(directory);
  if (file == nullptr) return system_error(what, -disk_.names_.missing(directory));
  if (!file->directory()) return system_error(what, ENOTDIR);
  return disk_.names_.list(directory);
}

Result<std::uint64_t> SimulatedFiles::size(File file) {
  if (const Opened* known = opened(file)) return known->file->size();
  return system_error("stat of file " + std::to_string(file.id), abandoned_ ? EIO : EBADF);
}

Status SimulatedFiles::make_directory(const std::string& path) {
  const std::string what = "make directory " + path;
  if (abandoned_ || disk_.fail_always_) return system_error(what, EIO);
  const std::shared_ptr<DiskFile> there = disk_.names_.find(path);
  if (there != nullptr && there->directory()) return Done{};
  const std::int32_t refused = disk_.names_.can_make(path);
  if (refused < 0) return system_error(what, -refused);
  disk_.names_.make(path, std::make_shared<DiskFile>(true), ++disk_.number_);
  return Done{};
}

}  // namespace quorate::simulation
