#include "reactor/file_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/check.h"

namespace quorate::reactor {

namespace {

Error system_error(const std::string& what, int number) {
  return Error(Errc::io, what + ": " + std::strerror(number), number);
}

std::int64_t call(const Operation& operation) noexcept {
  const FileArguments& file = operation.file;
  const int fd = file.file.id;
  const auto offset = static_cast<off_t>(file.offset);
  const auto bytes = static_cast<off_t>(file.bytes);
  const iovec* buffers = operation.message.msg_iov;
  const auto count = static_cast<int>(operation.message.msg_iovlen);
  switch (operation.kind) {
    case Operation::Kind::open:
      return ::open(file.path, open_flags(file.mode, file.direct), FileCalls::kFileRights);
    case Operation::Kind::preallocate: return ::fallocate(fd, 0, offset, bytes);
    case Operation::Kind::read: return ::preadv2(fd, buffers, count, offset, 0);
    case Operation::Kind::write:
      return ::pwritev2(fd, buffers, count, offset, file.durable ? RWF_DSYNC : 0);
    case Operation::Kind::sync:
      return file.mode == OpenMode::directory ? ::fsync(fd) : ::fdatasync(fd);
    case Operation::Kind::truncate: return ::ftruncate(fd, bytes);
    case Operation::Kind::rename: return ::rename(file.path, file.new_path);
    case Operation::Kind::remove: return ::unlink(file.path);
    default: UNREACHABLE();
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

}  // namespace

int open_flags(OpenMode mode, bool direct) noexcept {
  const int common = O_CLOEXEC | (direct ? O_DIRECT : 0);
  switch (mode) {
    case OpenMode::read: return common | O_RDONLY;
    case OpenMode::write: return common | O_RDWR;
    case OpenMode::create: return common | O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::directory: return common | O_RDONLY | O_DIRECTORY;
  }
  UNREACHABLE();
}

std::int32_t perform(const Operation& operation) noexcept {
  std::int64_t result;
  do {
    result = call(operation);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : static_cast<std::int32_t>(result);
}

void FileCalls::start(Operation& operation, Operation::Kind kind, FileArguments arguments,
                      std::span<const iovec> buffers) {
  CHECK(operation.state == Operation::State::idle && buffers.size() <= Operation::kVectorsMax);
  operation.kind = kind;
  operation.state = Operation::State::started;
  operation.result = 0;
  operation.socket = Socket{};
  operation.message = {};
  operation.message.msg_iov = const_cast<iovec*>(buffers.data());
  operation.message.msg_iovlen = buffers.size();
  operation.file = arguments;
  starter_.start_file(operation);
}

FileArguments FileCalls::arguments_for(File file) const noexcept {
  FileArguments arguments;
  arguments.file = file;
  if (file.valid() && static_cast<std::size_t>(file.id) < opened_.size()) {
    const Opened& opened = opened_[static_cast<std::size_t>(file.id)];
    arguments.mode = opened.mode;
    arguments.direct = opened.direct;
  }
  return arguments;
}

void FileCalls::open(Operation& operation, const char* path, OpenMode mode, bool direct) {
  FileArguments arguments;
  arguments.path = path;
  arguments.mode = mode;
  arguments.direct = direct;
  start(operation, Operation::Kind::open, arguments);
}

void FileCalls::preallocate(Operation& operation, File file, std::uint64_t offset,
                            std::uint64_t bytes) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  arguments.bytes = bytes;
  start(operation, Operation::Kind::preallocate, arguments);
}

void FileCalls::read(Operation& operation, File file, std::span<const iovec> buffers,
                     std::uint64_t offset) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  start(operation, Operation::Kind::read, arguments, buffers);
}

void FileCalls::write(Operation& operation, File file, std::span<const iovec> buffers,
                      std::uint64_t offset, bool durable) {
  FileArguments arguments = arguments_for(file);
  arguments.offset = offset;
  arguments.durable = durable;
  start(operation, Operation::Kind::write, arguments, buffers);
}

void FileCalls::sync(Operation& operation, File file) {
  start(operation, Operation::Kind::sync, arguments_for(file));
}

void FileCalls::truncate(Operation& operation, File file, std::uint64_t bytes) {
  FileArguments arguments = arguments_for(file);
  arguments.bytes = bytes;
  start(operation, Operation::Kind::truncate, arguments);
}

void FileCalls::rename(Operation& operation, const char* from, const char* to) {
  FileArguments arguments;
  arguments.path = from;
  arguments.new_path = to;
  start(operation, Operation::Kind::rename, arguments);
}

void FileCalls::remove(Operation& operation, const char* path) {
  FileArguments arguments;
  arguments.path = path;
  start(operation, Operation::Kind::remove, arguments);
}

void FileCalls::close(File file) noexcept {
  if (file.valid() && static_cast<std::size_t>(file.id) < opened_.size()) {
    opened_[static_cast<std::size_t>(file.id)] = Opened{};
  }
  ::close(file.id);
}

void FileCalls::opened(const Operation& operation, std::int32_t result) {
  const FileArguments& file = operation.file;
  if (result >= 0) {
    const auto index = static_cast<std::size_t>(result);
    if (opened_.size() <= index) opened_.resize(index + 1);
    opened_[index] = {file.mode, file.direct};
  } else if (result == -EINVAL && file.direct && file.mode == OpenMode::create) {
    // The kernel makes the file before it finds that the file system has no direct access. Left
    // there, it would stand in the way of the same call without `direct`.
    ::unlink(file.path);
  }
}

Result<std::vector<std::string>> FileCalls::list(const std::string& directory) {
  const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.c_str()));
  if (!stream) return system_error("open directory " + directory, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return system_error("read directory " + directory, errno);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> FileCalls::size(File file) {
  struct stat status;
  if (::fstat(file.id, &status) != 0) {
    const int number = errno;
    return system_error("stat of file " + std::to_string(file.id), number);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Status FileCalls::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryRights) == 0) return Done{};
  const int number = errno;
  struct stat status;
  const bool exists = number == EEXIST && ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return Done{};
  return system_error("make directory " + path, number);
}

}  // namespace quorate::reactor
