#pragma once

// A machine with a disk and the log of one stream of a replica, as a node has it: segments are
// given up while it is written, and now and then it begins anew behind a snapshot. The power fails;
// the next opening is judged by what was reported before.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shard/log_opening.h"
#include "shard/snapshot_receiver.h"
#include "shard/stream_log.h"
#include "tests/simulation/crash/disk_reactor.h"

namespace quorate::simulation {

/// Moments are numbers of events of the disk since the life began.
struct StreamLife {
  std::uint64_t power_at = ~std::uint64_t{0};
  std::uint32_t frames = 50;
  bool takes_snapshot = false;  ///< when half of the frames are written
};

class StreamHost final : private shard::StreamLog::Owner {
 public:
  StreamHost(std::uint64_t seed, bool direct);

  /// Opens, judges, and runs until everything appended is durable or the power has failed, as it
  /// does in the end in any case.
  void live(const StreamLife& life);

  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }  ///< of the last life

  std::uint64_t given_up = 0;   ///< times that the log began later than before
  std::uint64_t installed = 0;  ///< snapshots behind which the log has begun anew
  std::uint64_t undone = 0;     ///< beginnings that a crash left undone

 private:
  void on_log_durable(Position durable) override;
  void on_log_changed() override {}
  void on_log_trouble(const Error&) override {}
  [[nodiscard]] Position log_needed_from() const override { return log::kNoHold; }
  void on_log_cut(const log::LogEnd& end) override;

  std::unique_ptr<DiskReactor> make_reactor();
  void lose_power();
  std::optional<shard::OpenedLog> open();
  void judge(const shard::OpenedLog& opened);
  void judge_beginning(const shard::OpenedLog& opened);
  void judge_snapshot(const shard::OpenedLog& opened, const core::SnapshotHead& head);
  void run(const shard::OpenedLog& opened);
  void append_some(shard::StreamLog& log, std::uint32_t& left);
  void begin_snapshot();
  void go_on_with_snapshot(shard::StreamLog& log);
  void note_first(const shard::StreamLog& log);
  void violate(const std::string& text);

  Scheduler scheduler_;
  Disk disk_;
  Draw draw_;
  StorageOptions storage_;
  log::LogOptions options_;
  StreamLife life_;
  std::uint64_t events_ = 0;
  bool dead_ = false;
  std::uint64_t epoch_ = 0;
  log::LogEnd end_;         ///< of what was appended
  Position durable_ = 0;    ///< was reported
  Position first_ = 0;      ///< of the log, at most
  core::SnapshotHead head_; ///< of the latest snapshot
  std::vector<std::byte> content_;  ///< of its file
  enum class Taking : std::uint8_t { none, receiving, beginning } taking_ = Taking::none;
  std::optional<core::SnapshotHead> base_;  ///< the log began behind it, and did not give it up
  std::optional<std::uint64_t> asked_;      ///< up to where the file was sent
  shard::SnapshotReceiver* receiver_ = nullptr;
  std::string violation_;
};

}  // namespace quorate::simulation
