#include "reactor/uring_files.h"

#include <fcntl.h>

#include <cerrno>

#include "base/check.h"
#include "reactor/file_calls.h"

namespace quorate::reactor {

namespace {

/// IORING_OP_FTRUNCATE, which liburing 2.3 does not name yet.
constexpr int kOpTruncate = 55;

void prepare_buffers(io_uring_sqe* sqe, const Operation& operation) noexcept {
  const int fd = operation.file.file.id;
  const std::uint64_t offset = operation.file.offset;
  const iovec* first = operation.message.msg_iov;
  const auto count = static_cast<unsigned>(operation.message.msg_iovlen);
  const bool reads = operation.kind == Operation::Kind::read;
  if (count == 1) {
    const auto bytes = static_cast<unsigned>(first->iov_len);
    return reads ? io_uring_prep_read(sqe, fd, first->iov_base, bytes, offset)
                 : io_uring_prep_write(sqe, fd, first->iov_base, bytes, offset);
  }
  return reads ? io_uring_prep_readv(sqe, fd, first, count, offset)
               : io_uring_prep_writev(sqe, fd, first, count, offset);
}

void prepare_write(io_uring_sqe* sqe, const Operation& operation) noexcept {
  prepare_buffers(sqe, operation);
  if (!operation.file.durable) return;
  sqe->rw_flags = RWF_DSYNC;
  // Tried at submission, a write to the page cache could succeed at once, and some file systems
  // would then sync it there and then, on the loop's thread. Direct writes are told about later.
  if (!operation.file.direct) sqe->flags |= IOSQE_ASYNC;
}

void prepare_kind(io_uring_sqe* sqe, const Operation& operation) noexcept {
  const FileArguments& file = operation.file;
  const int fd = file.file.id;
  switch (operation.kind) {
    case Operation::Kind::open:
      return io_uring_prep_openat(sqe, AT_FDCWD, file.path, open_flags(file.mode, file.direct),
                                  FileCalls::kFileRights);
    case Operation::Kind::preallocate:
      return io_uring_prep_fallocate(sqe, fd, 0, static_cast<off_t>(file.offset),
                                     static_cast<off_t>(file.bytes));
    case Operation::Kind::read: return prepare_buffers(sqe, operation);
    case Operation::Kind::write: return prepare_write(sqe, operation);
    case Operation::Kind::sync:
      return io_uring_prep_fsync(sqe, fd,
                                 file.mode == OpenMode::directory ? 0u : IORING_FSYNC_DATASYNC);
    case Operation::Kind::truncate:
      return io_uring_prep_rw(kOpTruncate, sqe, fd, nullptr, 0, file.bytes);
    case Operation::Kind::rename:
      return io_uring_prep_renameat(sqe, AT_FDCWD, file.path, AT_FDCWD, file.new_path, 0);
    case Operation::Kind::remove: return io_uring_prep_unlinkat(sqe, AT_FDCWD, file.path, 0);
    default: UNREACHABLE();
  }
}

/// EINTR and its relatives, with which the kernel asks itself to make a system call again. A
/// cancelled request that had begun ends with them too, as nothing makes it again.
bool is_interruption(std::int32_t result) noexcept {
  constexpr std::int32_t kRestartFirst = 512;  // ERESTARTSYS
  constexpr std::int32_t kRestartLast = 516;   // ERESTART_RESTARTBLOCK
  return result == -EINTR || (result <= -kRestartFirst && result >= -kRestartLast);
}

}  // namespace

bool can_truncate(io_uring& ring) noexcept {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return false;
  const bool known = io_uring_opcode_supported(probe, kOpTruncate) != 0;
  io_uring_free_probe(probe);
  return known;
}

/// While an operation is in flight its `result` tells what has happened to it: -EAGAIN after an
/// attempt that was disturbed, or -ECANCELED once it was cancelled.
void prepare_file(io_uring_sqe* sqe, const Operation& operation) noexcept {
  prepare_kind(sqe, operation);
  if (operation.result == -EAGAIN) sqe->flags |= IOSQE_ASYNC;
}

bool must_repeat(Operation& operation, std::int32_t& result) noexcept {
  if (result != -EAGAIN && !is_interruption(result)) return false;
  if (operation.result == -ECANCELED) {
    result = -ECANCELED;
    return false;
  }
  // From an attempt that was allowed to wait, it is an answer.
  if (result == -EAGAIN && operation.result == -EAGAIN) return false;
  operation.result = -EAGAIN;
  return true;
}

void mark_cancelled(Operation& operation) noexcept { operation.result = -ECANCELED; }

}  // namespace quorate::reactor
