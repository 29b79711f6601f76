#include "tests/simulation/system/disk_checks.h"

#include <cerrno>
#include <limits>
#include <span>

#include "reactor/files.h"

namespace quorate::simulation {

namespace {

using reactor::OpenMode;
using reactor::Operation;
using Kind = Operation::Kind;

std::span<const iovec> buffers_of(const Operation& operation) noexcept {
  return {operation.message.msg_iov, operation.message.msg_iovlen};
}

bool aligned(std::uint64_t value) noexcept {
  return value % reactor::Files::kDirectAlignment == 0;
}

bool aligned(const Operation& operation) noexcept {
  if (!aligned(operation.file.offset)) return false;
  for (const iovec& buffer : buffers_of(operation)) {
    if (!aligned(reinterpret_cast<std::uintptr_t>(buffer.iov_base))) return false;
    if (!aligned(buffer.iov_len)) return false;
  }
  return true;
}

bool writable(OpenMode mode) noexcept {
  return mode == OpenMode::write || mode == OpenMode::create;
}

std::int32_t check_range(const Operation& operation) noexcept {
  constexpr std::uint64_t kLimit = std::numeric_limits<std::int64_t>::max() / 2;
  const reactor::FileArguments& file = operation.file;
  if (file.offset > kLimit) return -EINVAL;
  if (file.bytes > kLimit) return operation.kind == Kind::read ? -EINVAL : -EFBIG;
  return 0;
}

std::int32_t check_transfer(const Operation& operation, const DiskFile& file) noexcept {
  if (operation.kind == Kind::write && !writable(operation.file.mode)) return -EBADF;
  if (operation.kind == Kind::read && file.directory()) return -EISDIR;
  return operation.file.direct && !aligned(operation) ? -EINVAL : 0;
}

}  // namespace

std::size_t bytes_of(const Operation& operation) noexcept {
  std::size_t bytes = 0;
  for (const iovec& buffer : buffers_of(operation)) bytes += buffer.iov_len;
  return bytes;
}

std::int32_t check(const Operation& operation, const DiskFile* file) noexcept {
  const Kind kind = operation.kind;
  if (kind == Kind::open || kind == Kind::rename || kind == Kind::remove) return 0;
  if (file == nullptr) return -EBADF;
  if (const std::int32_t bad = check_range(operation); bad < 0) return bad;
  switch (kind) {
    case Kind::read:
    case Kind::write: return check_transfer(operation, *file);
    case Kind::preallocate:
      if (!writable(operation.file.mode)) return -EBADF;
      return operation.file.bytes == 0 ? -EINVAL : 0;
    case Kind::truncate: return writable(operation.file.mode) ? 0 : -EINVAL;
    default: return 0;
  }
}

}  // namespace quorate::simulation
