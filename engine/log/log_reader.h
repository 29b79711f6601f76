#pragma once

// Reads a log in order while it is written, for replicas that lag and for replay. Lives on its
// writer's loop; several may exist. Driver of two ReadBuffers: while frames of one are used, the
// other is filled.
//
// Only what the index counts as durable is read, and a frame is handed out only when the unit
// around it, its own checksums, its place and what it follows have been checked: bytes that went
// bad on the disk go no further.
//
// Nothing is allocated after construction but names of segments, and a larger buffer where older
// units are larger than those of today.

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "log/blocking_files.h"
#include "log/read_buffer.h"
#include "log/segment_index.h"

namespace quorate::log {

class LogReader {
 public:
  struct Frame {
    wire::FrameHeader header;
    std::span<const std::byte> prologue;  ///< header and prefix
    std::span<const std::byte> records;
  };
  /// Told from within completions: next() may have a frame, or error() says why there is none.
  struct Listener {
    virtual void on_readable() = 0;

   protected:
    ~Listener() = default;
  };

  /// `unit_bytes_max`: of the units that are written today.
  LogReader(reactor::Files& files, std::string directory, const LogIdentity& identity,
            const SegmentIndex& index, std::uint32_t unit_bytes_max, Listener& listener);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  /// Once. The first frame will be the one that begins there.
  void start(Position from);
  /// The next frame, if it ends at `limit` or before. False: ask again after on_readable(), when
  /// the limit or the log has grown, or after release(); or an error has ended this: see error().
  ///
  /// The frame's bytes stay where they are until they are released, also after an error or stop(),
  /// and whatever else is asked meanwhile. While nothing is released, no more than two buffers'
  /// contents are handed out.
  bool next(Position limit, Frame& frame);
  /// Frames that end at `up_to` or before are not used any more.
  void release(Position up_to);
  /// Begins nothing more, and hands out nothing more. What is in flight still ends: see idle().
  void stop() noexcept { stopped_ = true; }
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

  /// Nothing is in flight, so that this can be destroyed.
  [[nodiscard]] bool idle() const noexcept { return !open_.in_flight() && parts_ == 0; }
  /// The end of the last frame that was handed out.
  [[nodiscard]] Position position() const noexcept { return position_; }
  [[nodiscard]] bool failed() const noexcept { return !error_.text.empty(); }
  /// Final. needs_full_copy: the log no longer reaches back so far, or has begun anew since this
  /// was started. fenced: what was handed out has been cut from the log. corrupt: file, offset and
  /// flaw, or a position at which no frame begins. io: the operating system refused.
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  /// A buffer is filled by so many reads at once: one alone waits longer than its bytes are worth.
  static constexpr std::size_t kPartsMax = 4;
  struct Part {
    LogReader* reader = nullptr;
    iovec vector{};
    std::int32_t result = 0;
    reactor::Operation operation;
  };

  void on_opened(std::int32_t result);
  void on_part_read(Part& part, std::int32_t result);
  void on_read(std::int32_t result);
  [[nodiscard]] std::int32_t read_in_a_row() const noexcept;
  void on_loaded();
  bool find_frame();
  bool locate();
  bool place_first();
  bool was_cut() const noexcept;
  bool is_gone();
  [[nodiscard]] Position counted_end(std::uint64_t segment) const noexcept;
  void pump();
  void begin_load();
  void open();
  void read();
  void leave_front();
  void fail(Error error);
  void fail_dropped();
  void fail_flaw(const ReadBuffer& buffer);

  reactor::Files& files_;
  const std::string directory_;
  const LogIdentity identity_;
  const SegmentIndex& index_;
  Listener& listener_;
  std::array<ReadBuffer, 2> buffers_;  ///< taken in turns
  std::size_t front_ = 0;              ///< handed out next
  std::size_t load_ = 0;               ///< filled next
  Position position_ = 0;
  Position released_ = 0;
  std::uint64_t generation_ = 0;       ///< of the index, when this was started
  std::uint64_t handed_segment_ = 0;   ///< of the last frame that was handed out
  FrameChain chain_;
  ReadPlace place_;                    ///< to be read next; segment 0: not known yet
  NamedFile file_;
  std::uint64_t file_segment_ = 0;
  bool direct_ = true;
  bool started_ = false;
  bool stopped_ = false;
  bool at_flaw_ = false;               ///< nothing is read behind it
  std::uint32_t tries_ = 0;
  reactor::Operation open_;
  std::array<Part, kPartsMax> part_;
  std::size_t parts_ = 0;              ///< in flight
  std::size_t parts_begun_ = 0;
  Error error_;
};

}  // namespace quorate::log
