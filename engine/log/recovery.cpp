#include "log/recovery.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "base/mutant.h"

namespace quorate::log {

namespace {

using reactor::OpenMode;

constexpr Position kIndexStep = 1u << 20;
constexpr int kCopiesMax = 1000;  ///< of tails that were cut at one place
constexpr int kLooks = 3;         ///< at an end that looks torn beside a process that writes

std::string parent_of(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : directory.substr(0, slash);
}

std::string place_in(const std::string& path, std::uint64_t offset) {
  return path + " at " + std::to_string(offset);
}

}  // namespace

std::string_view to_string(RecoveryState state) noexcept {
  switch (state) {
    case RecoveryState::none: return "none";
    case RecoveryState::whole: return "whole";
    case RecoveryState::fault: return "fault";
    case RecoveryState::lost_identity: return "lost identity";
  }
  return "?";
}

Status create_log(BlockingFiles& files, const std::string& directory, Metadata metadata) {
  Status status = files.files().make_directory(directory);
  if (status) status = files.sync_directory(parent_of(directory));
  if (status) status = MetadataFile::create(files, directory, metadata);
  return status;
}

/// Fills the index and the epochs, and passes on.
class Recovery::Indexer final : public FrameVisitor {
 public:
  Indexer(FrameVisitor& next, Recovered& result) : next_(next), result_(result) {}

  void on_segment(const SegmentHeader& header) override { next_.on_segment(header); }
  void on_unit(const UnitHeader& unit) override {
    std::vector<IndexEntry>& index = result_.index;
    const bool due = index.empty() || index.back().segment != unit.segment ||
                     unit.first_position - index.back().position >= kIndexStep;
    if (due) index.push_back({unit.first_position, unit.segment, unit.offset});
    next_.on_unit(unit);
  }
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    add_epoch({header.epoch_number, header.epoch_incarnation}, header.end);
    next_.on_frame(header, frame);
  }
  void add_epoch(const Epoch& epoch, Position end) {
    std::vector<EpochEnd>& epochs = result_.epochs;
    const bool same = !epochs.empty() && epochs.back().epoch == epoch;
    if (same) epochs.pop_back();
    if (epochs.size() == kEpochsMax) epochs.erase(epochs.begin());
    epochs.push_back({epoch, end});
  }

 private:
  FrameVisitor& next_;
  Recovered& result_;
};

Recovery::Recovery(BlockingFiles& files, MetadataFile& metadata, std::string directory,
                   StreamId stream, FrameVisitor& visitor, RecoveryMode mode)
    : files_(files),
      metadata_(metadata),
      directory_(std::move(directory)),
      stream_(stream),
      visitor_(visitor),
      mode_(mode),
      segments_(files, mode) {}

Result<Recovered> Recovery::run() {
  result_ = Recovered();
  segments_ = SegmentSet(files_, mode_);
  last_number_ = 0;
  Status status = open_directory();
  const bool missing = !status && status.error().system_errno == ENOENT;
  if (missing) return result_;
  if (status) status = load_metadata();
  if (status && result_.state == RecoveryState::whole) status = scan_segments();
  if (!status) return status.error();
  return result_;
}

Status Recovery::open_directory() {
  if (mode_ == RecoveryMode::repair) return files_.sync_directory(directory_);
  Result<NamedFile> opened = files_.open(directory_, OpenMode::directory);
  if (!opened) return opened.error();
  files_.close(*opened);
  return Done{};
}

Status Recovery::load_metadata() {
  if (mode_ == RecoveryMode::repair) {
    const Status status = segments_.list(directory_);
    return status ? take_metadata(metadata_.load(files_)) : status;
  }
  // Beside a process that writes, what metadata states as durable must be older than the list of
  // segments, and the oldest segment that it names newer.
  const Result<std::optional<Metadata>> before = metadata_.examine(files_);
  Status status = segments_.list(directory_);
  if (status) status = take_metadata(metadata_.examine(files_));
  const bool known = before && before->has_value();
  if (known) result_.floor = std::min<Position>(result_.floor, (*before)->known_durable);
  return status;
}

