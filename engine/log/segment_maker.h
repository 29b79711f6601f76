#pragma once

// Makes the next segment ahead of its use: space taken, written with zeros as far as that pays,
// synced, named, its entry durable. A full disk is met here, before a frame has been taken, where
// it can be waited for. A durable write over zeros is one write and nothing else; without them the
// file system also has to remember that something was written there. To small writes that adds
// more than half of their time, to large ones less than writing everything twice would cost.
//
// A segment that retention has given up has all this but its name, and is renamed instead: old
// name, draft, new name, directory synced. Until its header is written it has the old one, and
// behind that the old units; both name the old number, so recovery takes nothing of them for the
// new segment's. A crash leaves the old name (which metadata no longer counts), a draft, or a
// segment that was made and not begun, each of which the next start clears.
//
// Zeros are written in step with small writes into the segment before, so that they take no more of
// the disk than they must, and a file to be used again that comes late still spares the rest.

#include <cstdint>
#include <string>
#include <vector>

#include "log/aligned_buffer.h"
#include "log/blocking_files.h"
#include "log/segment_scan.h"

namespace quorate::log {

[[nodiscard]] std::string segment_path(const std::string& directory, std::uint64_t number);
/// 0: not the name of a segment.
[[nodiscard]] std::uint64_t segment_number(const std::string& name);

class SegmentMaker {
 public:
  struct Listener {
    virtual void on_segment_made() = 0;
    /// Nothing is wrong but space; try_again() when there may be some.
    virtual void on_segment_no_space(const Error& error) = 0;
    virtual void on_segment_failed(const Error& error) = 0;

   protected:
    ~Listener() = default;
  };
  enum class State : std::uint8_t { idle, working, no_space, made, failed };
  static constexpr std::size_t kOldMax = 2;  ///< segments that wait to be used again

  SegmentMaker(reactor::Files& files, std::string directory, std::uint64_t segment_bytes,
               bool direct, const LogIdentity& identity, Listener& listener);
  ~SegmentMaker();
  SegmentMaker(const SegmentMaker&) = delete;
  SegmentMaker& operator=(const SegmentMaker&) = delete;

  /// Takes the place of a segment of that number that was made and never used. No zeros are written
  /// that are not allowed.
  void make(std::uint64_t number);
  /// Zeros may be written up to that offset; a make() takes back what was allowed before.
  void allow(std::uint64_t bytes);
  /// It is needed soon: no zeros any more.
  void finish();
  void try_again();
  /// A finished segment that metadata no longer counts. True: its file is this maker's from now on,
  /// to be renamed, or removed if it does not fit. False: enough are waiting.
  bool offer(std::uint64_t number);
  /// Begins nothing more; ends soon.
  void stop() noexcept { stopping_ = true; }
  /// The caller closes it. Only when made.
  NamedFile take();

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] bool in_flight() const noexcept { return operation_.in_flight(); }

 private:
  enum class Step : std::uint8_t {
    open_directory,
    open_old,
    check_old,
    rename_old,
    drop_old,  ///< it is not what it should be
    create,
    clear,  ///< something of that name is left over
    preallocate,
    zero,
    sync,
    rename,
    sync_directory,
    give_up,  ///< for want of space: the draft is removed
  };

  void begin();
  void next(Step step);
  void on_step(std::int32_t result);
  void on_done(std::int32_t result);
  void on_refused(std::int32_t result);
  bool on_old_refused(std::int32_t result);
  [[nodiscard]] bool old_fits(std::int32_t result) const;
  void zero();
  void leave_draft();
  void drop_draft();
  void lack_space();

  reactor::Files& files_;
  const std::string directory_;
  const std::string draft_;
  const std::uint64_t segment_bytes_;
  const LogIdentity identity_;
  Listener& listener_;
  bool direct_;
  bool stopping_ = false;
  State state_ = State::idle;
  Step step_ = Step::open_directory;
  std::uint64_t number_ = 0;
  std::uint64_t zeroed_ = 0;
  std::uint64_t allowed_ = 0;  ///< zeros
  bool waiting_ = false;       ///< for more to be allowed
  bool finishing_ = false;
  std::string path_;
  std::vector<std::uint64_t> old_;  ///< numbers of segments to use again
  std::uint64_t old_number_ = 0;    ///< of the one in hand
  std::string old_path_;
  AlignedBuffer old_block_{kBlockBytes};
  reactor::File file_;
  reactor::File folder_;
  AlignedBuffer zeros_;
  iovec vector_{};
  reactor::Operation operation_;
  Error no_space_;
};

}  // namespace quorate::log
