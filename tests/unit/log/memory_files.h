#pragma once

// Files in memory that can only be read, for tests that recover one directory very often, or from
// a disk with places that cannot be read.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "reactor/completion_queue.h"
#include "reactor/files.h"

namespace quorate::log {

class MemoryFiles final : public reactor::Files {
 public:
  /// By path; to be changed between two recoveries.
  std::map<std::string, std::vector<std::byte>> content;
  std::map<std::string, std::uint64_t> bytes_read;  ///< by path
  /// A read that touches it answers EIO; no path: none is.
  struct Unreadable {
    std::string path;
    std::uint64_t from = 0;
    std::uint64_t bytes = 0;
  } unreadable;

  /// Completes what was started.
  void turn() { completed_.deliver(); }

  void open(reactor::Operation& operation, const char* path, reactor::OpenMode mode,
            bool) override {
    const auto found = content.find(path);
    const bool known = found != content.end() || mode == reactor::OpenMode::directory;
    if (known) opened_.push_back({path, found != content.end() ? &found->second : nullptr});
    done(operation, known ? static_cast<std::int32_t>(opened_.size() - 1) : -ENOENT);
  }
  void read(reactor::Operation& operation, reactor::File file, std::span<const iovec> buffers,
            std::uint64_t offset) override {
    const Opened& opened = opened_[static_cast<std::size_t>(file.id)];
    const std::vector<std::byte>& bytes = *opened.bytes;
    std::uint64_t count = 0;
    if (refuses(opened.path, buffers, offset)) return done(operation, -EIO);
    for (const iovec& buffer : buffers) {
      const std::uint64_t at = std::min<std::uint64_t>(offset + count, bytes.size());
      const std::size_t part = std::min<std::uint64_t>(buffer.iov_len, bytes.size() - at);
      std::memcpy(buffer.iov_base, bytes.data() + at, part);
      count += part;
    }
    bytes_read[opened.path] += count;
    done(operation, static_cast<std::int32_t>(count));
  }
  void close(reactor::File) noexcept override {
    if (++closed_ < opened_.size()) return;
    opened_.clear();
    closed_ = 0;
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::vector<std::string> names;
    for (const auto& [path, bytes] : content) names.push_back(path.substr(directory.size() + 1));
    return names;
  }
  Result<std::uint64_t> size(reactor::File file) override {
    return std::uint64_t{opened_[static_cast<std::size_t>(file.id)].bytes->size()};
  }

  void sync(reactor::Operation& operation, reactor::File) override { done(operation, 0); }

  // Nothing that only reads a log does any of these.
  void preallocate(reactor::Operation&, reactor::File, std::uint64_t, std::uint64_t) override {
    UNREACHABLE();
  }
  void write(reactor::Operation&, reactor::File, std::span<const iovec>, std::uint64_t,
             bool) override {
    UNREACHABLE();
  }
  void truncate(reactor::Operation&, reactor::File, std::uint64_t) override { UNREACHABLE(); }
  void rename(reactor::Operation&, const char*, const char*) override { UNREACHABLE(); }
  void remove(reactor::Operation&, const char*) override { UNREACHABLE(); }
  Status make_directory(const std::string&) override { UNREACHABLE(); }

 private:
  [[nodiscard]] bool refuses(const std::string& path, std::span<const iovec> buffers,
                             std::uint64_t offset) const {
    std::uint64_t bytes = 0;
    for (const iovec& buffer : buffers) bytes += buffer.iov_len;
    return path == unreadable.path && offset < unreadable.from + unreadable.bytes &&
           unreadable.from < offset + bytes;
  }
  void done(reactor::Operation& operation, std::int32_t result) {
    operation.state = reactor::Operation::State::started;
    completed_.push(operation, result);
  }

  struct Opened {
    std::string path;
    const std::vector<std::byte>* bytes = nullptr;
  };
  std::vector<Opened> opened_;
  std::size_t closed_ = 0;
  reactor::CompletionQueue completed_;
};

}  // namespace quorate::log
