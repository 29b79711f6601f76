#include "tools/log/log_examiner.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "log/segment_maker.h"
#include "tools/cli/option_set.h"
#include "tools/cli/text.h"

namespace quorate::tools {

namespace {

namespace fs = std::filesystem;
using Role = SegmentFacts::Role;

constexpr std::string_view kStreamPrefix = "stream-";
constexpr int kLooksMax = 5;  ///< at a log whose segments are given up meanwhile

Error usage(std::string text) {
  return {Errc::invalid_option, std::move(text)};
}

std::optional<StreamId> stream_of(const std::string& name) {
  if (name.rfind(kStreamPrefix, 0) != 0) return std::nullopt;
  return parse_number<StreamId>(std::string_view(name).substr(kStreamPrefix.size()));
}

bool holds_log(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "metadata" || log::segment_number(name) != 0;
  });
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
  constexpr auto kExpected = "a node's directory, with stream-00000 in it, or a stream's, with "
                             "metadata and segments in it";
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) {
    return usage(fmt::format("{}: {}; expected {}", directory, error.message(), kExpected));
  }
  std::sort(names.begin(), names.end());
  const bool node = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return stream_of(name).has_value();
  });
  if (node || holds_log(names)) return names;
  return usage(fmt::format("{}: found no log in it; expected {}", directory, kExpected));
}

/// Counts units by segment, and passes on.
class Counter final : public log::FrameVisitor {
 public:
  explicit Counter(StreamVisitor& next) : next_(next) {}

  void on_segment(const log::SegmentHeader& header) override {
    cuts[header.number] = (header.flags & log::kCut) != 0;
    next_.on_segment(header);
  }
  void on_unit(const log::UnitHeader& unit) override {
    ++units[unit.segment];
    next_.on_unit(unit);
  }
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    next_.on_frame(header, frame);
  }

  std::map<std::uint64_t, std::uint64_t> units;
  std::map<std::uint64_t, bool> cuts;

 private:
  StreamVisitor& next_;
};

Role role_of(const SegmentFacts& segment, const StreamFacts& facts, bool read) {
  const bool known = facts.found.state != log::RecoveryState::lost_identity;
  if (known && segment.number < facts.found.oldest_segment) return Role::left_over;
  if (!read) return facts.found.state == log::RecoveryState::whole ? Role::spare : Role::unknown;
  const bool last = segment.number == facts.found.start.segment;
  return segment.units == 0 && !last ? Role::behind_cut : Role::begun;
}

/// The segment as it was read; false: it was not.
bool fill_in(SegmentFacts& segment, const StreamFacts& facts, Counter& counter) {
  const auto& ranges = facts.found.segments;
  const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const auto& each) {
    return each.number == segment.number;
  });
  if (range == ranges.end()) return false;
  segment.first = range->first;
  segment.end = range->end;
  segment.units = counter.units[segment.number];
  segment.cuts = counter.cuts[segment.number];
  return true;
}

/// Files of the directory, seen now and not when the log was read: a node may be making some.
void list_files(StreamFacts& facts, Counter& counter) {
  std::error_code error;
  for (fs::directory_iterator it(facts.place.path, error), end; !error && it != end;
       it.increment(error)) {
    struct stat status {};
    if (::stat(it->path().c_str(), &status) != 0) continue;
    facts.disk_bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    const std::string name = it->path().filename().string();
    if (name.rfind("cut-", 0) == 0) ++facts.cut_copies;
    SegmentFacts segment;
    segment.number = log::segment_number(name);
    if (segment.number == 0) continue;
    segment.bytes = static_cast<std::uint64_t>(status.st_size);
    const bool read = fill_in(segment, facts, counter);
    segment.role = role_of(segment, facts, read);
    facts.segments.push_back(segment);
  }
  std::sort(facts.segments.begin(), facts.segments.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
}

}  // namespace

const char* to_string(Role role) noexcept {
  switch (role) {
    case Role::begun: return "begun";
    case Role::behind_cut: return "behind a cut";
    case Role::spare: return "spare";
    case Role::left_over: return "left over";
    case Role::unknown: return "unknown";
  }
  return "?";
}

Result<std::vector<StreamPlace>> find_streams(const std::string& given,
                                              std::optional<StreamId> wanted) {
  std::string directory = given;
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  const auto names = names_in(directory);
  if (!names) return names.error();
  std::vector<StreamPlace> all;
  if (holds_log(*names)) {
    all.push_back({directory, stream_of(fs::path(directory).filename().string())});
  } else {
    for (const std::string& name : *names) {
      if (const auto stream = stream_of(name)) all.push_back({directory + '/' + name, stream});
    }
  }
  if (!wanted) return all;
  std::string there;
  for (const StreamPlace& place : all) {
    if (place.stream == wanted) return std::vector<StreamPlace>{place};
    const std::string name = place.stream ? std::to_string(*place.stream) : "one without a number";
    there += (there.empty() ? "" : ", ") + name;
  }
  return usage(fmt::format("--stream: found {}, allowed in {}: {}", *wanted, directory, there));
}

Result<LogExaminer> LogExaminer::make() {
  std::string why;
  auto reactor = reactor::make_reactor(Backend::automatic, why);
  if (!reactor) return reactor.error();
  return LogExaminer(std::move(*reactor));
}

void LogExaminer::turn() {
  reactor_->wait(kNever);
  reactor_->reap();
}

std::optional<log::Metadata> LogExaminer::metadata_of(const std::string& path) {
  log::BlockingFiles files(reactor_->files(), [this] { turn(); });
  log::MetadataFile metadata(reactor_->files(), path);
  const auto found = metadata.examine(files);
  return found ? *found : std::nullopt;
}

Result<StreamFacts> LogExaminer::examine(const StreamPlace& place, StreamVisitor& visitor) {
  for (int look = 1;; ++look) {
    visitor.on_begin();
    Result<StreamFacts> facts = examine_once(place, visitor);
    if (look == kLooksMax) return facts;
    // A file that was listed is gone, or holds another segment by now.
    const bool gone = !facts && facts.error().system_errno == ENOENT;
    const bool moved = facts && facts->found.state == log::RecoveryState::fault &&
                       has_moved_on(*facts);
    if (!gone && !moved) return facts;
  }
}

bool LogExaminer::has_moved_on(const StreamFacts& facts) {
  const auto now = metadata_of(facts.place.path);
  return now && now->oldest_segment > facts.metadata.oldest_segment;
}

Result<StreamFacts> LogExaminer::examine_once(const StreamPlace& place, StreamVisitor& visitor) {
  StreamFacts facts;
  facts.place = place;
  const auto stated = metadata_of(place.path);
  facts.stream = place.stream ? *place.stream : stated ? stated->stream : 0;
  Counter counter(visitor);
  log::BlockingFiles files(reactor_->files(), [this] { turn(); });
  log::MetadataFile metadata(reactor_->files(), place.path);
  log::Recovery recovery(files, metadata, place.path, facts.stream, counter,
                         log::RecoveryMode::examine);
  auto found = recovery.run();
  if (!found) return found.error();
  facts.found = std::move(*found);
  facts.metadata = metadata.latest();
  list_files(facts, counter);
  return facts;
}

}  // namespace quorate::tools