Status Recovery::take_metadata(const Result<std::optional<Metadata>>& loaded) {
  result_.start.last_segment = segments_.last_number();
  if (!loaded) {
    // Anything but absence says nothing about what is there.
    if (loaded.error().system_errno != ENOENT) return loaded.error();
    result_.state =
        segments_.all().empty() ? RecoveryState::none : RecoveryState::lost_identity;
  } else if (!loaded->has_value() || (*loaded)->stream != stream_) {
    result_.state = RecoveryState::lost_identity;
  } else {
    result_.state = RecoveryState::whole;
    result_.start.identity = {(*loaded)->storage, stream_};
    result_.floor = (*loaded)->known_durable;
  }
  if (result_.state == RecoveryState::lost_identity) {
    result_.why = MetadataFile::path_in(directory_) + ": no copy can be believed";
  }
  return Done{};
}

void Recovery::set_fault(const std::string& where, std::string_view why, const Error& refused) {
  result_.state = RecoveryState::fault;
  result_.why = where + ": ";
  result_.why += why;
  if (!refused.text.empty()) result_.why.append("; ").append(refused.text);
}

Status Recovery::scan_segments() {
  std::uint64_t oldest = metadata_.latest().oldest_segment;
  Status status = segments_.prepare(result_.start.identity, oldest);
  if (!status) return status;
  raise_floor();
  const FoundSegment* anew = segments_.anew();
  if (anew != nullptr) {
    oldest = anew->number;
    result_.anew = AnewStart{anew->number, anew->header.first_position};
  }
  result_.oldest_segment = oldest;
  begun_ = oldest == 1 && anew == nullptr;
  last_number_ = oldest - 1;
  const std::vector<FoundSegment>& all = segments_.all();
  beginning_.reset();
  if (!all.empty() && all.front().number == oldest && all.front().sound()) {
    beginning_ = all.front().header.first_position;
  }
  if (all.empty() && (result_.floor > 0 || oldest > 1)) {
    set_fault(directory_, "no segment is left of what was durable");
  }
  std::size_t at = 0;
  status = scan_each(at);
  if (status && result_.state == RecoveryState::fault) status = survey(at);
  return status;
}

/// Until the end or a fault, which is `at` there.
Status Recovery::scan_each(std::size_t& at) {
  const std::vector<FoundSegment>& all = segments_.all();
  Indexer indexer(visitor_, result_);
  for (; at < all.size(); ++at) {
    const FoundSegment& found = all[at];
    if (is_behind(found)) {
      const Position end = result_.start.end.position;
      if (begun_) result_.segments.push_back({found.number, end, end, found.bytes});
      last_number_ = found.number;
      continue;
    }
    const bool first = !begun_;
    if (!follows(found)) return Done{};
    if (first && result_.first.epoch != Epoch()) {
      indexer.add_epoch(result_.first.epoch, result_.first.position);
    }
    indexer.on_segment(found.header);
    const Result<SegmentScan> scan = scan_segment(at, indexer);
    if (!scan) return scan.error();
    take(found, *scan);
    if (at + 1 == all.size()) return finish_last(found, *scan);
    if (!finish_segment(at, *scan)) return Done{};
  }
  return Done{};
}

Result<SegmentScan> Recovery::scan_segment(std::size_t at, FrameVisitor& visitor) {
  const FoundSegment& found = segments_.all()[at];
  const Result<std::span<std::byte>> content = segments_.read(found);
  if (!content) return content.error();
  content_ = *content;
  if (at + 1 < segments_.all().size()) segments_.read_ahead(segments_.all()[at + 1]);
  // The chain is that of the header: a cut begins another one.
  LogEnd end = result_.start.end;
  end.unit_crc = found.header.previous_unit_crc;
  return scan_units(result_.start.identity, found.header, content_, end, visitor, found.visible);
}

