// What a recovery found, against what is known of the log.

#include <algorithm>

#include "tests/simulation/crash/log_host.h"

namespace quorate::simulation {

using log::LogFrame;
using log::Recovered;
using log::RecoveryState;

/// One copy may be harmed; the promise is kept all the same.
void LogHost::judge_promise(const Recovered& recovered, const log::MetadataFile& metadata) {
  if (recovered.state == RecoveryState::none) return;
  if (recovered.state == RecoveryState::lost_identity) {
    if (errors() == errors_before_) violate("the identity is lost: " + recovered.why);
    return;
  }
  const std::uint64_t found = metadata.latest().promised_number;
  if (found > asked_) violate("a promise that was never made");
  if (found < promised_ && errors() == errors_before_) {
    violate("promised " + std::to_string(promised_) + ", found " + std::to_string(found));
  }
  promised_ = std::max(promised_, found);
}

void LogHost::judge(const Recovered& recovered, const std::vector<LogFrame>& found) {
  judge_cut(recovered, found);
  // Of a beginning that nothing tells of for the moment, what it has replaced is seen.
  const bool is_old = cut_open_ && cut_anew_ && !recovered.anew;
  const std::vector<LogFrame>& history = is_old ? before_cut_ : history_;
  if (found.size() > history.size()) return violate("more frames than were appended");
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].bytes != history[i].bytes) {
      return violate("frame " + std::to_string(i) + " is another one");
    }
  }
  const bool whole = recovered.state == RecoveryState::whole;
  const Position begin = is_old ? before_cut_base_.position : base_.position;
  const Position last = found.empty() ? begin : found.back().header.end;
  const Position end = recovered.start.end.position;
  const bool begun = whole || !found.empty();
  if (begun && last != end) violate("the end is not that of the last frame");
  recovered_bytes += last - begin;
  cuts += recovered.cut_copy.empty() ? 0 : 1;
  if (!whole && recovered.state != RecoveryState::none) {
    ++faults;
    last_error = recovered.why;
    // What could not be read just now is unknown as well.
    const bool refused = errors() > errors_before_;
    if (!harmed_ && !refused) violate("fault without harm: " + recovered.why);
    const bool told = recovered.state != RecoveryState::fault ||
                      recovered.unknown_until >= marked_;
    if (!told && disk_.counts().misdirected_sectors == 0) {
      violate("what was marked is said to be absent: " + recovered.why);
    }
    return;
  }
  if (end < durable_) judge_loss(recovered);
  judge_parts(recovered);
  // Harm may still take the segment away that says where the log was cut.
  if (!harmed_) cut_open_ = false;
  history_.resize(found.size());
  durable_ = marked_ = end;
  saved_mark_ = 0;
}

/// Missing, and not said so.
void LogHost::judge_loss(const Recovered& recovered) {
  const Position end = recovered.start.end.position;
  const std::string text = "durable " + std::to_string(durable_) + ", found " +
                           std::to_string(end) + ", marked " + std::to_string(marked_) + ", " +
                           std::string(to_string(recovered.state)) + " " + recovered.why;
  if (!harmed_) return violate("lost: " + text);
  // A write that went elsewhere harms two places, one of which may be the only mark.
  if (marked_ > end && disk_.counts().misdirected_sectors == 0) {
    return violate("silently missing below a mark: " + text);
  }
  ++unprovable;
}

/// Segments, epochs and places, against the frames.
void LogHost::judge_parts(const Recovered& recovered) {
  if (recovered.state != RecoveryState::whole) return;
  Position end = base_.position;
  for (const log::SegmentRange& range : recovered.segments) {
    if (range.first != end || range.end < range.first) violate("segments that do not meet");
    end = range.end;
  }
  const Position last = recovered.start.end.position;
  if (end != last) violate("the segments end elsewhere");
  std::vector<log::EpochEnd> epochs;
  if (base_.epoch != Epoch()) epochs.push_back({base_.epoch, base_.position});
  for (const LogFrame& frame : history_) {
    if (frame.header.end > last) break;
    const Epoch epoch{frame.header.epoch_number, frame.header.epoch_incarnation};
    if (epochs.empty() || epochs.back().epoch != epoch) epochs.push_back({epoch, 0});
    epochs.back().end = frame.header.end;
  }
  const bool same = std::equal(epochs.begin(), epochs.end(), recovered.epochs.begin(),
                               recovered.epochs.end(), [](const auto& a, const auto& b) {
                                 return a.epoch == b.epoch && a.end == b.end;
                               });
  if (!same) violate("the epochs are others");
}

Recovered LogHost::examine(log::BlockingFiles& blocking) {
  log::FrameCollector found;
  log::MetadataFile metadata(*files_, "/log");
  const Result<Recovered> seen =
      log::Recovery(blocking, metadata, "/log", 0, found, log::RecoveryMode::examine).run();
  return seen ? *seen : Recovered();
}

/// To look tells what a repair finds, and leaves it to be found.
void LogHost::judge_examined(const Recovered& seen, const Recovered& recovered) {
  const bool same = seen.state == recovered.state && seen.start.end == recovered.start.end &&
                    seen.torn.has_value() == recovered.torn.has_value() &&
                    seen.unknown_until == recovered.unknown_until &&
                    seen.oldest_segment == recovered.oldest_segment;
  if (!same) {
    violate("looking says " + std::string(to_string(seen.state)) + " " + seen.why +
            ", repairing " + std::string(to_string(recovered.state)) + " " + recovered.why);
  }
}

}  // namespace quorate::simulation
