#include "shard/snapshot_sender.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/file_error.h"
#include "shard/primary_driver.h"
#include "shard/primary_stream.h"
#include "wire/crc32c.h"
#include "wire/limits.h"

namespace quorate::shard {

namespace {

/// Of one send: the loop's other work waits for no more than that.
constexpr std::size_t kSend_bytes = 4 * wire::kSnapshotChunkBytesMax;

}  // namespace

SnapshotSender::SnapshotSender(PrimaryDriver& driver, transport::Connection& connection,
                               PrimaryStream& stream,
                               std::shared_ptr<const OpenSnapshot> snapshot)
    : driver_(driver),
      connection_(connection),
      stream_(stream),
      snapshot_(std::move(snapshot)),
      pace_(driver.shared().options.catch_up_bytes_per_second) {
  log::bind<&SnapshotSender::on_read>(operation_, *this);
}

SnapshotSender::~SnapshotSender() { CHECK(idle()); }

void SnapshotSender::begin() {
  const core::ResumeVerdict verdict{stream_.id(), core::Verdict::snapshot, head().position};
  connection_.queue_control(wire::MessageType::resume_reply,
                            driver_.encoder().resume_reply({&verdict, 1}));
  connection_.queue_control(wire::MessageType::snapshot_begin,
                            driver_.encoder().snapshot_begin(head()));
}

void SnapshotSender::on_request(const core::SnapshotRequest& request) {
  const bool fits = request.stream == stream_.id() && request.id == head().id &&
                    request.offset <= head().bytes && head().has_file;
  if (asked_ || !fits) {
    return connection_.refuse(core::GoodbyeReason::protocol_violation,
                              "snapshot: asked for what is not there, or twice");
  }
  asked_ = true;
  sent_ = request.offset;
  from_begin_ = sent_ == 0;
  buffer_ = log::AlignedBuffer(kSend_bytes);
  read();
}

void SnapshotSender::read() {
  const std::uint64_t left = head().bytes - sent_ - filled_;
  const std::size_t room = kSend_bytes - filled_;
  if (left == 0 || room == 0 || stopped_) return;
  vector_ = {buffer_.data() + filled_,
             static_cast<std::size_t>(std::min<std::uint64_t>(left, room))};
  driver_.shard().reactor().files().read(operation_, snapshot_->file(), {&vector_, 1},
                                         sent_ + filled_);
}

/// The turn that delivered it goes on to send().
void SnapshotSender::on_read(std::int32_t result) {
  if (log::is_passing(result)) return read();
  if (result < 0) {
    flaw_ = log::file_error("read", "snapshot", result).text;
  } else if (result == 0) {
    flaw_ = "it is shorter than when it was offered";
  } else {
    filled_ += static_cast<std::size_t>(result);
    read();
  }
}

void SnapshotSender::send(Instant now) {
  send_at_ = kNever;
  if (!asked_ || connection_.sending() || !connection_.open()) return;
  if (!flaw_.empty()) return refuse_file(flaw_);
  if (filled_ == 0 || operation_.in_flight()) return;
  pace_.on_written(driver_.bytes_written(), now);
  if (pace_.allowed(kSend_bytes, now) == 0) {
    send_at_ = pace_.next();
    return;
  }
  pace_.on_sent(filled_, now);
  send_pieces();
}

void SnapshotSender::send_pieces() {
  const std::span<const std::byte> bytes(buffer_.data(), filled_);
  if (from_begin_) crc_ = wire::crc32c(bytes, crc_);
  const bool last = sent_ + filled_ == head().bytes;
  // The replica would find it as well, but could not tell that it will never be right.
  if (last && from_begin_ && crc_ != head().crc) {
    return refuse_file("it was changed after it was offered");
  }
  for (std::size_t at = 0; at < bytes.size(); at += wire::kSnapshotChunkBytesMax) {
    const std::size_t size = std::min(wire::kSnapshotChunkBytesMax, bytes.size() - at);
    connection_.queue_control(
        wire::MessageType::snapshot_chunk,
        driver_.encoder().snapshot_chunk(head().id, sent_ + at, bytes.subspan(at, size)));
  }
  sent_ += std::exchange(filled_, 0);
  read();
}

void SnapshotSender::refuse_file(const std::string& why) {
  stream_.snapshots()->drop(head().id, why);
  connection_.refuse(core::GoodbyeReason::internal, "the snapshot cannot be sent: " + why);
}

}  // namespace quorate::shard
