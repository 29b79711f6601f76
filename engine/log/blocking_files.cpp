#include "log/blocking_files.h"

#include <algorithm>
#include <cerrno>

#include "log/format.h"

namespace quorate::log {

namespace {

using reactor::OpenMode;
using reactor::Operation;

constexpr std::size_t kChunkBytes = 1u << 20;
constexpr std::size_t kChunksMax = 64;  ///< of one read; all are in flight
constexpr int kReadTries = 3;           ///< reading again harms nothing

/// Fewer bytes than asked for are continued block by block, as direct access wants it.
std::size_t whole_blocks(std::int32_t result) {
  return static_cast<std::size_t>(result) / kBlockBytes * kBlockBytes;
}

}  // namespace

template <typename Start>
std::int32_t BlockingFiles::run(const Start& start) {
  Operation operation;
  operation.complete = [](Operation& done, std::int32_t result) { done.result = result; };
  start(operation);
  while (operation.in_flight()) turn_();
  return operation.result;
}

Result<NamedFile> BlockingFiles::open(const std::string& path, OpenMode mode) {
  const bool wants_direct = mode != OpenMode::directory;
  std::int32_t id = run([&](Operation& op) { files_.open(op, path.c_str(), mode, wants_direct); });
  if (id >= 0) return NamedFile{reactor::File{id}, path, wants_direct};
  if (id != -EINVAL || !wants_direct) return file_error("open", path, id);
  // Some file systems make the entry before they refuse.
  const OpenMode again = mode == OpenMode::create ? OpenMode::write : mode;
  id = run([&](Operation& op) { files_.open(op, path.c_str(), again, false); });
  if (id == -ENOENT) id = run([&](Operation& op) { files_.open(op, path.c_str(), mode, false); });
  if (id < 0) return file_error("open", path, id);
  return NamedFile{reactor::File{id}, path, false};
}

Status BlockingFiles::preallocate(const NamedFile& file, std::uint64_t bytes) {
  const std::int32_t result =
      run([&](Operation& op) { files_.preallocate(op, file.file, 0, bytes); });
  // Writing zeros takes the space where it cannot be reserved.
  if (result == 0 || result == -EOPNOTSUPP) return Done{};
  return file_error("preallocation", file.path, result);
}

std::int32_t BlockingFiles::read_part(const NamedFile& file, std::span<std::byte> out,
                                      std::uint64_t offset) {
  std::int32_t result = 0;
  for (int i = 0; i < kReadTries; ++i) {
    const iovec vector{out.data(), out.size()};
    result = run([&](Operation& op) { files_.read(op, file.file, {&vector, 1}, offset); });
    if (result >= 0) break;
  }
  return result;
}

/// Slowly, to find out how far the file can be read.
std::uint64_t BlockingFiles::read_blocks(const NamedFile& file, std::span<std::byte> out,
                                         std::uint64_t base, Error& error) {
  std::uint64_t got = 0;
  while (got < out.size()) {
    const std::size_t bytes = std::min<std::size_t>(kBlockBytes, out.size() - got);
    const std::int32_t result = read_part(file, out.subspan(got, bytes), base + got);
    if (result < 0) error = file_error("read", file.path, result);
    if (result <= 0) break;
    // What is not a multiple of blocks, direct access cannot continue; it is read again instead.
    const bool end_of_file = result % static_cast<std::int32_t>(kBlockBytes) != 0;
    if (end_of_file && file.direct) break;
    got += static_cast<std::uint64_t>(result);
  }
  return got;
}

std::uint64_t BlockingFiles::read(const NamedFile& file, std::span<std::byte> out, Error& error,
                                  std::uint64_t base) {
  FileRead read;
  start_read(read, file, out, base);
  return finish_read(read, file, error);
}

void BlockingFiles::start_read(FileRead& read, const NamedFile& file, std::span<std::byte> out,
                               std::uint64_t base) {
  const std::uint64_t least = blocks_up((out.size() + kChunksMax - 1) / kChunksMax);
  const std::size_t each = std::max<std::uint64_t>(kChunkBytes, least);
  read.base_ = base;
  read.chunks_ = std::vector<FileRead::Chunk>((out.size() + each - 1) / each);
  for (FileRead::Chunk& chunk : read.chunks_) {
    chunk.vector = {out.data(), std::min(each, out.size())};
    chunk.operation.complete = [](Operation& done, std::int32_t result) { done.result = result; };
    files_.read(chunk.operation, file.file, {&chunk.vector, 1}, base);
    out = out.subspan(chunk.vector.iov_len);
    base += chunk.vector.iov_len;
  }
  // A loop hands over what was started when it turns.
  if (!read.chunks_.empty()) turn_();
}

std::uint64_t BlockingFiles::finish_read(FileRead& read, const NamedFile& file, Error& error) {
  for (const FileRead::Chunk& chunk : read.chunks_) {
    while (chunk.operation.in_flight()) turn_();
  }
  std::uint64_t got = 0;
  for (const FileRead::Chunk& chunk : read.chunks_) {
    const std::size_t bytes = chunk.vector.iov_len;
    if (chunk.operation.result != static_cast<std::int32_t>(bytes)) {
      const std::span<std::byte> out(static_cast<std::byte*>(chunk.vector.iov_base), bytes);
      const std::uint64_t slowly = read_blocks(file, out, read.base_ + got, error);
      if (slowly < bytes) return got + slowly;
    }
    got += bytes;
  }
  return got;
}

Status BlockingFiles::write(const NamedFile& file, std::span<const std::byte> bytes,
                            std::uint64_t offset) {
  while (!bytes.empty()) {
    const iovec vector{const_cast<std::byte*>(bytes.data()),
                       std::min<std::size_t>(bytes.size(), kChunkBytes)};
    const std::int32_t result =
        run([&](Operation& op) { files_.write(op, file.file, {&vector, 1}, offset, true); });
    if (result <= 0) return file_error("write", file.path, result);
    const std::size_t done = static_cast<std::size_t>(result) == vector.iov_len
                                 ? vector.iov_len
                                 : whole_blocks(result);
    if (done == 0) return file_error("write", file.path, 0);
    bytes = bytes.subspan(done);
    offset += done;
  }
  return Done{};
}

Status BlockingFiles::sync(const NamedFile& file) {
  const std::int32_t result = run([&](Operation& op) { files_.sync(op, file.file); });
  if (result < 0) return file_error("sync", file.path, result);
  return Done{};
}

Status BlockingFiles::rename(const std::string& from, const std::string& to) {
  const std::int32_t result =
      run([&](Operation& op) { files_.rename(op, from.c_str(), to.c_str()); });
  if (result < 0) return file_error("rename", from, result);
  return Done{};
}

Status BlockingFiles::remove(const std::string& path) {
  const std::int32_t result = run([&](Operation& op) { files_.remove(op, path.c_str()); });
  if (result < 0) return file_error("removal", path, result);
  return Done{};
}

Status BlockingFiles::sync_directory(const std::string& path) {
  Result<NamedFile> directory = open(path, OpenMode::directory);
  if (!directory) return directory.error();
  const Status synced = sync(*directory);
  close(*directory);
  return synced;
}

void BlockingFiles::close(NamedFile& file) noexcept {
  if (file.file.valid()) files_.close(file.file);
  file.file = reactor::File{};
}

}  // namespace quorate::log
