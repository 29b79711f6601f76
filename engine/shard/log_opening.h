#pragma once

// Opens the logs of a node's streams, before its loops work on them: recovers each, says what was
// found, and makes what is to be remembered durable. Blocks, on a reactor of its own.

#include <memory>
#include <string>
#include <vector>

#include "log/directory_lock.h"
#include "log/recovery.h"
#include "log/retention.h"
#include "quorate/options.h"
#include "reactor/reactor.h"
#include "shard/snapshot_files.h"

namespace quorate::shard {

/// One stream's log as it was found.
struct OpenedLog {
  std::string directory;  ///< of this stream
  StorageOptions storage;
  log::RetentionLimits retention;
  log::Metadata metadata;
  log::Recovered found;
  FoundSnapshots snapshots;  ///< of a replica that takes them
};

/// What the writer of a stream's log is given. `frame_bytes_max`: record bytes of a frame.
log::LogOptions log_options(const StorageOptions& storage, std::uint64_t frame_bytes_max);

class LogOpening {
 public:
  LogOpening(std::unique_ptr<reactor::Reactor> reactor, const StorageOptions& storage);

  /// The directory of a node exists afterwards, and is this process's while the lock lives. One
  /// that another node of this or another cluster wrote is refused: a copy of a directory would
  /// promise what the original may break.
  Result<log::DirectoryLock> open_node(const std::string& directory, const std::string& cluster,
                                       const std::string& name);
  /// How many streams have a log in it: those numbered from 0 without a gap.
  Result<std::uint32_t> count_streams(const std::string& directory);
  /// Makes the log if there is none. An error says what is wrong with it and what can be done.
  Result<OpenedLog> open_stream(const std::string& directory, StreamId stream);
  /// Of a replica that takes snapshots: what there is of them.
  Status find_snapshots(OpenedLog& opened, StreamId stream);
  /// The log is going to be written by a reign of `epoch`, or follows one: durable when it returns.
  Status begin(OpenedLog& opened, const Epoch& epoch);

 private:
  reactor::Files& files() noexcept { return reactor_->files(); }
  void turn();
  Status save(OpenedLog& opened, const log::Metadata& metadata);
  Status sign(const std::string& directory, const std::string& owner);

  std::unique_ptr<reactor::Reactor> reactor_;
  StorageOptions storage_;
  log::BlockingFiles blocking_;
};

}  // namespace quorate::shard
