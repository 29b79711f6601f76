#pragma once

// Looks at the logs of a node's directory, or at that of one stream, as recovery would and without
// changing anything: a node may be running on them meanwhile.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/blocking_files.h"
#include "log/recovery.h"
#include "quorate/error.h"
#include "reactor/reactor.h"

namespace quorate::tools {

struct StreamPlace {
  std::string path;
  /// By the directory's name; none: only its metadata tells.
  std::optional<StreamId> stream;
};

/// Of a node's directory all streams, in order; of a stream's that one. `wanted`: only that stream.
Result<std::vector<StreamPlace>> find_streams(const std::string& directory,
                                              std::optional<StreamId> wanted);

struct SegmentFacts {
  enum class Role : std::uint8_t {
    begun,
    behind_cut,  ///< nothing in it counts: a later segment cuts the log before it
    spare,       ///< made ahead and not begun
    left_over,   ///< given up, and not gone yet
    unknown,     ///< in a fault or behind it
  };
  std::uint64_t number = 0;
  Role role = Role::unknown;
  Position first = 0;
  Position end = 0;
  std::uint64_t bytes = 0;  ///< of the file
  std::uint64_t units = 0;
  bool cuts = false;        ///< the log was cut where it begins
};
const char* to_string(SegmentFacts::Role role) noexcept;

struct StreamFacts {
  StreamPlace place;
  StreamId stream = 0;
  log::Metadata metadata;     ///< nothing of it counts when the identity is lost
  log::Recovered found;
  std::vector<SegmentFacts> segments;
  std::uint64_t disk_bytes = 0;  ///< that its files take
  std::uint64_t cut_copies = 0;  ///< files with the bytes of tails that were torn
};

/// What is told of a stream while its log is read.
class StreamVisitor : public log::FrameVisitor {
 public:
  /// What was told before does not count: a node gave segments up while they were read.
  virtual void on_begin() {}

 protected:
  ~StreamVisitor() = default;
};

class LogExaminer {
 public:
  static Result<LogExaminer> make();

  Result<StreamFacts> examine(const StreamPlace& place, StreamVisitor& visitor);

 private:
  explicit LogExaminer(std::unique_ptr<reactor::Reactor> reactor) : reactor_(std::move(reactor)) {}

  Result<StreamFacts> examine_once(const StreamPlace& place, StreamVisitor& visitor);
  [[nodiscard]] bool has_moved_on(const StreamFacts& facts);
  [[nodiscard]] std::optional<log::Metadata> metadata_of(const std::string& path);
  void turn();

  std::unique_ptr<reactor::Reactor> reactor_;
};

}  // namespace quorate::tools
