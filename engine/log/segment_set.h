#pragma once

// The segment files of a log's directory before their units are read: their headers, which of them
// were begun, and what of each counts after cuts.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "log/aligned_buffer.h"
#include "log/blocking_files.h"
#include "log/segment_scan.h"

namespace quorate::log {

enum class RecoveryMode : std::uint8_t {
  repair,   ///< syncs what it reads, cuts a torn tail
  examine,  ///< changes nothing on disk: also beside a process that writes the log
};

struct FoundSegment {
  std::uint64_t number = 0;
  std::string path;
  std::uint64_t bytes = 0;  ///< of the file
  Flaw flaw = Flaw::none;   ///< of the header; none: it is whole and of this place
  SegmentHeader header;
  /// The least position at which a later segment cuts the log: what lies behind counts no more.
  Position cut = kNoCut;
  /// Frames that end behind it are not told of. It is `cut`, or less where a later segment that
  /// is damaged or missing may have been the one that cut the log there.
  Position visible = kNoCut;
  /// What the system said when it refused to read it; no text: it did not. Only when examining,
  /// where it is told as damage.
  Error refused;

  [[nodiscard]] bool sound() const noexcept { return flaw == Flaw::none; }
  [[nodiscard]] bool cuts() const noexcept { return sound() && (header.flags & kCut) != 0; }
  [[nodiscard]] bool begins_anew() const noexcept {
    return sound() && (header.flags & kAnew) != 0;
  }
};

/// What can be read of one segment.
class SegmentContent {
 public:
  SegmentContent(BlockingFiles& files, RecoveryMode mode) : files_(files), mode_(mode) {}
  ~SegmentContent() { finish(); }
  SegmentContent(const SegmentContent&) = delete;
  SegmentContent& operator=(const SegmentContent&) = delete;

  /// Begins to read it. In an error, nothing is being read.
  Status start(const FoundSegment& found);
  /// The segment that is being read; 0: none.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// Waits. Lasts until the next start.
  std::span<std::byte> finish();
  /// Why it could not be read further; no text: the system refused nothing.
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  BlockingFiles& files_;
  RecoveryMode mode_;
  std::uint64_t number_ = 0;
  NamedFile file_;
  AlignedBuffer bytes_;
  FileRead read_;
  Error error_;
};

class SegmentSet {
 public:
  SegmentSet(BlockingFiles& files, RecoveryMode mode);

  Status list(const std::string& directory);
  /// The greatest number that was listed.
  [[nodiscard]] std::uint64_t last_number() const noexcept { return last_number_; }
  /// Reads all headers. Segments below `oldest` are left over from a removal and are ignored, as
  /// are those before the last one that began the log anew, and those at the end that were made
  /// and never begun.
  Status prepare(const LogIdentity& identity, std::uint64_t oldest);
  /// The segment with which the log that is retained began anew; null: it did not.
  [[nodiscard]] const FoundSegment* anew() const noexcept;
  [[nodiscard]] std::vector<FoundSegment>& all() noexcept { return found_; }

  /// What can be read of it. Lasts until the next call. When repairing, what the system refuses to
  /// give out is an error: it may be whole, and be read the next time.
  Result<std::span<std::byte>> read(const FoundSegment& found);
  /// Begins to read what read() is going to be asked for next, while what it gave last is used.
  void read_ahead(const FoundSegment& found);

 private:
  Status read_header(FoundSegment& found);
  Result<bool> never_begun(const FoundSegment& found);
  Status place_cuts();
  void forget_before_anew();
  [[nodiscard]] Flaw check_header(const FoundSegment& found) const;
  [[nodiscard]] bool must_be_read() const noexcept { return mode_ == RecoveryMode::repair; }
  [[nodiscard]] std::uint32_t unit_bytes_max() const;
  void note_refused(std::uint64_t number, const Error& error);

  BlockingFiles* files_;
  RecoveryMode mode_;
  LogIdentity identity_;
  std::uint64_t last_number_ = 0;
  std::vector<FoundSegment> found_;
  std::unique_ptr<SegmentContent> content_;  ///< given out last
  std::unique_ptr<SegmentContent> ahead_;
};

}  // namespace quorate::log
