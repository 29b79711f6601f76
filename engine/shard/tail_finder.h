#pragma once

// Finds the frame with which a log may end when it is to be cut at a position: the last one that
// ends there or before. What comes behind it names it.

#include <functional>
#include <string>

#include "log/log_reader.h"

namespace quorate::shard {

class TailFinder final : private log::LogReader::Listener {
 public:
  /// Told once, from within a completion or from start().
  using Found = std::function<void(const Result<log::LogEnd>&)>;

  TailFinder(reactor::Files& files, const std::string& directory,
             const log::LogIdentity& identity, const log::SegmentIndex& index,
             std::uint32_t unit_bytes_max, Found found);

  /// `position` lies before the end of what is durable. The index does not change until found.
  void start(Position position);
  [[nodiscard]] bool idle() const noexcept { return reader_.idle(); }

 private:
  void on_readable() override;

  const log::SegmentIndex& index_;
  log::LogReader reader_;
  Found found_;
  Position position_ = 0;
};

}  // namespace quorate::shard
