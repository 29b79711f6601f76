#pragma once

// A primary's side of giving a snapshot to a replica, over the connection that catches up: says
// what there is, and sends what is asked for, a piece at a time, as fast as the connection takes it
// and the rate allows. Used by the sender of that connection, on the loop.

#include <cstdint>
#include <memory>

#include "base/time.h"
#include "core/catch_up_pace.h"
#include "core/message.h"
#include "log/aligned_buffer.h"
#include "reactor/reactor.h"
#include "shard/snapshot_offer.h"
#include "transport/connection.h"

namespace quorate::shard {

class PrimaryDriver;
class PrimaryStream;

class SnapshotSender {
 public:
  SnapshotSender(PrimaryDriver& driver, transport::Connection& connection, PrimaryStream& stream,
                 std::shared_ptr<const OpenSnapshot> snapshot);
  ~SnapshotSender();

  /// Tells the verdict and what is offered.
  void begin();
  /// Once. Closes the connection when it asks for what is not there.
  void on_request(const core::SnapshotRequest& request);
  void send(Instant now);
  /// When send() is due though nothing happens.
  [[nodiscard]] Instant next_deadline() const noexcept { return send_at_; }
  /// End of what was handed to the connection.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  void stop() noexcept { stopped_ = true; }
  [[nodiscard]] bool idle() const noexcept { return !operation_.in_flight(); }

 private:
  void read();
  void on_read(std::int32_t result);
  void send_pieces();
  void refuse_file(const std::string& why);
  [[nodiscard]] const core::SnapshotHead& head() const noexcept { return snapshot_->head(); }

  PrimaryDriver& driver_;
  transport::Connection& connection_;
  PrimaryStream& stream_;
  const std::shared_ptr<const OpenSnapshot> snapshot_;
  log::AlignedBuffer buffer_;  ///< of what is read next, while the connection sends its own copy
  std::size_t filled_ = 0;
  std::uint64_t sent_ = 0;
  std::uint32_t crc_ = 0;      ///< of what was sent
  bool asked_ = false;
  bool from_begin_ = false;
  bool stopped_ = false;
  std::string flaw_;           ///< what a read met
  core::CatchUpPace pace_;
  Instant send_at_ = kNever;
  iovec vector_{};
  reactor::Operation operation_;
};

}  // namespace quorate::shard
