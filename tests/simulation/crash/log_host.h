#pragma once

// A machine with a disk and one log on it, whose process lives, dies and lives again. It knows what
// was appended and what was reported durable, and judges what each recovery finds.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "log/recovery.h"
#include "log/segment_collector.h"
#include "tests/simulation/system/disk.h"
#include "tests/support/log_frames.h"

namespace quorate::simulation {

enum class CrashFault : std::uint8_t {
  kill,            ///< the process dies
  power,           ///< the machine does
  error_once,      ///< one operation answers EIO
  error_for_ever,  ///< everything does, until the next start
  sync_error,      ///< the next sync does, and loses some of what it covered
  lost_write,      ///< one write is not done and says success
  misdirected,     ///< one write goes elsewhere and says success
  bit_flip,        ///< of what is durable
};
inline constexpr std::uint8_t kCrashFaults = 8;
[[nodiscard]] std::string_view to_string(CrashFault fault) noexcept;
/// Harms what is durable: it may be found missing, but never silently.
[[nodiscard]] constexpr bool harms_medium(CrashFault fault) {
  return fault >= CrashFault::lost_write;
}

/// What one life does. Moments are numbers of events of the disk since it began.
struct LogLife {
  std::uint64_t fault_at = ~std::uint64_t{0};
  CrashFault fault = CrashFault::kill;
  std::uint64_t dies_at = ~std::uint64_t{0};  ///< besides
  bool power = false;                         ///< how it dies then
  std::uint32_t frames = 40;
  bool closes = false;  ///< in order, at its end
  bool cuts = false;    ///< begins by cutting the log, also to leave a fault behind
  bool restarts = false;  ///< begins by beginning the log anew, at a later position
  bool reuses = false;  ///< sometimes a segment that was made ahead holds what an older one does
};

class LogHost final : private FileCompletion,
                      private log::LogWriter::Listener,
                      private log::MetadataFile::Listener,
                      private log::SegmentCollector::Listener {
 public:
  LogHost(std::uint64_t seed, log::LogOptions options);

  /// Runs until everything appended is durable, or the process is dead or has given up.
  void live(const LogLife& life);
  /// Only recovers, and judges.
  void look();

  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }  ///< of the last life
  [[nodiscard]] Disk& disk() noexcept { return disk_; }

  /// Called after each event while frames are appended.
  std::function<void(log::LogWriter&)> meanwhile;

  std::uint64_t reported_bytes = 0;  ///< durable, of all lives
  std::uint64_t recovered_bytes = 0;
  std::uint64_t cuts = 0;        ///< of torn tails
  std::uint64_t truncations = 0; ///< of the log, done for certain
  std::uint64_t restarts = 0;    ///< beginnings anew that were told
  std::uint64_t undone = 0;      ///< of both, that a crash left undone
  std::uint64_t reused = 0;      ///< segments
  std::uint64_t faults = 0;
  std::uint64_t refusals = 0;    ///< recoveries that the operating system did not let end
  std::uint64_t unprovable = 0;  ///< harmed in the window that nothing on disk tells of
  std::uint64_t space_events = 0;
  std::string last_error;

 private:
  void on_file_done(reactor::Operation& operation, std::int32_t result) override;
  void on_durable(Position durable) override;
  void on_log_failed(const Error& error) override;
  void on_log_space(const Error& error) override;
  void on_saved(const Status& status) override;
  void on_collected(std::uint64_t) override {}
  void on_not_collected(const Error&) override {}
  void on_collector_failed(const Error& error) override;

  void turn();
  void before_event();
  void after_event();
  [[nodiscard]] std::uint64_t harm() const;
  [[nodiscard]] std::uint64_t errors() const;
  void strike();
  void die(bool power);
  void restart();
  bool recover(log::MetadataFile& metadata, log::Recovered& recovered);
  void judge(const log::Recovered& recovered, const std::vector<log::LogFrame>& found);
  void judge_loss(const log::Recovered& recovered);
  void judge_cut(const log::Recovered& recovered, const std::vector<log::LogFrame>& found);
  [[nodiscard]] bool is_undone(const log::Recovered& recovered,
                               const std::vector<log::LogFrame>& found) const;
  void judge_parts(const log::Recovered& recovered);
  log::Recovered examine(log::BlockingFiles& blocking);
  void judge_examined(const log::Recovered& seen, const log::Recovered& recovered);
  void write(log::MetadataFile& metadata, const log::Recovered& recovered);
  void begin_cut(log::WriteStart& start, log::Metadata& content);
  void settle_cut(const log::LogWriter& writer);
  void write_frames(log::LogWriter& writer, log::MetadataFile& metadata);
  void begin_anew(log::WriteStart& start);
  bool settle_anew(const log::LogWriter& writer, log::MetadataFile& metadata,
                   std::uint64_t segment);
  void reuse(const log::LogWriter& writer);
  void append_some(log::LogWriter& writer, std::uint32_t& left);
  void promise(log::MetadataFile& metadata);
  void judge_promise(const log::Recovered& recovered, const log::MetadataFile& metadata);
  bool save(log::MetadataFile& metadata, log::Metadata content);
  void violate(const std::string& text);

  Scheduler scheduler_;
  Disk disk_;
  Draw draw_;
  const log::LogOptions options_;
  std::unique_ptr<reactor::Files> files_;
  std::deque<std::pair<reactor::Operation*, std::int32_t>> completed_;
  LogLife life_;
  std::uint64_t events_ = 0;
  bool dead_ = false;
  bool failed_ = false;      ///< the process gives up
  bool log_failed_ = false;
  bool saved_ = false;
  bool struck_ = false;
  bool harmed_ = false;  ///< the medium, in any life
  std::uint64_t harm_before_ = 0;    ///< this life
  std::uint64_t errors_before_ = 0;  ///< this life
  std::uint64_t epoch_ = 0;
  log::LogEnd base_;                    ///< what the log begins behind
  std::vector<log::LogFrame> history_;  ///< what was appended and may be found
  Position durable_ = 0;                ///< was reported, by a writer or by a recovery
  Position marked_ = 0;                 ///< states what is on disk
  Position saved_mark_ = 0;             ///< goes with the save in flight
  std::size_t found_ = 0;               ///< frames, by the last recovery
  std::vector<log::LogFrame> before_cut_;  ///< what the log was, while it may still be that
  log::LogEnd before_cut_base_;
  Position before_cut_durable_ = 0;
  bool cut_open_ = false;
  bool cut_anew_ = false;     ///< it was not cut but began anew
  bool cut_settled_ = false;  ///< the writer was ready: only harm brings the old log back
  std::uint64_t asked_ = 0;             ///< the latest promise whose save began
  std::uint64_t saving_promise_ = 0;    ///< goes with the save in flight
  std::uint64_t promised_ = 0;          ///< whose save was reported to have ended
  std::string violation_;
};

}  // namespace quorate::simulation