void Recovery::take(const FoundSegment& found, const SegmentScan& scan) {
  const Position first = result_.start.end.position;
  result_.segments.push_back({found.number, first, scan.end.position, found.bytes});
  result_.start.end = scan.end;
  result_.start.segment = last_number_ = found.number;
  result_.start.offset = scan.offset;
  result_.start.header = found.header;
  result_.units += scan.units;
  result_.floor = std::max(result_.floor, scan.durable_before);
}

/// How far what cannot be read any more may have gone.
Status Recovery::survey(std::size_t from) {
  const std::vector<FoundSegment>& all = segments_.all();
  result_.unknown_until = std::max(result_.start.end.position, result_.floor);
  for (; from < all.size(); ++from) {
    const FoundSegment& found = all[from];
    const Result<std::span<std::byte>> content = segments_.read(found);
    if (!content) return content.error();
    SegmentHeader header;
    header.number = found.number;
    const SegmentRest rest =
        look_ahead(result_.start.identity, header, *content, 0, 0);
    Position named = rest.end_position;
    if (found.sound()) named = std::max<Position>(named, found.header.first_position);
    result_.unknown_until = std::max(result_.unknown_until, std::min(named, found.cut));
  }
  return Done{};
}

/// A header was written when everything before its segment was durable. What was cut later does not
/// count.
void Recovery::raise_floor() {
  for (const FoundSegment& found : segments_.all()) {
    if (!found.sound()) continue;
    const Position stated = std::min<Position>(found.header.first_position, found.cut);
    result_.floor = std::max(result_.floor, stated);
  }
}

/// Whether nothing of this segment counts, so that nothing in it matters.
bool Recovery::is_behind(const FoundSegment& found) const {
  if (found.cut == kNoCut) return false;
  if (begun_) return found.cut <= result_.start.end.position;
  // All of the first one may be cut, and then whatever comes before the segment that does so.
  return beginning_ && found.cut <= *beginning_ && !is_cut_before(found);
}

/// Whether a later segment cuts the log before the place where this one began it anew.
bool Recovery::is_cut_before(const FoundSegment& found) const {
  return found.begins_anew() && found.cut > 0 && found.cut < found.header.first_position;
}

/// Whether this segment is the one after what has been read. Says why not.
bool Recovery::follows(const FoundSegment& found) {
  const auto refuse = [&](std::string_view why) {
    set_fault(found.path, why, found.refused);
    return false;
  };
  // What was lost between a cut and its place counts no more: else it would not fall on an end.
  const bool in_row =
      found.number == last_number_ + 1 || ((begun_ || beginning_) && found.cuts());
  if (!in_row) return refuse("a segment before it is missing");
  if (!found.sound()) return refuse(to_string(found.flaw));
  if (is_cut_before(found)) return refuse("a later segment cuts the log before this beginning");
  const SegmentHeader& header = found.header;
  const LogEnd named{header.first_position, header.previous_unit_crc,
                     {header.previous_epoch_number, header.previous_epoch_incarnation},
                     header.previous_frame_checksum};
  if (!begun_) result_.start.end = result_.first = named;
  begun_ = true;
  LogEnd reached = result_.start.end;
  if (found.cuts()) reached.unit_crc = named.unit_crc;
  if (named == reached) return true;
  return refuse(found.cuts() ? "it cuts the log where no frame ends"
                             : "does not follow the segment before");
}

/// Of a segment that another one follows. False: it is a fault.
bool Recovery::finish_segment(std::size_t at, const SegmentScan& scan) {
  const FoundSegment& found = segments_.all()[at];
  const FoundSegment& next = segments_.all()[at + 1];
  // If that is not the end of a frame, or not the cut but damage, the segment that comes next does
  // not follow: only at the very cut are those between skipped.
  if (scan.at_cut) return true;
  const bool whole = next.sound() && next.header.first_position == scan.end.position &&
                     next.header.previous_unit_crc == scan.end.unit_crc;
  const bool ends = scan.flaw == Flaw::zero || scan.flaw == Flaw::stale || scan.flaw == Flaw::none;
  if (!whole && !ends) {
    set_fault(place_in(found.path, scan.offset), to_string(scan.flaw), found.refused);
    return false;
  }
  const SegmentRest rest = look_ahead(result_.start.identity, found.header, content_, scan.offset,
                                      scan.offset);
  result_.stray_blocks += rest.strange + rest.units;
  return true;
}

