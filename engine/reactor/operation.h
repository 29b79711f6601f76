#pragma once

// One operation in flight: what sockets and files of every backend have in common.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

namespace quorate::reactor {

struct Socket {
  int id = -1;
  [[nodiscard]] bool valid() const { return id >= 0; }
  friend constexpr bool operator==(Socket, Socket) = default;
};

/// An open file or directory.
struct File {
  int id = -1;
  [[nodiscard]] bool valid() const { return id >= 0; }
  friend constexpr bool operator==(File, File) = default;
};

enum class OpenMode : std::uint8_t {
  read,
  write,      ///< read and write; must exist
  create,     ///< read and write; must not exist
  directory,  ///< to sync what was created, renamed and removed in it
};

/// An endpoint as the operating system takes it.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// What file operations need besides buffers, which are in Operation::message. Paths are the
/// caller's and live until the operation completes.
struct FileArguments {
  File file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  const char* path = nullptr;
  const char* new_path = nullptr;
  OpenMode mode = OpenMode::read;
  bool direct = false;   ///< open: past the page cache
  bool durable = false;  ///< write: as if synced
};

/// One operation in flight. Owned by the caller, which must not move or destroy it until complete
/// has been called. `owner` is the caller's; everything under "backend" is the reactor's.
struct Operation {
  /// `result`: bytes moved (0 from receive: the peer ended its stream; 0 from read: the end of the
  /// file), a new id for accept, connect and open, 0 from what only succeeds, or a negated errno.
  using Complete = void (*)(Operation& operation, std::int32_t result);

  Complete complete = nullptr;
  void* owner = nullptr;

  [[nodiscard]] bool in_flight() const { return state != State::idle; }

  // backend
  enum class Kind : std::uint8_t {
    accept,
    connect,
    receive,
    send,
    open,
    preallocate,
    read,
    write,
    sync,
    truncate,
    rename,
    remove,
  };
  enum class State : std::uint8_t { idle, started, done };
  static constexpr std::size_t kVectorsMax = 128;     ///< iovecs of one operation
  static constexpr std::size_t kBytesMax = 1u << 30;  ///< of one operation: a result must fit

  Kind kind = Kind::accept;
  State state = State::idle;
  std::int32_t result = 0;
  Socket socket;
  msghdr message{};
  Address address;
  FileArguments file;
  Operation* next = nullptr;
};

}  // namespace quorate::reactor
