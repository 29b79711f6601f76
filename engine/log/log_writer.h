#pragma once

// Writes frames to the segments of one stream's log and tells how far they are durable. Driver of
// WriteMachine. The bytes of a frame are copied into an aligned buffer when it is taken, so its
// space in the ring is not pinned by the disk. After start() nothing is allocated but the names of
// segments, until an error.
//
// The first error of a write or a sync ends the log: nothing counts as durable any more that was
// not reported before. A sync that is tried again proves nothing, so none is. Want of space for the
// next segment passes, as hold() does: frames are refused meanwhile, and nothing of them is taken.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "log/aligned_buffer.h"
#include "log/blocking_files.h"
#include "log/segment_index.h"
#include "log/segment_maker.h"
#include "log/segment_scan.h"
#include "log/write_machine.h"

namespace quorate::log {

struct LogOptions {
  LogLimits limits;
  bool direct = true;  ///< false: through the page cache, with syncs
};

/// Where writing goes on, as recovery found it. Before that, kClosed is taken out of the metadata:
/// from then on the end may be torn.
///
/// To cut the log, `end` is put back to the end of an earlier frame and `cut` is set. Before that,
/// known_durable in the metadata is lowered to that position. Writing goes on in a new segment that
/// says so, and nothing old is touched: a crash leaves either the log before the cut or the one
/// after it, and it is cut for certain once the writer is ready.
///
/// To begin the log anew, at a position that it need not reach, `end` is what ends there and `anew`
/// is set. A crash leaves either the old log or the new one, which has nothing yet. Nothing is
/// appended, and nothing told, until the writer is ready and then metadata has been saved with the
/// number of the new segment as oldest_segment.
struct WriteStart {
  LogIdentity identity;
  LogEnd end;
  std::uint64_t segment = 0;  ///< the last one that has a header; 0: none
  std::uint64_t offset = 0;   ///< in it
  SegmentHeader header;       ///< its header
  std::uint64_t last_segment = 0;  ///< the greatest number there is, readable or not; 0: none
  bool cut = false;
  bool anew = false;  ///< not with cut

  /// Writing goes on in a segment of its own, behind all numbers there are.
  [[nodiscard]] bool parts() const noexcept { return cut || anew; }
};

class LogWriter final : private SegmentMaker::Listener {
 public:
  /// Told from within completions.
  class Listener {
   public:
    virtual void on_durable(Position durable) = 0;
    /// The log has ended.
    virtual void on_log_failed(const Error& error) = 0;
    /// A full disk was met, or is no longer: error.text is empty then.
    virtual void on_log_space(const Error& error) { static_cast<void>(error); }
    /// For the index: units in order, each before on_durable() counts it, and a segment before its
    /// first unit. Neither may append.
    virtual void on_unit_durable(const DurableUnit& unit) { static_cast<void>(unit); }
    virtual void on_segment_begun(const SegmentHeader& header) { static_cast<void>(header); }

   protected:
    ~Listener() = default;
  };
  enum class State : std::uint8_t { starting, ready, no_space, failed };

  LogWriter(reactor::Files& files, const std::string& directory, const LogOptions& options,
            const WriteStart& start, Listener& listener);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void start();
  /// `pieces`: header, prefix and records of one frame, which follows the one before. Anything but
  /// taken: nothing was taken.
  Admission append(const wire::FrameHeader& header,
                   std::span<const std::span<const std::byte>> pieces);
  /// Once a turn, behind all appends: lets a unit go that needs not wait to grow.
  void flush(Instant now);
  /// Looks for space again. About once a second while state() is no_space.
  void try_again() { maker_.try_again(); }
  /// No other segment is begun while held: frames are refused when this one is full.
  void hold(bool held);
  /// The segment is full, and what follows needs another one.
  [[nodiscard]] bool wants_segment() const noexcept { return rotation_ == Rotation::wanted; }
  /// The file of a segment that retention has given up, for the next one. False: it is to be
  /// removed.
  bool recycle(std::uint64_t number) { return maker_.offer(number); }
  /// Begins nothing more. What is in flight still ends: see idle().
  void stop() noexcept;

  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] bool direct() const noexcept { return direct_; }
  [[nodiscard]] Position durable() const noexcept { return machine_.durable(); }
  [[nodiscard]] Position marked() const noexcept { return machine_.marked(); }
  [[nodiscard]] Position end() const noexcept { return end_.position; }
  /// Of what was taken.
  [[nodiscard]] const LogEnd& log_end() const noexcept { return end_; }
  /// Since when the oldest write, that is not durable yet, has been in flight; kNever: none is. As
  /// of the flush() after it began, so it never tells of a stall that there is not.
  [[nodiscard]] Instant oldest_write_since() const noexcept;
  /// Nothing is in flight, so that this can be destroyed.
  [[nodiscard]] bool idle() const noexcept;

 private:
  struct Slot {
    LogWriter* writer = nullptr;
    std::uint64_t number = 0;
    std::byte* buffer = nullptr;
    std::uint32_t frames_crc = 0;  ///< of the unit that is open or was sealed
    iovec vector{};
    std::uint32_t tries = 0;
    Instant since = kNever;  ///< kNever: begun after the last flush
    reactor::Operation operation;
  };
  enum class Rotation : std::uint8_t { none, wanted, header, header_sync };

  void on_segment_made() override;
  void on_segment_no_space(const Error& error) override;
  void on_segment_failed(const Error& error) override { fail(error); }

  void on_opened(std::int32_t result);
  void on_control(std::int32_t result);
  void on_header(std::int32_t result);
  void on_sync(std::int32_t result);
  void on_write(Slot& slot, std::int32_t result);
  void pump();
  void start_write(Unit& unit);
  void write_rest(Slot& slot);
  void begin_rotation();
  void end_rotation();
  void tell_durable();
  void stamp(Instant now);
  void fail(const Error& error);
  [[nodiscard]] SegmentHeader next_header() const;

  reactor::Files& files_;
  const std::string directory_;
  const LogOptions options_;
  const WriteStart start_;
  Listener& listener_;
  bool direct_;
  WriteMachine machine_;
  SegmentMaker maker_;
  AlignedBuffer staging_;
  AlignedBuffer header_block_{kBlockBytes};
  iovec header_vector_{};
  std::vector<Slot> slots_;
  std::vector<Unit*> units_;       ///< by slot, while it is written
  NamedFile segment_;
  NamedFile next_segment_;
  SegmentHeader next_segment_header_;
  Instant header_since_ = kNever;  ///< while the next segment's header is written
  std::uint64_t segment_number_ = 0;
  std::uint64_t small_bytes_ = 0;  ///< of this segment, in small units
  LogEnd end_;                     ///< of what was taken
  std::uint32_t sealed_crc_ = 0;   ///< of the last unit that was sealed
  Position told_durable_ = 0;
  std::uint64_t told_units_ = 0;   ///< units before it were told of
  reactor::Operation control_;     ///< opens, and writes headers
  reactor::Operation sync_;
  Rotation rotation_ = Rotation::none;
  bool ready_ = false;
  bool failed_ = false;
  bool stopped_ = false;
  bool lacks_space_ = false;
  bool held_ = false;
  std::uint32_t writing_ = 0;
};

}  // namespace quorate::log
