#include "log/directory_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "log/file_error.h"

namespace quorate::log {

namespace {

constexpr mode_t kRights = 0640;

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  int file;
  do {
    file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kRights);
  } while (file < 0 && errno == EINTR);
  if (file < 0) return file_error("open", path, -errno);
  DirectoryLock lock(file);
  // Of the open file and not of the process: closing another descriptor of it, as POSIX locks have
  // it, gives nothing up.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file, F_OFD_SETLK, &whole) == 0) return lock;
  const int number = errno;
  if (number != EAGAIN && number != EACCES) return file_error("lock", path, -number);
  return Error(Errc::io, path + ": another process has it; only one may use a directory", number);
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace quorate::log
