#pragma once

// The programs: the one that writes on the primary, and those on the replicas, which apply what
// they are given and remember durably how far they have got.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"
#include "tests/simulation/durable/node.h"
#include "tests/simulation/system/draw.h"

namespace quorate::simulation::durable {

/// What the file of a snapshot of that stream and position holds.
void fill_snapshot(std::span<std::byte> bytes, StreamId stream, Position position);

class PrimaryNode final : public Node {
 public:
  /// `key`: of the record written last in this world.
  PrimaryNode(const Surroundings& world, std::uint64_t& key, Draw draw);

  /// Appends about so many bytes, as far as there is room.
  void write(std::uint64_t bytes);
  /// Offers a snapshot of something that is committed.
  void offer();
  [[nodiscard]] StreamStatus status(StreamId stream) const {
    return primary_->stream(stream).status();
  }
  [[nodiscard]] bool open_for_writes() const noexcept {
    return primary_ != nullptr && !ended() && !opening() && !busy() && !paused() &&
           !lost();
  }
  [[nodiscard]] bool feeds_somebody() const;
  /// Tells the oracle what the handle shows. Inside of close() no turn does so.
  void show();

 private:
  Status open_handle() override;
  void on_opened() override;
  void after_turn() override;
  [[nodiscard]] std::uint32_t loops() const override { return world_.settings.primary_loops; }
  void close_handle() override { primary_->close(); }
  void drop_handle() override { primary_.reset(); }
  void on_ending() override { show(); }
  void on_trace(std::string_view text) override;
  void on_found(StreamId, Position, Position) override {}
  bool write_one(StreamId stream, std::uint64_t& left);
  void await(const Ticket& ticket);
  void tell_released(StreamId stream, std::uint32_t rule, Position end);

  std::uint64_t& key_;
  Draw draw_;
  std::unique_ptr<Primary> primary_;
  std::vector<RuleId> rules_;
  bool ended_here_ = false;           ///< what it shows does not count any more
  std::vector<Position> ends_;        ///< by stream: of what was written last
  std::vector<Position> watermarks_;  ///< by stream and rule
  std::uint64_t offers_ = 0;
};

class ReplicaNode final : public Node, private Scheduler::Target {
 public:
  ReplicaNode(const Surroundings& world, HostId host, std::uint32_t replica, Draw draw);

  [[nodiscard]] ReplicaReport report() const { return replica_->report(); }
  [[nodiscard]] bool running() const noexcept {
    return replica_ != nullptr && !ended() && !opening() && !lost();
  }
  /// Its program applies little until then.
  void slow_down(Instant until) noexcept { slow_until_ = until; }

 private:
  Status open_handle() override;
  void on_opened() override {}
  void after_turn() override;
  [[nodiscard]] std::uint32_t loops() const override { return world_.settings.replica_loops; }
  void close_handle() override { replica_->close(); }
  void drop_handle() override { replica_.reset(); }
  void on_trace(std::string_view text) override;
  void on_found(StreamId stream, Position first, Position end) override;
  void fire(std::uint64_t) override;
  void apply(const Record& record);
  Status install(const Snapshot& snapshot);
  void poll();
  void check_shown();
  void poll_later(Instant pause_ns);
  [[nodiscard]] Position draw_resume(StreamId stream);
  void on_ended(const Error& error);

  const std::uint32_t replica_number_;
  Draw draw_;
  Apply apply_;
  std::unique_ptr<Replica> replica_;
  std::vector<Position> next_;      ///< by stream: where the next record begins
  std::vector<Position> received_;  ///< by stream: as last reported
  std::vector<Position> first_;     ///< by stream: of the log when it was opened
  std::vector<Position> end_;
  std::vector<Position> shown_;     ///< by stream: since the last look; 0: nothing
  bool resumes_early_ = false;      ///< it asks for what its log may not have any more
  Instant slow_until_ = 0;
  bool poll_due_ = false;
};

}  // namespace quorate::simulation::durable
