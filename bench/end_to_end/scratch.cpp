#include "bench/end_to_end/scratch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace quorate::bench {
namespace {

constexpr int kRemovals = 20;  ///< processes of a run that was killed may still be making files

[[noreturn]] void remove_at_end(int lifeline, const std::string& path) {
  // Out of reach of Ctrl-C, which goes to everybody in the terminal's group.
  ::setsid();
  char byte = 0;
  while (::read(lifeline, &byte, 1) != 0 && errno == EINTR) {
  }
  for (int i = 0; i < kRemovals; ++i) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (!error && !std::filesystem::exists(path, error)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  std::_Exit(0);
}

}  // namespace

Result<Scratch> Scratch::make(const std::string& parent) {
  std::string path = parent + "/quorate-bench-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return Error(Errc::io, "--directory " + parent + ": " + std::strerror(errno), errno);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error(Errc::io, "pipe2", errno);
  const pid_t remover = ::fork();
  if (remover < 0) return Error(Errc::io, "fork", errno);
  if (remover == 0) {
    ::close(ends[1]);
    remove_at_end(ends[0], path);
  }
  ::close(ends[0]);
  return Scratch(path, remover, ends[1]);
}

Scratch::Scratch(Scratch&& other) noexcept
    : path_(std::move(other.path_)),
      remover_(std::exchange(other.remover_, -1)),
      lifeline_(std::exchange(other.lifeline_, -1)),
      made_(other.made_) {}

Scratch::~Scratch() {
  if (remover_ < 0) return;
  ::close(lifeline_);
  ::waitpid(remover_, nullptr, 0);
}

std::string Scratch::fresh() {
  const std::string path = path_ + '/' + std::to_string(++made_);
  std::error_code error;
  std::filesystem::create_directory(path, error);
  return path;
}

void Scratch::clear(const std::string& directory) const {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  const int fd = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  // What the file system does about removed files would disturb the next round.
  ::syncfs(fd);
  ::close(fd);
}

std::string default_parent() {
  std::error_code error;
  return std::filesystem::temp_directory_path(error).string();
}

Result<std::uint64_t> free_bytes(const std::string& directory) {
  std::error_code error;
  const auto space = std::filesystem::space(directory, error);
  if (error) return Error(Errc::io, "--directory " + directory + ": " + error.message());
  return std::uint64_t{space.available};
}

}  // namespace quorate::bench
