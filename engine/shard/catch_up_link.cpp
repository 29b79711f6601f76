#include "shard/catch_up_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "shard/replica_link.h"
#include "shard/replica_node.h"
#include "wire/version.h"

namespace quorate::shard {

namespace {

constexpr std::uint32_t kStagingBytes = 64u << 10;
/// Credit is renewed at the latest when this part of the ring has become free.
constexpr std::uint64_t kCreditShare = 8;
/// A stream that does not get on for so long makes way for the next one.
constexpr std::int64_t kPatience_ns = 100 * kMillisecond_ns;

std::int64_t ns(std::chrono::milliseconds time) { return time.count() * kMillisecond_ns; }

}  // namespace

CatchUpLink::CatchUpLink(ReplicaNode& node, ReplicaLink& live, Shard& shard)
    : node_(node),
      live_(live),
      shard_(shard),
      liveness_(ns(node.options().heartbeat), ns(node.options().peer_timeout), 0),
      backoff_(ns(node.options().backoff_min), ns(node.options().backoff_max),
               shard.reactor().random_seed()) {
  connect_.owner = this;
  connect_.complete = &CatchUpLink::on_connected;
}

bool CatchUpLink::catching_up() const noexcept {
  return !queue_.empty() &&
         queue_.front()->machine().state() == core::ReplicaMachine::State::catching_up;
}

void CatchUpLink::add(ReplicaStream& stream) {
  if (state_ == State::stopped) return;
  if (std::find(queue_.begin(), queue_.end(), &stream) == queue_.end()) queue_.push_back(&stream);
  if (state_ != State::idle) return;
  state_ = State::waiting;
  dial_at_ = std::max(shard_.now(), dial_at_ == kNever ? Instant{0} : dial_at_);
}

void CatchUpLink::dial() {
  state_ = State::dialing;
  dial_until_ = shard_.now() + ns(node_.options().peer_timeout);
  began_at_ = queue_.front()->machine().received();
  shard_.reactor().connect(connect_, node_.primary());
}

void CatchUpLink::on_connected(reactor::Operation& operation, std::int32_t result) {
  auto& self = *static_cast<CatchUpLink*>(operation.owner);
  if (result < 0) {
    self.dial_until_ = kNever;
    if (self.state_ != State::stopped) self.end_turn(std::strerror(-result));
    return;
  }
  const reactor::Socket socket{result};
  if (self.state_ == State::stopped) return self.shard_.reactor().close(socket);
  self.connection_ = std::make_unique<transport::Connection>(
      self.shard_.reactor(), socket, self, transport::Connection::Options{});
  self.connection_gone_ = false;
  self.say_hello();
  self.connection_->start();
}

void CatchUpLink::say_hello() {
  state_ = State::greeting;
  dial_until_ = kNever;
  heard_bytes_ = 0;
  const ReplicaOptions& options = node_.options();
  liveness_ = core::Liveness(ns(options.heartbeat), ns(options.peer_timeout), shard_.now());
  core::Hello hello = live_.hello();
  hello.role = core::Role::catch_up;
  connection_->queue_control(wire::MessageType::hello, encoder_.hello(hello));
}

void CatchUpLink::fail(core::GoodbyeReason reason, const std::string& text) {
  if (!connection_->open()) return;
  node_.count_refused();
  connection_->refuse(reason, text);
}

void CatchUpLink::on_message(const wire::Envelope& envelope, std::span<const std::byte> body) {
  liveness_.on_heard(shard_.now());
  using Type = wire::MessageType;
  if (envelope.type == Type::goodbye) return on_goodbye(body);
  if (state_ == State::greeting) {
    if (envelope.type == Type::welcome) return on_welcome(body);
    return fail(core::GoodbyeReason::protocol_violation, "the first answer must be welcome");
  }
  const Epoch epoch{envelope.epoch_number, envelope.epoch_incarnation};
  if (envelope.session != session_ || epoch != epoch_) {
    return fail(core::GoodbyeReason::protocol_violation, "message of another session or epoch");
  }
  if (envelope.type == Type::heartbeat) return on_heartbeat(body);
  if (envelope.type == Type::resume_reply) return on_verdict(body);
  if (envelope.type == Type::snapshot_begin) return on_snapshot_begin(body);
  if (envelope.type == Type::snapshot_chunk) return on_snapshot_chunk(body);
  fail(core::GoodbyeReason::protocol_violation, "message that a primary does not send");
}

void CatchUpLink::on_welcome(std::span<const std::byte> body) {
  core::Welcome welcome;
  if (!transport::decode_welcome(body, welcome)) {
    return fail(core::GoodbyeReason::bad_frame, "welcome is malformed");
  }
  const bool same = catching_up() && welcome.epoch == queue_.front()->machine().epoch();
  if (!same || !node_.on_welcome(welcome)) {
    return connection_->shut_down("the primary is another one than that of the live connection");
  }
  session_ = welcome.session;
  epoch_ = welcome.epoch;
  connection_->set_session(session_, epoch_);
  connection_->admit(kStagingBytes, welcome.frame_bytes_max);
  const std::int64_t timeout_ns =
      std::max<std::int64_t>(node_.options().peer_timeout.count(), 3ll * welcome.heartbeat_ms) *
      kMillisecond_ns;
  liveness_ = core::Liveness(ns(node_.options().heartbeat), timeout_ns, shard_.now());
  state_ = State::receiving;
  moved_at_ = kNever;
  snapshot_at_.reset();
  frame_bytes_max_ = welcome.frame_bytes_max;
  const core::ResumeClaim claim = queue_.front()->machine().claim();
  told_received_ = claim.position;
  told_credit_ = claim.credit_limit;
  told_durable_ = told_applied_ = 0;
  connection_->queue_control(wire::MessageType::resume, encoder_.resume({&claim, 1}));
}

/// What fits is followed by frames, and what does not by a goodbye.
void CatchUpLink::on_verdict(std::span<const std::byte> body) {
  if (!transport::decode_resume_reply(body, verdicts_) || verdicts_.size() != 1) {
    return fail(core::GoodbyeReason::bad_frame, "resume reply is malformed");
  }
  if (!catching_up() || snapshot_at_) return;
  const auto [id, verdict, position] = verdicts_[0];
  if (verdict == core::Verdict::resumed) return on_matched(*queue_.front(), position);
  if (verdict == core::Verdict::snapshot) snapshot_at_ = position;
}

void CatchUpLink::on_matched(ReplicaStream& stream, Position position) {
  if (position != stream.machine().received()) {
    return fail(core::GoodbyeReason::protocol_violation, "answer to a claim that was not made");
  }
  stream.machine().on_matched();
  // What was acknowledged before did not count.
  told_received_ = told_durable_ = told_applied_ = 0;
  moved_at_ = shard_.now();
  live_.on_received(stream);
}

// Snapshots.

SnapshotReceiver* CatchUpLink::snapshot() const noexcept {
  if (queue_.empty()) return nullptr;
  SnapshotReceiver* receiver = queue_.front()->snapshots();
  return receiver != nullptr && receiver->active() ? receiver : nullptr;
}

void CatchUpLink::on_snapshot_begin(std::span<const std::byte> body) {
  core::SnapshotHead head;
  if (!transport::decode_snapshot_begin(body, head)) {
    return fail(core::GoodbyeReason::bad_frame, "snapshot begin is malformed");
  }
  SnapshotReceiver* receiver = catching_up() ? queue_.front()->snapshots() : nullptr;
  if (receiver == nullptr || !snapshot_at_ || snapshot() != nullptr || head.epoch > epoch_) {
    return fail(core::GoodbyeReason::protocol_violation, "snapshot that was not asked for");
  }
  if (!receiver->idle() || queue_.front()->installing()) {
    return connection_->shut_down("what is left of the snapshot before is in the way");
  }
  const Position held = queue_.front()->machine().received();
  if (!receiver->begin(head, *snapshot_at_, held)) {
    return fail(core::GoodbyeReason::protocol_violation, "snapshot of another stream or position");
  }
  shard_.trace(TraceLevel::info,
               "stream " + std::to_string(head.stream) + ": a snapshot of " +
                   std::to_string(head.bytes) + " bytes comes, as of position " +
                   std::to_string(head.program) + "; " + std::to_string(receiver->held_bytes()) +
                   " of them are here");
}

void CatchUpLink::on_snapshot_chunk(std::span<const std::byte> body) {
  transport::SnapshotChunk chunk;
  if (!transport::decode_snapshot_chunk(body, chunk)) {
    return fail(core::GoodbyeReason::bad_frame, "snapshot chunk is malformed");
  }
  SnapshotReceiver* receiver = snapshot();
  // What the disk has refused ends the connection before long.
  if (receiver != nullptr && !receiver->failure().empty()) return;
  if (receiver == nullptr || !receiver->take(chunk)) {
    return fail(core::GoodbyeReason::protocol_violation, "snapshot chunk that was not asked for");
  }
  if (!receiver->room()) connection_->pause();
}

/// Something of the disk may have ended.
void CatchUpLink::go_on_with_snapshot() {
  SnapshotReceiver* receiver = snapshot();
  if (receiver == nullptr || !connection_ || connection_gone_ || !connection_->open()) return;
  const std::string name = "stream " + std::to_string(receiver->head().stream);
  if (!receiver->failure().empty()) {
    shard_.trace(TraceLevel::warning, name + ": snapshot: " + receiver->failure());
    return connection_->shut_down("snapshot: " + receiver->failure());
  }
  if (!catching_up()) return connection_->shut_down("the stream does not catch up any more");
  if (receiver->done()) {
    shard_.trace(TraceLevel::info,
                 name + ": the snapshot is here; the log begins anew at position " +
                     std::to_string(receiver->head().position));
    queue_.front()->begin_anew(receiver->head());
    return connection_->shut_down("the snapshot is here");
  }
  if (const auto request = receiver->take_request()) {
    connection_->queue_control(wire::MessageType::snapshot_request,
                               encoder_.snapshot_request(*request));
  }
  if (connection_->paused() && receiver->room()) connection_->resume();
}

void CatchUpLink::on_heartbeat(std::span<const std::byte> body) {
  bool applied_awaited = false;
  if (!transport::decode_heartbeat(body, commits_, applied_awaited)) {
    return fail(core::GoodbyeReason::bad_frame, "heartbeat is malformed");
  }
  for (const core::Commit& commit : commits_) {
    if (!catching_up() || commit.stream != queue_.front()->machine().config().stream) continue;
    queue_.front()->machine().on_committed(commit.committed);
    live_.on_received(*queue_.front());
  }
}

void CatchUpLink::on_goodbye(std::span<const std::byte> body) {
  core::Goodbye goodbye;
  if (!transport::decode_goodbye(body, goodbye)) goodbye = {core::GoodbyeReason::internal, ""};
  connection_->shut_down(std::string(core::to_string(goodbye.reason)));
}

std::byte* CatchUpLink::on_frame_header(const wire::Envelope& envelope,
                                        const wire::FrameHeader& header) {
  liveness_.on_heard(shard_.now());
  const Epoch epoch{envelope.epoch_number, envelope.epoch_incarnation};
  if (state_ != State::receiving || envelope.session != session_ || epoch != epoch_) {
    fail(core::GoodbyeReason::protocol_violation, "frame of another session or epoch");
    return nullptr;
  }
  if (!catching_up() || header.stream != queue_.front()->machine().config().stream) {
    connection_->shut_down("the stream does not catch up any more");
    return nullptr;
  }
  if (snapshot_at_) {
    fail(core::GoodbyeReason::protocol_violation, "frame where a snapshot was promised");
    return nullptr;
  }
  ReplicaStream& stream = *queue_.front();
  const auto verdict = stream.machine().check_frame(transport::frame_info(header),
                                                    core::ReplicaMachine::State::catching_up);
  if (verdict != core::FrameVerdict::accept) {
    fail(core::GoodbyeReason::bad_frame, std::string(core::to_string(verdict)));
    return nullptr;
  }
  receiving_ = &stream;
  return stream.place(header.begin, header.end, envelope.committed, shard_.now());
}

/// While the records came, the live connection may have led the stream elsewhere, and even back to
/// catching up.
void CatchUpLink::on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) {
  ReplicaStream& stream = *std::exchange(receiving_, nullptr);
  stream.receiving = false;
  const auto verdict = stream.machine().check_frame(transport::frame_info(header),
                                                    core::ReplicaMachine::State::catching_up);
  if (verdict != core::FrameVerdict::accept) {
    return connection_->shut_down("the stream does not catch up any more");
  }
  stream.on_frame(header, connection_->frame_prologue());
  stream.machine().on_committed(envelope.committed);
  live_.on_received(stream);
  node_.count_frame();
}

