#pragma once

// A few operations on files, one after the other, without blocking the loop: the plan is made, then
// run() does it and says how it ended. The first failure ends it. Used on one loop.

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <span>
#include <string>

#include "log/file_error.h"
#include "quorate/error.h"
#include "reactor/files.h"

namespace quorate::shard {

class FileSteps {
 public:
  explicit FileSteps(reactor::Files& files);
  ~FileSteps();
  FileSteps(const FileSteps&) = delete;
  FileSteps& operator=(const FileSteps&) = delete;

  // The plan. What is opened stays open until the plan closes it or somebody takes it.

  FileSteps& remove(std::string path);  ///< one that is not there is as good as removed
  FileSteps& open(std::string path, reactor::OpenMode mode);
  /// All of it at the beginning of the open file; the bytes live until the end.
  FileSteps& write(std::span<const std::byte> bytes);
  FileSteps& sync();
  FileSteps& close();
  FileSteps& rename(std::string from, std::string to);
  FileSteps& sync_directory(std::string path);

  /// `ended` is called once, from within a completion or from here. `result`: of the step that
  /// failed, a negated errno.
  using Ended = std::function<void(const Status& status, std::int32_t result)>;
  void run(Ended ended);
  [[nodiscard]] bool idle() const noexcept { return !operation_.in_flight(); }
  [[nodiscard]] reactor::File take_file() noexcept;

 private:
  enum class Kind : std::uint8_t { remove, open, write, sync, close, rename };
  struct Step {
    Kind kind = Kind::close;
    std::string path;
    std::string to;
    reactor::OpenMode mode = reactor::OpenMode::read;
    std::span<const std::byte> bytes;
  };

  FileSteps& add(Step step);
  void next();
  void start(const Step& step);
  void on_done(std::int32_t result);
  void end(const Status& status, std::int32_t result);
  void close_file() noexcept;

  reactor::Files& files_;
  std::deque<Step> steps_;
  Ended ended_;
  reactor::File file_;
  std::string path_;  ///< of the open file
  std::size_t written_ = 0;
  iovec vector_{};
  reactor::Operation operation_;
};

}  // namespace quorate::shard
