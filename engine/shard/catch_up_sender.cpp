#include "shard/catch_up_sender.h"

#include <algorithm>

#include "base/mutant.h"
#include "shard/primary_driver.h"
#include "shard/primary_stream.h"

namespace quorate::shard {

namespace {

/// Record bytes of one send: the loop's other work waits for no more than that.
constexpr std::uint64_t kSend_bytes = 1u << 20;
/// Near the end, what is under way keeps the replica behind: it is a part of the ring.
constexpr std::uint64_t kNearShare = 4;
/// What is told of its rate is the mean of so long.
constexpr std::int64_t kRated_ns = kSecond_ns / 4;
/// Who does not get on for so long makes way for others.
constexpr std::int64_t kPatience_ns = 100 * kMillisecond_ns;

}  // namespace

CatchUpSender::CatchUpSender(PrimaryDriver& driver, transport::Connection& connection,
                             std::uint32_t replica, bool takes_snapshots) noexcept
    : driver_(driver),
      connection_(connection),
      replica_(replica),
      takes_snapshots_(takes_snapshots),
      pace_(driver.shared().options.catch_up_bytes_per_second) {}

void CatchUpSender::on_resume(PrimaryStream& stream, const core::ResumeClaim& claim) {
  stream_ = &stream;
  claim_ = claim;
  sent_ = acknowledged_ = claim.position;
  credit_limit_ = claim.credit_limit;
  frames_ = core::FrameCredit(claim.frames, claim.frame_limit);
  core::ResumeVerdict verdict{stream.id(), core::Verdict::resumed, 0};
  verdict.verdict =
      stream.machine().judge(claim, stream.history(takes_snapshots_), verdict.position);
  using Verdict = core::Verdict;
  if (verdict.verdict == Verdict::snapshot) {
    snapshot_ = std::make_unique<SnapshotSender>(driver_, connection_, stream,
                                                 stream.snapshots()->serving());
    return snapshot_->begin();
  }
  if (verdict.verdict == Verdict::catch_up) {
    reader_ = stream.log()->make_reader(*this);
    return reader_->start(sent_);
  }
  connection_.queue_control(wire::MessageType::resume_reply,
                            driver_.encoder().resume_reply({&verdict, 1}));
  const bool in_ring =
      verdict.verdict == Verdict::resumed || verdict.verdict == Verdict::from_start;
  connection_.refuse(in_ring ? core::GoodbyeReason::caught_up : core::GoodbyeReason::closing,
                     "nothing is to be caught up with here");
}

void CatchUpSender::on_acknowledgement(const core::Acknowledgement& ack) {
  if (ack.received > sent_ || ack.credit_limit < ack.received) {
    return connection_.refuse(core::GoodbyeReason::protocol_violation,
                              "acknowledgement of what was not sent");
  }
  acknowledged_ = std::max(acknowledged_, ack.received);
  credit_limit_ = std::max(credit_limit_, ack.credit_limit);
  frames_.raise(ack.frame_limit);
  if (!matched_) return;
  using Verdict = core::PrimaryMachine::AckVerdict;
  const Verdict verdict = stream_->machine().on_acknowledgement(
      replica_, ack, driver_.shard().now(), stream_->effects);
  if (verdict == Verdict::violation) {
    return connection_.refuse(core::GoodbyeReason::protocol_violation,
                              "acknowledgement that contradicts itself");
  }
  driver_.touch(*stream_, replica_);
}

void CatchUpSender::on_snapshot_request(const core::SnapshotRequest& request) {
  if (snapshot_) return snapshot_->on_request(request);
  connection_.refuse(core::GoodbyeReason::protocol_violation, "snapshot: none was offered");
}

/// The frame that comes next is read first: it says whether the claim is of this history.
bool CatchUpSender::matched() {
  if (matched_) return true;
  if (!pending_) pending_ = reader_->next(stream_->log()->durable(), frame_);
  if (!pending_) return false;
  const wire::FrameHeader& header = frame_.header;
  if (header.previous_checksum != claim_.checksum ||
      Epoch{header.previous_epoch_number, header.previous_epoch_incarnation} != claim_.epoch) {
    connection_.refuse(core::GoodbyeReason::needs_full_copy,
                       "what is held is of another history");
    return false;
  }
  matched_ = true;
  const core::ResumeVerdict verdict{stream_->id(), core::Verdict::resumed, claim_.position};
  connection_.queue_control(wire::MessageType::resume_reply,
                            driver_.encoder().resume_reply({&verdict, 1}));
  stream_->machine().on_fed(replica_, sent_);
  return true;
}

/// Within reach of the ring: from here on what is under way is kept short.
bool CatchUpSender::near() const noexcept {
  return stream_->machine().sealed() - acknowledged_ < 2 * stream_->ring().size();
}

/// The ring holds what comes next, with a reserve for the way there; or the log has nothing more.
bool CatchUpSender::caught_up() const noexcept {
  if (acknowledged_ != sent_ || acknowledged_ < stream_->reclaimed()) return false;
  if (QUORATE_MUTANT(catch_up_without_end)) return false;
  const Position sealed = stream_->machine().sealed();
  const std::uint64_t kept = sealed - stream_->reclaimed();
  return sealed - acknowledged_ <= kept / 2 || sent_ == stream_->log()->durable();
}

void CatchUpSender::send(Instant now) {
  send_at_ = kNever;
  if (snapshot_) {
    snapshot_->send(now);
    return rate(snapshot_->sent(), now);
  }
  if (!reader_ || connection_.sending() || !connection_.open()) return;
  if (!matched()) {
    if (reader_->failed() && connection_.open()) refuse_reader();
    return;
  }
  if (caught_up()) {
    return connection_.refuse(core::GoodbyeReason::caught_up, "the ring holds what comes next");
  }
  const std::uint64_t window = stream_->ring().size() / (near() ? kNearShare : 1);
  const Position limit = std::min({stream_->log()->durable(), credit_limit_,
                                   acknowledged_ + std::max<std::uint64_t>(
                                                       window, driver_.shared().frame_bytes_max)});
  pace_.on_written(driver_.bytes_written(), now);
  const std::uint64_t most = pace_.allowed(kSend_bytes, now);
  const Position committed = stream_->machine().committed();
  std::uint64_t bytes = 0;
  while (bytes < most && (pending_ || reader_->next(limit, frame_))) {
    pending_ = true;
    if (frame_.header.end > limit || frames_.left() == 0) break;
    if (!connection_.add_frame(frame_.prologue, frame_.records, committed, 0)) break;
    pending_ = false;
    frames_.on_sent(1);
    sent_ = frame_.header.end;
    bytes += frame_.records.size();
  }
  if (bytes > 0) pace_.on_sent(bytes, now);
  if (now < pace_.next()) send_at_ = pace_.next();
  if (bytes > 0) {
    told_committed_ = committed;
    stream_->machine().on_fed(replica_, sent_);
  }
  if (reader_->failed()) return refuse_reader();
  if (stands_still(now)) {
    return connection_.refuse(core::GoodbyeReason::busy, "catch-up: stands still, others wait");
  }
  tell_committed(now);
  rate(acknowledged_, now);
}

void CatchUpSender::rate(Position moved_to, Instant now) {
  if (rated_at_ == 0) rated_ = moved_to, rated_at_ = now;
  const std::int64_t passed_ns = now - rated_at_;
  if (passed_ns < kRated_ns) return;
  const double seconds = static_cast<double>(passed_ns) / kSecond_ns;
  stream_->note_catch_up(
      replica_, static_cast<std::uint64_t>(static_cast<double>(moved_to - rated_) / seconds));
  rated_ = moved_to;
  rated_at_ = now;
}

/// Its ring is full of what is not committed, and what would commit that may be the catch-up of
/// another replica, which waits for this one to end. Or its log waits, and has room for no frame.
bool CatchUpSender::stands_still(Instant now) noexcept {
  const Position moved_to = sent_ + credit_limit_ + frames_.limit();
  const bool full =
      frames_.left() == 0 || credit_limit_ < sent_ + driver_.shared().frame_bytes_max;
  if (moved_at_ == kNever || moved_to != moved_to_ || acknowledged_ != sent_ || !full) {
    moved_to_ = moved_to;
    moved_at_ = now;
    return false;
  }
  return now - moved_at_ >= kPatience_ns && driver_.catch_up_refused_at() > moved_at_;
}

/// While its ring is full of what is not committed, no frame comes to tell that it is.
void CatchUpSender::tell_committed(Instant now) {
  const Position committed = stream_->machine().committed();
  if (committed == told_committed_) return;
  told_committed_ = committed;
  const core::Commit commit{stream_->id(), committed};
  connection_.queue_control(wire::MessageType::heartbeat,
                            driver_.encoder().heartbeat(now, {&commit, 1}, false));
}

void CatchUpSender::refuse_reader() {
  const Error& error = reader_->error();
  driver_.shard().trace(TraceLevel::error, "catch-up: " + error.text);
  connection_.refuse(error.code == Errc::needs_full_copy ? core::GoodbyeReason::needs_full_copy
                                                         : core::GoodbyeReason::internal,
                     "the log cannot be read: " + error.text);
}

void CatchUpSender::on_sent() {
  if (reader_) reader_->release(sent_);
}

/// The turn that delivered it goes on to send().
void CatchUpSender::on_readable() {}

void CatchUpSender::stop() noexcept {
  if (reader_) reader_->stop();
  if (snapshot_) snapshot_->stop();
  if (stream_ != nullptr) stream_->note_catch_up(replica_, 0);
}

}  // namespace quorate::shard
