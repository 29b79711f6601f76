// A log that begins anew at a later position, as its stream would have it.

#include "tests/simulation/crash/log_host.h"

namespace quorate::simulation {

/// Behind whatever the log has by now, as a copy of everything before was installed.
void LogHost::begin_anew(log::WriteStart& start) {
  before_cut_ = history_;
  before_cut_base_ = base_;
  before_cut_durable_ = durable_;
  cut_open_ = cut_anew_ = true;
  cut_settled_ = false;
  history_.clear();
  base_.position = start.end.position + 8 * static_cast<Position>(draw_.magnitude(1, 1000));
  base_.epoch = {epoch_ + 1, 3};
  base_.frame_checksum = static_cast<std::uint32_t>(draw_.bits());
  start.end = base_;
  start.anew = true;
  durable_ = base_.position;
}

/// Told when metadata names the new segment as the oldest. From then on nothing, not even harm,
/// brings the old log back. False: it did not come to that.
bool LogHost::settle_anew(const log::LogWriter& writer, log::MetadataFile& metadata,
                          std::uint64_t segment) {
  while (!dead_ && !failed_ && writer.state() != log::LogWriter::State::ready) turn();
  if (dead_ || failed_) return false;
  log::Metadata content = metadata.latest();
  content.oldest_segment = segment;
  content.known_durable = saved_mark_ = base_.position;
  if (!save(metadata, content)) return false;
  cut_open_ = false;
  ++restarts;
  return true;
}

void LogHost::on_collector_failed(const Error& error) {
  failed_ = true;
  last_error = error.text;
}

/// Whether what a cut or a beginning anew has replaced is what is there.
bool LogHost::is_undone(const log::Recovered& recovered,
                        const std::vector<log::LogFrame>& found) const {
  if (!cut_anew_) return found.size() > history_.size();
  // What could not be read just now may be the one header that tells.
  const bool known = recovered.state == log::RecoveryState::whole ||
                     (harmed_ && errors() == errors_before_);
  return known && (!recovered.anew || recovered.anew->position != base_.position);
}

/// A cut or a beginning that a crash left undone: the log is as it was before.
void LogHost::judge_cut(const log::Recovered& recovered,
                        const std::vector<log::LogFrame>& found) {
  if (!cut_open_ || !is_undone(recovered, found)) return;
  if (cut_settled_ && !harmed_) return violate("what was cut is back");
  history_ = before_cut_;
  base_ = before_cut_base_;
  durable_ = before_cut_durable_;
  cut_open_ = false;
  ++undone;
}

}  // namespace quorate::simulation
