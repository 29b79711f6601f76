// fault_fs BACKING MOUNT: a file system that shows the directory BACKING at MOUNT and fails when it
// is told to, a line of stdin each. It answers "ok" once it is mounted, and each line with "ok" and
// how often the fault before it was dealt, so who has heard that need not wait for anything:
//
//   write EIO 3 [TEXT]   the third such operation from now on and every one after is refused; with
//                        TEXT only of paths that contain it. Also read, fsync, fallocate, create.
//   short 1 [TEXT]       each write from now on moves one block and a little more, or one block
//   none                 nothing fails any more
//
// Nothing is kept in the page cache of MOUNT: what a process writes, or reads, comes here. One
// thread does everything, so operations have an order. It ends when stdin does, or by SIGTERM.

#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>
#include <string>

namespace {

constexpr std::size_t kBlockBytes = 4096;

struct Fault {
  std::string operation;  ///< "": none
  int error = 0;
  std::uint64_t passes = 0;  ///< so many go well before
  std::string text;          ///< in the path
  std::uint64_t dealt = 0;
};

std::string backing;
Fault fault;

std::string below(const char* path) { return backing + path; }

/// Whether the fault is dealt to this operation.
bool fails(const char* operation, const char* path) {
  if (fault.operation != operation || !std::strstr(path, fault.text.c_str())) return false;
  if (fault.passes > 0) {
    --fault.passes;
    return false;
  }
  ++fault.dealt;
  return true;
}

int answer(std::int64_t result) { return result < 0 ? -errno : static_cast<int>(result); }

int file_of(const fuse_file_info* info) { return static_cast<int>(info->fh); }

int open_below(const char* path, int flags, mode_t mode, fuse_file_info* info) {
  // What direct access asks of memory, the kernel's messages do not meet.
  const int file = ::open(below(path).c_str(), (flags & ~O_DIRECT) | O_CLOEXEC, mode);
  if (file < 0) return -errno;
  info->fh = static_cast<std::uint64_t>(file);
  info->direct_io = 1;
  return 0;
}

void* on_init(fuse_conn_info* connection, fuse_config* config) {
  // Else the kernel makes EIO of what moved less when io_uring had asked for it.
  connection->want &= ~unsigned{FUSE_CAP_ASYNC_DIO};
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  config->hard_remove = 1;
  return nullptr;
}

int on_getattr(const char* path, struct stat* out, fuse_file_info* info) {
  return answer(info != nullptr ? ::fstat(file_of(info), out) : ::lstat(below(path).c_str(), out));
}

int on_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
               fuse_readdir_flags) {
  DIR* directory = ::opendir(below(path).c_str());
  if (directory == nullptr) return -errno;
  while (const dirent* entry = ::readdir(directory)) {
    fill(buffer, entry->d_name, nullptr, 0, fuse_fill_dir_flags{});
  }
  ::closedir(directory);
  return 0;
}

int on_create(const char* path, mode_t mode, fuse_file_info* info) {
  return fails("create", path) ? -fault.error
                               : open_below(path, info->flags | O_CREAT, mode, info);
}

int on_read(const char* path, char* out, std::size_t bytes, off_t offset, fuse_file_info* info) {
  return fails("read", path) ? -fault.error : answer(::pread(file_of(info), out, bytes, offset));
}

int on_write(const char* path, const char* data, std::size_t bytes, off_t offset,
             fuse_file_info* info) {
  if (fails("write", path)) return -fault.error;
  if (bytes > kBlockBytes && fails("short", path)) {
    bytes = bytes > 2 * kBlockBytes ? kBlockBytes + 100 : kBlockBytes;
  }
  const iovec vector{const_cast<char*>(data), bytes};
  // The kernel passes on here what a single write asked for.
  const int flags = (info->flags & O_DSYNC) != 0 ? RWF_DSYNC : 0;
  return answer(::pwritev2(file_of(info), &vector, 1, offset, flags));
}

int on_fsync(const char* path, int data_only, fuse_file_info* info) {
  if (fails("fsync", path)) return -fault.error;
  return answer(data_only != 0 ? ::fdatasync(file_of(info)) : ::fsync(file_of(info)));
}