/// The records of a frame that no longer counts still come to where the next one belongs.
void CatchUpLink::end_when_left() {
  if (state_ != State::receiving || catching_up()) return;
  if (!connection_ || connection_gone_ || !connection_->open()) return;
  connection_->shut_down("the stream does not catch up any more");
}

void CatchUpLink::send(Instant now) {
  go_on_with_snapshot();
  end_when_left();
  if (!connection_ || connection_gone_ || !connection_->open() || connection_->sending()) return;
  if (state_ == State::receiving && catching_up()) {
    const core::Acknowledgement ack = queue_.front()->machine().acknowledgement();
    if (acknowledgement_due(ack) || liveness_.heartbeat_due(now)) {
      told_received_ = ack.received;
      told_durable_ = ack.durable;
      told_applied_ = ack.applied;
      told_credit_ = ack.credit_limit;
      connection_->queue_control(wire::MessageType::acknowledgements,
                                 encoder_.acknowledgements({&ack, 1}));
    }
  }
  if (connection_->submit()) liveness_.on_sent(now);
}

bool CatchUpLink::acknowledgement_due(const core::Acknowledgement& ack) const noexcept {
  const std::uint64_t some = queue_.front()->machine().config().ring_bytes / kCreditShare;
  return ack.received != told_received_ || ack.durable != told_durable_ ||
         ack.credit_limit - told_credit_ >= some || ack.applied - told_applied_ >= some;
}

