#pragma once

// Gives up segments that retention does not keep. In this order, so that a crash at any point
// leaves a log that recovery takes for what it is:
//  1. the owner drops them from its index, so that no reader begins one;
//  2. the owner saves metadata whose oldest_segment is the oldest that stays, and waits for it;
//  3. collect(): one at a time, their files are handed on to be used again, or removed, and then
//     the directory is synced.
// What a crash leaves of step 3 is behind oldest_segment. Recovery does not look at it, and start()
// of the next process has it removed.

#include <cstdint>
#include <string>
#include <vector>

#include "log/blocking_files.h"

namespace quorate::log {

class SegmentCollector {
 public:
  class Listener {
   public:
    /// True: the file is somebody else's from now on, see LogWriter::recycle(). Also called from
    /// within start() and collect().
    virtual bool on_segment_free(std::uint64_t number) {
      static_cast<void>(number);
      return false;
    }
    /// Every segment before this one was handed on, or is gone for certain.
    virtual void on_collected(std::uint64_t oldest) = 0;
    /// A file could not be removed. It harms nothing but takes space, and is tried again by the
    /// next collect().
    virtual void on_not_collected(const Error& error) = 0;
    /// The directory could not be synced: nothing is known about its entries any more, those of new
    /// segments included, so the log has ended. Final.
    virtual void on_collector_failed(const Error& error) = 0;

   protected:
    ~Listener() = default;
  };

  SegmentCollector(reactor::Files& files, std::string directory, Listener& listener);
  ~SegmentCollector();
  SegmentCollector(const SegmentCollector&) = delete;
  SegmentCollector& operator=(const SegmentCollector&) = delete;

  /// Once, at start-up: blocks while it looks for what was left over, and begins to remove it.
  Status start(std::uint64_t oldest);
  /// Metadata with that oldest_segment is durable.
  void collect(std::uint64_t oldest);
  /// Begins nothing more. What is in flight still ends: see idle().
  void stop() noexcept { stopped_ = true; }
  [[nodiscard]] bool idle() const noexcept { return !operation_.in_flight(); }
  [[nodiscard]] bool done() const noexcept { return idle() && free_.empty() && synced_; }

 private:
  enum class Step : std::uint8_t { open_directory, remove, sync };

  void pump();
  void next(Step step);
  void on_done(std::int32_t result);
  void on_refused(std::int32_t result);

  reactor::Files& files_;
  const std::string directory_;
  Listener& listener_;
  std::uint64_t oldest_ = 0;
  std::vector<std::uint64_t> free_;  ///< numbers, the youngest first
  std::string path_;
  reactor::File folder_;
  reactor::Operation operation_;
  Step step_ = Step::open_directory;
  bool synced_ = true;  ///< since the last collection
  bool stopped_ = false;
  bool failed_ = false;
};

}  // namespace quorate::log