int on_fsyncdir(const char* path, int, fuse_file_info*) {
  if (fails("fsync", path)) return -fault.error;
  const int directory = ::open(below(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -errno;
  const int result = answer(::fsync(directory));
  ::close(directory);
  return result;
}

int on_fallocate(const char* path, int mode, off_t offset, off_t bytes, fuse_file_info* info) {
  if (fails("fallocate", path)) return -fault.error;
  return answer(::fallocate(file_of(info), mode, offset, bytes));
}

int on_truncate(const char* path, off_t bytes, fuse_file_info* info) {
  return answer(info != nullptr ? ::ftruncate(file_of(info), bytes)
                                : ::truncate(below(path).c_str(), bytes));
}

int on_rename(const char* from, const char* to, unsigned flags) {
  return answer(::renameat2(AT_FDCWD, below(from).c_str(), AT_FDCWD, below(to).c_str(), flags));
}
int on_open(const char* path, fuse_file_info* info) {
  return open_below(path, info->flags, 0, info);
}
int on_release(const char*, fuse_file_info* info) { return answer(::close(file_of(info))); }
int on_unlink(const char* path) { return answer(::unlink(below(path).c_str())); }
int on_mkdir(const char* path, mode_t mode) { return answer(::mkdir(below(path).c_str(), mode)); }

const fuse_operations operations = [] {
  fuse_operations all{};
  all.init = on_init;
  all.getattr = on_getattr;
  all.readdir = on_readdir;
  all.open = on_open;
  all.create = on_create;
  all.read = on_read;
  all.write = on_write;
  all.fsync = on_fsync;
  all.fsyncdir = on_fsyncdir;
  all.fallocate = on_fallocate;
  all.truncate = on_truncate;
  all.rename = on_rename;
  all.release = on_release;
  all.unlink = on_unlink;
  all.mkdir = on_mkdir;
  return all;
}();

std::optional<Fault> parse(const std::string& line) {
  static const std::map<std::string, int> errors = {{"EIO", EIO}, {"ENOSPC", ENOSPC}};
  std::istringstream words(line);
  Fault wanted;
  std::string error;
  std::uint64_t number = 1;
  words >> wanted.operation;
  if (wanted.operation == "none") return Fault{};
  if (wanted.operation != "short") {
    words >> error;
    if (errors.count(error) == 0) return std::nullopt;
    wanted.error = errors.at(error);
  }
  words >> number;
  if (!words || number == 0) return std::nullopt;
  wanted.passes = number - 1;
  words >> wanted.text;
  return wanted;
}

/// False when there are no more lines.
bool take_lines(std::string& pending) {
  char bytes[4096];
  const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (count <= 0) return count < 0 && errno == EINTR;
  pending.append(bytes, static_cast<std::size_t>(count));
  for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
    const auto wanted = parse(pending.substr(0, end));
    pending.erase(0, end + 1);
    const std::uintmax_t dealt = fault.dealt;
    if (wanted) fault = *wanted;
    wanted ? std::printf("ok dealt=%ju\n", dealt) : std::printf("not understood\n");
  }
  return true;
}

void serve(fuse_session* session, int signals) {
  ::fcntl(fuse_session_fd(session), F_SETFL, O_NONBLOCK);
  std::string pending;
  fuse_buf request{};
  while (!fuse_session_exited(session)) {
    pollfd wanted[] = {{fuse_session_fd(session), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0},
                       {signals, POLLIN, 0}};
    if (::poll(wanted, 3, -1) < 0 && errno != EINTR) break;
    if (wanted[2].revents != 0) break;
    if (wanted[1].revents != 0 && !take_lines(pending)) break;
    const bool asked = wanted[0].revents != 0;
    const int bytes = asked ? fuse_session_receive_buf(session, &request) : 0;
    if (bytes > 0) fuse_session_process_buf(session, &request);
  }
  std::free(request.mem);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  backing = argv[1];
  ::umask(0);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  sigset_t ends{};
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  const int signals = ::signalfd(-1, &ends, SFD_CLOEXEC);
  fuse_args arguments = FUSE_ARGS_INIT(1, argv);
  fuse* const mounted = fuse_new(&arguments, &operations, sizeof operations, nullptr);
  if (mounted == nullptr || fuse_mount(mounted, argv[2]) != 0) {
    std::printf("cannot mount: %s\n", std::strerror(errno));
    return 1;
  }
  std::puts("ok");
  serve(fuse_get_session(mounted), signals);
  fuse_unmount(mounted);
  fuse_destroy(mounted);
  return 0;
}