void CatchUpLink::expire(Instant now) {
  if (connection_gone_) {
    connection_gone_ = false;
    connection_.reset();
  }
  if (state_ == State::waiting && now >= dial_at_) {
    if (queue_.empty()) {
      state_ = State::idle;
    } else {
      dial();
    }
  }
  if (state_ == State::dialing && now >= dial_until_) {
    dial_until_ = kNever;
    shard_.reactor().cancel(connect_);
  }
  if (!connection_) return;
  if (heard_bytes_ != connection_->bytes_received() || connection_->paused()) {
    heard_bytes_ = connection_->bytes_received();
    liveness_.on_heard(now);
  }
  if (liveness_.peer_gone(now)) return connection_->shut_down("nothing heard for the peer timeout");
  make_way(now);
}

/// Its ring may be full of what is not committed, and what would commit that may wait for another
/// stream of this replica, whose turn does not come before this one's has ended. Or its log waits,
/// and there is room for no other frame.
void CatchUpLink::make_way(Instant now) {
  if (!may_make_way()) return;
  const core::ReplicaMachine& machine = queue_.front()->machine();
  const Position moved_to = machine.received() + machine.credit_limit() + machine.frame_limit();
  const bool full = machine.out_of_frames() ||
                    machine.credit_limit() < machine.received() + frame_bytes_max_;
  if (moved_to != moved_to_ || receiving_ != nullptr || !full) {
    moved_to_ = moved_to;
    moved_at_ = now;
  } else if (now - moved_at_ >= kPatience_ns) {
    connection_->shut_down("makes way for another stream");
  }
}

