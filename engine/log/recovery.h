#pragma once

// Reads a log back after whatever ended its writer, and decides what its end means. Blocks, for
// start-up. Everything is synced before it is read: what a process that died had in flight may be
// readable and not durable, and what is reported here counts as durable.
//
//  - A torn tail is copied aside, cut and zeroed, so that no unit of it can come back to life.
//  - A fault is left as it is: the frames before it are reported, and everything from there on is
//    unknown, which says nothing about its absence.
//  - What the operating system refuses to give out is no fault, as the next attempt may read it
//    whole: nothing is decided then. Only who examines is told of a segment's as of a fault.
//    Headers must be given out of all segments, also of those that turn out not to count.
//  - Without metadata that can be believed, the storage has lost its identity: no promise of it
//    counts any more, and nothing is deleted for that.
//
// What is known to have been durable: what metadata states, what any whole unit states, and all
// before a segment that has a header, as headers are written when the segment before is durable.
//
// A segment may say that the log was cut where it begins. Headers are read first, all of them, and
// of each segment counts what lies before every cut that comes later: frames behind it are not
// visited, what their units and headers state is not believed, and segments wholly behind it are
// skipped, damaged or not. What lies before it was durable when the log was cut, so a cut that does
// not fall on the end of a frame that is there is a fault. Of the first segment that is retained
// the header must be whole all the same: nothing else tells where the log begins.
//
// A segment may also say that the log begins with it anew. The last one of these that has a whole
// header is the oldest that is retained, whatever metadata says, and what is before it is left
// over. So the log is the new one from the moment this header is on the disk, and the old one
// until then; nothing may be reported of the new one before metadata names it as the oldest, or
// damage to this one header would bring the old log back. No log is cut before the place where it
// began anew, as nothing of it is there: that is a fault. Only a cut to the very beginning names
// nothing that would have to be there; it gives up the log as a whole, this beginning with it.

#include <optional>
#include <string>
#include <vector>

#include "log/metadata_file.h"
#include "log/log_writer.h"
#include "log/segment_index.h"
#include "log/segment_scan.h"
#include "log/segment_set.h"

namespace quorate::log {

enum class RecoveryState : std::uint8_t {
  none,           ///< nothing was ever stored here
  whole,          ///< writing goes on at `start`
  fault,          ///< unknown from start.end.position on: not to be written or counted
  lost_identity,
};
[[nodiscard]] std::string_view to_string(RecoveryState state) noexcept;

/// A torn tail: where, and what was cut of it or would be.
struct TornTail {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t used_end = 0;  ///< nothing of this segment behind
  std::uint64_t zero_end = 0;  ///< zeroed up to here
};

/// The log began anew: in that segment, at that position.
struct AnewStart {
  std::uint64_t segment = 0;
  Position position = 0;
};

struct Recovered {
  RecoveryState state = RecoveryState::none;
  std::string why;           ///< of a fault or a cut: place and reason, one line
  WriteStart start;
  LogEnd first;              ///< where the retained log begins: what ends there
  /// What is before it is left over; metadata is to say so before any of that goes.
  std::uint64_t oldest_segment = 1;
  std::optional<AnewStart> anew;  ///< none: it did not, or that segment was given up
  Position floor = 0;        ///< everything before was durable for certain
  /// In a fault: what was ever stored here lies before it, as far as anything on disk tells. Not
  /// before start.end.position.
  Position unknown_until = 0;
  std::optional<TornTail> torn;
  std::string cut_copy;      ///< where the bytes of a torn tail are; empty: nothing was cut
  std::uint64_t stray_blocks = 0;  ///< that nothing explains behind the end of a finished segment
  std::uint64_t units = 0;
  std::vector<IndexEntry> index;   ///< sparse: each segment's first unit, and some between
  /// Of every segment that was begun, up to a fault. One wholly behind a cut has an empty range.
  std::vector<SegmentRange> segments;
  /// Ascending, the last kEpochsMax. It begins with the epoch of what ends at `first`.
  std::vector<EpochEnd> epochs;
};
inline constexpr std::size_t kEpochsMax = 256;

/// A directory that is to hold a log: its entry and the metadata are durable afterwards.
Status create_log(BlockingFiles& files, const std::string& directory, Metadata metadata);

class Recovery {
 public:
  Recovery(BlockingFiles& files, MetadataFile& metadata, std::string directory, StreamId stream,
           FrameVisitor& visitor, RecoveryMode mode = RecoveryMode::repair);

  /// An error: the operating system refused something without which nothing can be decided. Every
  /// frame that is whole has been visited, in order. When only examining, `torn` says what a repair
  /// would cut; beside a process that writes, the end is that of some moment meanwhile.
  Result<Recovered> run();

 private:
  class Indexer;

  Status open_directory();
  Status load_metadata();
  Status take_metadata(const Result<std::optional<Metadata>>& loaded);
  Status scan_segments();
  Status scan_each(std::size_t& at);
  Result<SegmentScan> scan_segment(std::size_t at, FrameVisitor& visitor);
  Status survey(std::size_t from);
  void raise_floor();
  bool is_behind(const FoundSegment& found) const;
  bool is_cut_before(const FoundSegment& found) const;
  bool follows(const FoundSegment& found);
  void take(const FoundSegment& found, const SegmentScan& scan);
  bool finish_segment(std::size_t at, const SegmentScan& scan);
  Status finish_last(const FoundSegment& last, const SegmentScan& scan);
  Result<bool> moves_on(const FoundSegment& last, const SegmentScan& scan);
  Status cut(const FoundSegment& last, const TornTail& torn, std::uint64_t window_end);
  Result<NamedFile> make_copy(const FoundSegment& last, std::uint64_t offset);
  void set_fault(const std::string& where, std::string_view why, const Error& refused = Error());

  BlockingFiles& files_;
  MetadataFile& metadata_;
  const std::string directory_;
  const StreamId stream_;
  FrameVisitor& visitor_;
  const RecoveryMode mode_;
  Recovered result_;
  SegmentSet segments_;
  std::span<std::byte> content_;    ///< of the segment that was read last
  std::uint64_t last_number_ = 0;   ///< of what was read or skipped
  bool begun_ = false;              ///< what counts of it has been met
  /// As the header of the first segment that is retained says; none: it is missing or damaged.
  std::optional<Position> beginning_;
};

}  // namespace quorate::log
