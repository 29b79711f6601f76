// What each operation does to files and entries, when nothing is in its way.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tests/simulation/system/disk.h"
#include "tests/simulation/system/disk_checks.h"
#include "tests/simulation/system/simulated_files.h"

namespace quorate::simulation {

using reactor::OpenMode;
using reactor::Operation;
using Kind = Operation::Kind;

std::int32_t Disk::act(Request& request) {
  const reactor::FileArguments& file = request.operation->file;
  switch (request.operation->kind) {
    case Kind::open: return open(request);
    case Kind::preallocate: return preallocate(request);
    case Kind::read: return read(request);
    case Kind::write: return write(request);
    case Kind::sync: return sync(request);
    case Kind::truncate: request.file->truncate(file.bytes, ++number_); return 0;
    case Kind::rename: return names_.rename(file.path, file.new_path, ++number_);
    case Kind::remove: return names_.remove(file.path, ++number_);
    default: UNREACHABLE();
  }
}

std::int32_t Disk::open(Request& request) {
  const reactor::FileArguments& arguments = request.operation->file;
  std::shared_ptr<DiskFile> file;
  if (arguments.mode == OpenMode::create) {
    if (const std::int32_t refused = names_.can_make(arguments.path); refused < 0) return refused;
    file = std::make_shared<DiskFile>(false);
    names_.make(arguments.path, file, ++number_);
  } else {
    file = names_.find(arguments.path);
    if (file == nullptr) return names_.missing(arguments.path);
    if (arguments.mode == OpenMode::directory && !file->directory()) return -ENOTDIR;
    if (arguments.mode == OpenMode::write && file->directory()) return -EISDIR;
  }
  return request.client->add({std::move(file), arguments.mode, arguments.direct});
}

std::size_t Disk::shortened(std::size_t bytes, bool direct) {
  const std::size_t unit = direct ? reactor::Files::kDirectAlignment : 1;
  if (bytes <= unit || !happens(law.short_results)) return bytes;
  ++counts_.short_results;
  const auto most = static_cast<std::int64_t>((bytes - 1) / unit);
  return unit * static_cast<std::size_t>(draw_.between(1, most));
}

std::int32_t Disk::read(Request& request) {
  const Operation& operation = *request.operation;
  std::uint64_t offset = operation.file.offset;
  const std::uint64_t size = request.file->size();
  if (offset >= size) return 0;
  const std::size_t there = static_cast<std::size_t>(
      std::min<std::uint64_t>(bytes_of(operation), size - offset));
  const std::size_t bytes = shortened(there, operation.file.direct);
  std::size_t left = bytes;
  for (std::size_t i = 0; left > 0; ++i) {
    const iovec& buffer = operation.message.msg_iov[i];
    const std::size_t part = std::min(left, buffer.iov_len);
    request.file->read(offset, {static_cast<std::byte*>(buffer.iov_base), part},
                       operation.file.direct);
    offset += part;
    left -= part;
  }
  return static_cast<std::int32_t>(bytes);
}

std::int32_t Disk::write(Request& request) {
  const Operation& operation = *request.operation;
  const reactor::FileArguments& file = operation.file;
  std::size_t bytes = bytes_of(operation);
  if (bytes == 0) return 0;
  const std::uint64_t room = room_until(*request.file);
  if (room < file.offset + bytes) ++counts_.full;
  if (room <= file.offset) return -ENOSPC;
  bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, room - file.offset));
  bytes = shortened(bytes, file.direct);
  std::vector<std::byte> content;
  content.reserve(bytes);
  for (std::size_t i = 0; content.size() < bytes; ++i) {
    const iovec& buffer = operation.message.msg_iov[i];
    const auto* begin = static_cast<const std::byte*>(buffer.iov_base);
    content.insert(content.end(), begin,
                   begin + std::min(buffer.iov_len, bytes - content.size()));
  }
  request.number = ++number_;
  request.file->write(file.offset, content, request.number,
                      draw_detour(*request.file, file.offset));
  if (file.durable) request.file->keep(request.number);
  return static_cast<std::int32_t>(bytes);
}

std::int32_t Disk::preallocate(Request& request) {
  const reactor::FileArguments& file = request.operation->file;
  const std::uint64_t end = file.offset + file.bytes;
  if (room_until(*request.file) < end) {
    ++counts_.full;
    return -ENOSPC;
  }
  request.file->preallocate(end, ++number_);
  return 0;
}

std::int32_t Disk::sync(Request& request) {
  if (request.file->directory()) {
    names_.sync(*request.file, request.start);
  } else {
    request.file->sync(request.start);
  }
  return 0;
}

std::uint64_t Disk::room_until(const DiskFile& file) {
  if (law.capacity_bytes == 0) return ~std::uint64_t{0};
  std::uint64_t others = 0;
  for (const auto& [path, each] : names_.entries()) {
    if (each.get() != &file) others += each->space();
  }
  const std::uint64_t left = law.capacity_bytes - std::min(law.capacity_bytes, others);
  return std::max(file.space(), left / kBlockBytes * kBlockBytes);
}

}  // namespace quorate::simulation