bool CatchUpLink::may_make_way() const noexcept {
  return state_ == State::receiving && queue_.size() > 1 && moved_at_ != kNever &&
         connection_->open();
}

Instant CatchUpLink::next_deadline() const noexcept {
  if (connection_gone_) return 0;
  Instant next = state_ == State::waiting ? dial_at_ : kNever;
  if (state_ == State::dialing) next = dial_until_;
  if (!connection_) return next;
  if (may_make_way()) next = std::min(next, moved_at_ + kPatience_ns);
  const bool mute = connection_->sending() || !connection_->open() || state_ != State::receiving;
  return std::min(next, liveness_.next_deadline(mute));
}

void CatchUpLink::end_turn(const std::string& why) {
  ReplicaStream& stream = *queue_.front();
  bool progress = stream.machine().received() != began_at_;
  if (SnapshotReceiver* receiver = snapshot()) {
    progress = receiver->progressed();
    receiver->end();
  }
  queue_.pop_front();
  if (progress) backoff_.reset();
  dial_at_ = progress ? shard_.now() : shard_.now() + backoff_.on_failure(shard_.now());
  state_ = State::waiting;
  if (stream.machine().state() != core::ReplicaMachine::State::catching_up) return;
  shard_.trace(TraceLevel::info,
               "stream " + std::to_string(stream.machine().config().stream) +
                   ": caught up from " + std::to_string(began_at_) + " to " +
                   std::to_string(stream.machine().received()) + ": " + why);
  stream.machine().on_claiming_again();
  live_.claim_later(stream);
}

void CatchUpLink::on_closed(const std::string& why) {
  connection_gone_ = true;
  if (receiving_ != nullptr) std::exchange(receiving_, nullptr)->receiving = false;
  if (connection_->malformed()) node_.count_refused();
  if (state_ == State::stopped) return;
  if (queue_.empty()) {
    state_ = State::waiting;
    dial_at_ = shard_.now();
    return;
  }
  end_turn(why);
}

void CatchUpLink::abandon() {
  if (state_ == State::stopped) return;
  if (connection_ && !connection_gone_) {
    // Ends the turn of the first one inside, or soon.
    queue_.erase(queue_.begin() + (queue_.empty() ? 0 : 1), queue_.end());
    connection_->shut_down("the live connection has ended");
  } else if (state_ != State::dialing) {
    queue_.clear();
  } else {
    queue_.erase(queue_.begin() + 1, queue_.end());
  }
}

void CatchUpLink::stop() {
  if (state_ == State::stopped) return;
  state_ = State::stopped;
  if (SnapshotReceiver* receiver = snapshot()) receiver->end();
  if (connect_.in_flight()) shard_.reactor().cancel(connect_);
  if (connection_ && !connection_gone_) connection_->shut_down("stopped");
}

bool CatchUpLink::stopped() const noexcept {
  return state_ == State::stopped && !connect_.in_flight() && (!connection_ || connection_gone_);
}

}  // namespace quorate::shard