Status Recovery::finish_last(const FoundSegment& last, const SegmentScan& scan) {
  const bool closed = (metadata_.latest().flags & kClosed) != 0;
  const TailVerdict verdict = judge_tail(result_.start.identity, last.header, content_, scan,
                                         result_.floor, closed);
  if (verdict.tail == Tail::clean) return Done{};
  if (mode_ == RecoveryMode::examine) {
    const Result<bool> moves = moves_on(last, scan);
    if (!moves) return moves.error();
    if (*moves) return Done{};
  }
  if (verdict.tail == Tail::torn) {
    result_.torn = TornTail{last.path, scan.offset, verdict.used_end, verdict.zero_end};
    result_.why = place_in(last.path, scan.offset) + ": " + std::string(to_string(scan.flaw));
    if (mode_ == RecoveryMode::examine) return Done{};
    return cut(last, *result_.torn, verdict.window_end);
  }
  std::string why(to_string(scan.flaw));
  why.append("; ").append(verdict.why);
  set_fault(place_in(last.path, scan.offset), why, last.refused);
  return Done{};
}

/// Whether what looked torn is whole by now: somebody is writing the log, and a segment is not read
/// in one moment.
Result<bool> Recovery::moves_on(const FoundSegment& last, const SegmentScan& scan) {
  class Nobody final : public FrameVisitor {
    void on_frame(const wire::FrameHeader&, std::span<const std::byte>) override {}
  } nobody;
  const SegmentHeader& header = last.header;
  const LogEnd begin{header.first_position, header.previous_unit_crc,
                     {header.previous_epoch_number, header.previous_epoch_incarnation},
                     header.previous_frame_checksum};
  for (int look = 0; look < kLooks; ++look) {
    const Result<std::span<std::byte>> content = segments_.read(last);
    if (!content) return content.error();
    const SegmentScan again =
        scan_units(result_.start.identity, header, *content, begin, nobody);
    if (again.offset > scan.offset) return true;
  }
  return false;
}

Result<NamedFile> Recovery::make_copy(const FoundSegment& last, std::uint64_t offset) {
  for (int i = 0; i < kCopiesMax; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "/cut-%016" PRIx64 "-%010" PRIx64 "-%03d", last.number,
                  offset, i);
    Result<NamedFile> copy = files_.open(directory_ + name, OpenMode::create);
    if (copy || copy.error().system_errno != EEXIST) return copy;
  }
  return file_error("creation", directory_, -EEXIST);
}

/// Repeated as it is by the next recovery if it does not come to its end: so what lies behind the
/// window is zeroed first, while what explains it is still there.
Status Recovery::cut(const FoundSegment& last, const TornTail& torn, std::uint64_t window_end) {
  Result<NamedFile> copy = make_copy(last, torn.offset);
  if (!copy) return copy.error();
  const auto part = [&](std::uint64_t from, std::uint64_t to) {
    return content_.subspan(from, to - from);
  };
  Status status = files_.write(*copy, part(torn.offset, torn.used_end), 0);
  if (status) status = files_.sync(*copy);
  files_.close(*copy);
  if (status) status = files_.sync_directory(directory_);
  if (!status) return status;
  result_.cut_copy = copy->path;
  Result<NamedFile> segment = files_.open(last.path, OpenMode::write);
  if (!segment) return segment.error();
  const std::span<std::byte> zeros = part(torn.offset, torn.zero_end);
  if (!QUORATE_MUTANT(torn_left)) std::fill(zeros.begin(), zeros.end(), std::byte{0});
  if (torn.zero_end > window_end) {
    status = files_.write(*segment, part(window_end, torn.zero_end), window_end);
    if (status) status = files_.sync(*segment);
  }
  if (status) status = files_.write(*segment, part(torn.offset, window_end), torn.offset);
  if (status) status = files_.sync(*segment);
  files_.close(*segment);
  return status;
}

}  // namespace quorate::log
