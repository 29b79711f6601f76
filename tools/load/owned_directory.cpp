#include "tools/load/owned_directory.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace quorate::tools {

namespace {

namespace fs = std::filesystem;

/// The kernel takes an io_uring apart a moment after its process has ended, and until then a file
/// may still be made.
constexpr int kAttempts = 20;
constexpr std::chrono::milliseconds kBetweenAttempts{50};

Error cannot_make(const std::string& path) {
  const int number = errno;
  return {Errc::io, fmt::format("--directory: cannot make {}: {}", path, std::strerror(number)),
          number};
}

void remove_all(const std::string& path) {
  std::error_code error;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    fs::remove_all(path, error);
    if (!error) return;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
  fmt::print(stderr, "cannot remove {}: {}\n", path, error.message());
}

}  // namespace

Result<OwnedDirectory> OwnedDirectory::make_fresh(const std::string& parent, bool keep) {
  std::error_code error;
  const fs::path within = parent.empty() ? fs::temp_directory_path(error) : fs::path(parent);
  if (error) {
    return Error(Errc::io,
                 "--directory: found nothing, and nowhere for temporary files: " + error.message(),
                 error.value());
  }
  std::string path = (within / "quorate-load-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return cannot_make(path);
  return OwnedDirectory(std::move(path), keep);
}

Result<OwnedDirectory> OwnedDirectory::make_below(const std::string& name) const {
  std::string path = path_ + '/' + name;
  if (::mkdir(path.c_str(), S_IRWXU) != 0) return cannot_make(path);
  return OwnedDirectory(std::move(path), keep_);
}

OwnedDirectory::OwnedDirectory(OwnedDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}

OwnedDirectory::~OwnedDirectory() {
  if (!path_.empty() && !keep_) remove_all(path_);
}

bool lies_in_memory(const std::string& path) {
  struct statfs found {};
  if (::statfs(path.c_str(), &found) != 0) {
    const std::string parent = fs::path(path).parent_path().string();
    if (::statfs(parent.empty() ? "." : parent.c_str(), &found) != 0) return false;
  }
  return found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC;
}

}  // namespace quorate::tools
