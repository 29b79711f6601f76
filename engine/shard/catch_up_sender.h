#pragma once

// A primary's side of a connection that catches up: a snapshot if the log does not reach back far
// enough, else reads one stream's frames from the log and sends them, within the replica's credit,
// until the ring holds what comes next. The live streams do not wait for it: it has its own
// connection, its own buffers, and at most so much in flight. Used by the link that carries it, on
// the loop.

#include <cstdint>
#include <memory>

#include "base/time.h"
#include "core/catch_up_pace.h"
#include "core/message.h"
#include "log/log_reader.h"
#include "shard/snapshot_sender.h"
#include "transport/connection.h"

namespace quorate::shard {

class PrimaryDriver;
class PrimaryStream;

class CatchUpSender final : private log::LogReader::Listener {
 public:
  CatchUpSender(PrimaryDriver& driver, transport::Connection& connection, std::uint32_t replica,
                bool takes_snapshots) noexcept;

  /// What the replica holds; once. Closes the connection when it does not fit.
  void on_resume(PrimaryStream& stream, const core::ResumeClaim& claim);
  void on_acknowledgement(const core::Acknowledgement& ack);
  void on_snapshot_request(const core::SnapshotRequest& request);
  void send(Instant now);
  void on_sent();
  /// When send() is due though nothing happens: the rate allows more then.
  [[nodiscard]] Instant next_deadline() const noexcept {
    return snapshot_ ? snapshot_->next_deadline() : send_at_;
  }

  void stop() noexcept;
  /// Nothing reads for it any more: it may be destroyed.
  [[nodiscard]] bool idle() const noexcept {
    return (!reader_ || reader_->idle()) && (!snapshot_ || snapshot_->idle());
  }
  [[nodiscard]] const PrimaryStream* stream() const noexcept { return stream_; }
  /// What it still needs of the log.
  [[nodiscard]] Position needed() const noexcept { return acknowledged_; }

 private:
  void on_readable() override;
  [[nodiscard]] bool near() const noexcept;
  [[nodiscard]] bool caught_up() const noexcept;
  void refuse_reader();
  bool matched();
  void tell_committed(Instant now);
  void rate(Position moved_to, Instant now);
  [[nodiscard]] bool stands_still(Instant now) noexcept;

  PrimaryDriver& driver_;
  transport::Connection& connection_;
  const std::uint32_t replica_;
  const bool takes_snapshots_;
  std::unique_ptr<SnapshotSender> snapshot_;
  PrimaryStream* stream_ = nullptr;
  std::unique_ptr<log::LogReader> reader_;
  core::ResumeClaim claim_;
  Position sent_ = 0;
  Position acknowledged_ = 0;
  Position credit_limit_ = 0;
  core::FrameCredit frames_;
  log::LogReader::Frame frame_;
  bool pending_ = false;  ///< frame_ is read and not sent
  bool matched_ = false;  ///< the first frame names what was claimed as its predecessor
  Position told_committed_ = 0;
  Position rated_ = 0;      ///< where it stood when its rate was taken last
  Instant rated_at_ = 0;
  Position moved_to_ = 0;       ///< acknowledged and allowed, as of moved_at_
  Instant moved_at_ = kNever;   ///< when it last got on
  core::CatchUpPace pace_;
  Instant send_at_ = kNever;
};

}  // namespace quorate::shard
