#include "shard/primary_link.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "shard/primary_driver.h"
#include "wire/frame.h"
#include "wire/version.h"

namespace quorate::shard {

namespace {

/// The largest control messages of a replica (acknowledgements, claims) and their envelope.
constexpr std::uint32_t kStagingBytes = 64u << 10;
/// Record bytes of one send: enough to be cheap per byte, few enough to be acknowledged soon.
constexpr std::uint64_t kSendBytes = 1u << 20;
/// How long a new committed position waits for a frame that carries it along.
constexpr std::int64_t kCommitDelay_ns = kMillisecond_ns;
/// Status answers are cut into messages of at most so many replica lines.
constexpr std::uint32_t kStatusLinesMax = 4096;
constexpr std::uint32_t kStatusStreamsMax = 256;
constexpr std::uint32_t kClientsMax = 32;

std::uint8_t envelope_flags(const core::PrimaryMachine& machine) {
  const int applied = machine.awaits(Level::applied) ? wire::kAppliedAwaited : 0;
  const int received = machine.awaits(Level::received) ? 0 : wire::kReceivedNotAwaited;
  return static_cast<std::uint8_t>(applied | received);
}

}  // namespace

PrimaryLink::PrimaryLink(PrimaryDriver& driver, reactor::Socket socket,
                         std::span<const std::byte> read_ahead, Instant now)
    : driver_(driver),
      connection_(driver.shard().reactor(), socket, *this, {}),
      liveness_(kNever / 4, kCloseTimeout_ns, now) {
  if (!read_ahead.empty()) connection_.preload(read_ahead);
}

void PrimaryLink::refuse(core::GoodbyeReason reason, const std::string& text) {
  if (closing()) return;
  PrimaryDriver::Counters::add(driver_.counters.connections_refused);
  driver_.shard().trace(TraceLevel::warning, "connection refused: " + text);
  connection_.refuse(reason, text);
}

void PrimaryLink::malformed(const char* what) {
  refuse(core::GoodbyeReason::protocol_violation, what);
}

// Receiving.

bool PrimaryLink::in_session(const wire::Envelope& envelope) const noexcept {
  const Epoch epoch{envelope.epoch_number, envelope.epoch_incarnation};
  return (envelope.session == session_ || QUORATE_MUTANT(session_unchecked)) &&
         (epoch == driver_.shared().epoch || QUORATE_MUTANT(sender_unchecked));
}

void PrimaryLink::on_message(const wire::Envelope& envelope, std::span<const std::byte> body) {
  liveness_.on_heard(driver_.shard().now());
  using Type = wire::MessageType;
  if (role_ == Role::stranger) {
    if (envelope.type != Type::hello) return malformed("the first message must be hello");
    return on_hello(body);
  }
  if (envelope.type == Type::goodbye) return connection_.shut_down("the peer said goodbye");
  if (role_ == Role::client) {
    if (envelope.type != Type::status_request) return malformed("a client may only ask for status");
    return on_status_request(body);
  }
  if (!in_session(envelope)) return malformed("message of another session");
  if (role_ == Role::catch_up) {
    if (envelope.type == Type::acknowledgements) return catch_up_acknowledged(body);
    if (envelope.type == Type::resume) return catch_up_resume(body);
    if (envelope.type == Type::snapshot_request) return catch_up_snapshot(body);
    return malformed("message that a replica does not send");
  }
  if (envelope.type == Type::acknowledgements) return on_acknowledgements(body);
  if (envelope.type == Type::resume) return on_resume(body);
  malformed("message that a replica does not send");
}

std::byte* PrimaryLink::on_frame_header(const wire::Envelope&, const wire::FrameHeader&) {
  malformed("a primary takes no frames");
  return nullptr;
}

void PrimaryLink::on_hello(std::span<const std::byte> body) {
  core::Hello hello;
  if (!transport::decode_hello(body, hello)) {
    return refuse(core::GoodbyeReason::bad_frame, "hello is malformed");
  }
  const PrimaryShared& shared = driver_.shared();
  core::Admission admission;
  admission.cluster = shared.options.cluster;
  admission.replicas = shared.options.replicas;
  admission.loops = shared.loops;
  admission.version_min = wire::kVersionMin;
  admission.version_max = wire::kVersionMax;
  admission.ring_bytes_min = shared.frame_bytes_max;
  core::Goodbye goodbye;
  const auto admitted = core::admit(hello, admission, goodbye);
  if (!admitted) return refuse(goodbye.reason, goodbye.text);
  if (hello.role != core::Role::client && hello.loop != driver_.loop()) {
    auto released = connection_.release();
    gone_ = true;
    driver_.on_link_closed(*this, "handed over");
    return shared.hand_over(hello.loop, std::move(released));
  }
  welcome(hello, *admitted);
}

void PrimaryLink::welcome(const core::Hello& hello, const core::Admitted& admitted) {
  const PrimaryShared& shared = driver_.shared();
  const Instant now = driver_.shard().now();
  if (hello.role != core::Role::client) {
    replica_ = admitted.replica;
    welcome_replica(hello, now);
    if (closing()) return;
  } else {
    if (driver_.clients() >= kClientsMax) {
      return refuse(core::GoodbyeReason::busy, "too many clients are connected");
    }
    role_ = Role::client;
    liveness_ = core::Liveness(kNever / 4, shared.options.peer_timeout.count() * kMillisecond_ns,
                               now);
  }
  session_ = driver_.next_session();
  connection_.set_session(session_, shared.epoch);
  connection_.admit(kStagingBytes, 0);
  core::Welcome welcome;
  welcome.session = session_;
  welcome.version = admitted.version;
  welcome.capabilities = hello.capabilities & wire::kCapabilities;
  welcome.epoch = shared.epoch;
  welcome.loops = shared.loops;
  welcome.streams = static_cast<std::uint32_t>(shared.streams.size());
  welcome.ring_bytes = shared.options.ring_bytes;
  welcome.frame_bytes_max = static_cast<std::uint32_t>(shared.frame_bytes_max);
  welcome.heartbeat_ms = static_cast<std::uint32_t>(shared.options.heartbeat.count());
  welcome.peer_timeout_ms = static_cast<std::uint32_t>(shared.options.peer_timeout.count());
  welcome.node = shared.options.name;
  connection_.queue_control(wire::MessageType::welcome, driver_.encoder().welcome(welcome));
}

void PrimaryLink::welcome_replica(const core::Hello& hello, Instant now) {
  const PrimaryShared& shared = driver_.shared();
  const std::int64_t timeout_ns =
      std::max<std::int64_t>(shared.options.peer_timeout.count(), 3ll * hello.heartbeat_ms) *
      kMillisecond_ns;
  liveness_ = core::Liveness(shared.options.heartbeat.count() * kMillisecond_ns, timeout_ns, now);
  takes_snapshots_ = (hello.capabilities & wire::kTakesSnapshots) != 0;
  if (hello.role == core::Role::catch_up) {
    if (shared.options.directory.empty()) {
      return refuse(core::GoodbyeReason::protocol_violation, "catch-up: this primary has no log");
    }
    if (driver_.catch_ups() >= shared.options.catch_ups_max) {
      driver_.on_catch_up_refused(now);
      return refuse(core::GoodbyeReason::busy, "catch-up: as many replicas as catch_ups_max "
                                               "allows are being fed; try again");
    }
    role_ = Role::catch_up;
    catch_up_ =
        std::make_unique<CatchUpSender>(driver_, connection_, replica_, takes_snapshots_);
    return;
  }
  notes_.resize(driver_.stream_count());
  wanted_.resize(driver_.stream_count());
  segments_.reserve(transport::Connection::kFramesPerSend);
  commits_.reserve(driver_.stream_count());
  connection_.reserve_control(transport::control_bytes_for(driver_.stream_count()));
  role_ = Role::replica;
  driver_.on_admitted(*this);
}

PrimaryStream* PrimaryLink::stream_of(StreamId id) noexcept {
  const std::uint32_t loops = driver_.shared().loops;
  const std::uint32_t local = id / loops;
  if (id % loops != driver_.loop() || local >= driver_.stream_count()) return nullptr;
  return &driver_.stream(local);
}

void PrimaryLink::catch_up_resume(std::span<const std::byte> body) {
  if (!transport::decode_resume(body, driver_.claims) || driver_.claims.size() != 1) {
    return malformed("catch-up: resume is malformed");
  }
  PrimaryStream* stream = stream_of(driver_.claims[0].stream);
  if (stream == nullptr || catch_up_->stream() != nullptr) {
    return malformed("catch-up: one stream of this loop, once");
  }
  catch_up_->on_resume(*stream, driver_.claims[0]);
}

void PrimaryLink::catch_up_acknowledged(std::span<const std::byte> body) {
  if (!transport::decode_acknowledgements(body, driver_.acknowledgements)) {
    return malformed("acknowledgements are malformed");
  }
  for (const core::Acknowledgement& ack : driver_.acknowledgements) {
    if (catch_up_->stream() == nullptr || ack.stream != catch_up_->stream()->id()) {
      return malformed("acknowledgement of another stream than is caught up with");
    }
    catch_up_->on_acknowledgement(ack);
  }
}

void PrimaryLink::catch_up_snapshot(std::span<const std::byte> body) {
  core::SnapshotRequest request;
  if (!transport::decode_snapshot_request(body, request)) {
    return malformed("snapshot request is malformed");
  }
  catch_up_->on_snapshot_request(request);
}

void PrimaryLink::send_catch_up(Instant now) {
  catch_up_->send(now);
  if (connection_.frames_added() == 0 && liveness_.heartbeat_due(now) && connection_.open()) {
    connection_.queue_control(wire::MessageType::heartbeat,
                              driver_.encoder().heartbeat(now, {}, false));
  }
}

void PrimaryLink::on_resume(std::span<const std::byte> body) {
  if (!transport::decode_resume(body, driver_.claims)) return malformed("resume is malformed");
  driver_.verdicts.clear();
  for (const core::ResumeClaim& claim : driver_.claims) {
    const std::uint32_t local = claim.stream / driver_.shared().loops;
    if (claim.stream % driver_.shared().loops != driver_.loop() ||
        local >= driver_.stream_count()) {
      return malformed("resume of a stream of another loop");
    }
    PrimaryStream& stream = driver_.stream(local);
    const core::ReplicaState state = stream.machine().replica(replica_).state;
    if (state == core::ReplicaState::streaming || state == core::ReplicaState::parked) {
      return malformed("a stream is resumed twice");
    }
    const auto verdict =
        stream.machine().on_resume(replica_, claim, stream.history(takes_snapshots_),
                                   driver_.shard().now(), stream.effects);
    const bool waits = takes_snapshots_ && verdict.verdict == core::Verdict::needs_full_copy;
    if (stream.snapshots() != nullptr) stream.snapshots()->note_waiting(replica_, waits);
    driver_.verdicts.push_back(verdict);
    notes_[local].frame_hint = 0;
    notes_[local].told_committed = 0;
    driver_.touch(stream, replica_);
    want(local);
    want_commit(local, true, driver_.shard().now());
  }
  connection_.queue_control(wire::MessageType::resume_reply,
                            driver_.encoder().resume_reply(driver_.verdicts));
}

void PrimaryLink::on_acknowledgements(std::span<const std::byte> body) {
  if (!transport::decode_acknowledgements(body, driver_.acknowledgements)) {
    return malformed("acknowledgements are malformed");
  }
  PrimaryDriver::Counters::add(driver_.counters.acknowledgements);
  const std::uint32_t loops = driver_.shared().loops;
  for (const core::Acknowledgement& ack : driver_.acknowledgements) {
    const std::uint32_t local = ack.stream / loops;
    if (ack.stream % loops != driver_.loop() || local >= driver_.stream_count()) {
      return malformed("acknowledgement of a stream of another loop");
    }
    PrimaryStream& stream = driver_.stream(local);
    using Verdict = core::PrimaryMachine::AckVerdict;
    const Verdict verdict = stream.machine().on_acknowledgement(
        replica_, ack, driver_.shard().now(), stream.effects);
    if (verdict == Verdict::violation) {
      return malformed("acknowledgement of what was not sent");
    }
    if (verdict == Verdict::stale) continue;
    driver_.touch(stream, replica_);
    if (!stream.machine().sendable(replica_).empty()) want(local);
  }
}

void PrimaryLink::on_status_request(std::span<const std::byte> body) {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
  if (!transport::decode_status_request(body, begin, count)) {
    return malformed("status request is malformed");
  }
  const PrimaryShared& shared = driver_.shared();
  const auto total = static_cast<std::uint32_t>(shared.streams.size());
  const auto lines = static_cast<std::uint32_t>(shared.options.replicas.size()) + 1;
  count = std::min({count, kStatusStreamsMax, kStatusLinesMax / lines});
  std::vector<StreamStatus> streams;
  for (std::uint32_t id = begin; id < total && streams.size() < count; ++id) {
    streams.push_back(
        shared.streams[id]->status(shared.options.replicas, driver_.shard().now()));
  }
  // One answer at a time: a client that does not read its answers is not worth more memory.
  if (connection_.control_bytes() > wire::kBodyMax[static_cast<int>(wire::MessageType::status)]) {
    return malformed("status requests without reading the answers");
  }
  connection_.queue_control(wire::MessageType::status,
                            driver_.encoder().status(shared.options.name, total, streams));
}

// Sending.

void PrimaryLink::want(std::uint32_t local_stream) {
  StreamNote& note = notes_[local_stream];
  if (note.wanted) return;
  note.wanted = true;
  wanted_[(wanted_begin_ + wanted_count_++) % wanted_.size()] = local_stream;
}

void PrimaryLink::want_commit(std::uint32_t local_stream, bool now_awaited, Instant now) {
  if (QUORATE_MUTANT(commit_waits_for_frame)) return;
  StreamNote& note = notes_[local_stream];
  commits_due_ = std::min(commits_due_, now_awaited ? now : now + kCommitDelay_ns);
  if (note.commit_wanted) return;
  note.commit_wanted = true;
  commits_.push_back(local_stream);
}

void PrimaryLink::park() {
  // A peer that is being refused is not worth a copy.
  if (closing()) return connection_.shut_down("the ring is needed");
  connection_.cut_send();
}

void PrimaryLink::tell_lost(StreamId stream, Position reclaimed) {
  const bool logged = !driver_.shared().options.directory.empty();
  const core::ResumeVerdict verdict{
      stream, logged ? core::Verdict::catch_up : core::Verdict::needs_full_copy, reclaimed};
  connection_.queue_control(wire::MessageType::resume_reply,
                            driver_.encoder().resume_reply({&verdict, 1}));
}

void PrimaryLink::send(Instant now) {
  if (connection_.sending() || gone_) return;
  if (admitted()) {
    const std::uint64_t share =
        kSendBytes / std::clamp<std::uint64_t>(wanted_count_, 1, 8);
    std::uint64_t bytes = 0;
    for (std::size_t left = wanted_count_; left > 0 && bytes < kSendBytes; --left) {
      if (connection_.frames_added() == transport::Connection::kFramesPerSend) break;
      const std::uint32_t local = wanted_[wanted_begin_];
      wanted_begin_ = (wanted_begin_ + 1) % wanted_.size();
      --wanted_count_;
      notes_[local].wanted = false;
      bytes += add_stream(local, share);
    }
    if (commits_due_ <= now || liveness_.heartbeat_due(now)) add_commits(now);
  }
  if (catch_up_) send_catch_up(now);
  if (!connection_.submit()) return;
  liveness_.on_sent(now);
  PrimaryDriver::Counters::add(driver_.counters.sends);
}

/// Returns the record bytes added.
std::uint64_t PrimaryLink::add_stream(std::uint32_t local_stream, std::uint64_t bytes_max) {
  PrimaryStream& stream = driver_.stream(local_stream);
  StreamNote& note = notes_[local_stream];
  const auto range = stream.machine().sendable(replica_);
  if (range.empty()) return 0;
  const Position committed =
      QUORATE_MUTANT(commits_what_is_sealed) ? range.end : stream.machine().committed();
  const std::uint8_t flags = envelope_flags(stream.machine());
  Segment segment{local_stream, 0, range.begin};
  Position end = range.begin;
  while (end < range.end && segment.frames < range.frames && end - range.begin < bytes_max) {
    const core::FrameEntry* frame = stream.frames().begins_at(end, &note.frame_hint);
    // A frame beyond the credit waits for more of it.
    if (frame == nullptr || frame->end > range.end) break;
    if (!connection_.add_frame(stream.prologue(*frame), stream.records(*frame), committed, flags)) {
      break;
    }
    end = frame->end;
    ++segment.frames;
  }
  if (segment.frames == 0) return 0;
  note.told_committed = committed;
  stream.machine().on_send_started(replica_, end, segment.frames);
  stream.changed_replicas |= 1ull << replica_;
  segments_.push_back(segment);
  return end - range.begin;
}

void PrimaryLink::add_commits(Instant now) {
  driver_.commits.clear();
  bool applied_awaited = false;
  while (!commits_.empty() && driver_.commits.size() < transport::kEntriesPerMessage) {
    const std::uint32_t local = commits_.back();
    commits_.pop_back();
    StreamNote& note = notes_[local];
    note.commit_wanted = false;
    PrimaryStream& stream = driver_.stream(local);
    applied_awaited = applied_awaited || stream.machine().awaits(Level::applied);
    const Position committed = stream.machine().committed();
    if (committed <= note.told_committed) continue;
    note.told_committed = committed;
    driver_.commits.push_back({stream.id(), committed});
  }
  commits_due_ = commits_.empty() ? kNever : now;
  if (driver_.commits.empty() && !liveness_.heartbeat_due(now)) return;
  connection_.queue_control(
      wire::MessageType::heartbeat,
      driver_.encoder().heartbeat(now, driver_.commits, applied_awaited));
}

void PrimaryLink::on_send_ready() {
  if (catch_up_) return catch_up_->on_sent();
  if (connection_.was_cut() && !segments_.empty()) {
    cut_segments();
  } else {
    finish_segments();
  }
  if (!connection_.draining()) resume_parked();
}

void PrimaryLink::finish_segments() {
  for (const Segment& segment : segments_) {
    PrimaryStream& stream = driver_.stream(segment.local_stream);
    stream.machine().on_send_finished(replica_);
    if (!stream.machine().sendable(replica_).empty()) want(segment.local_stream);
    // The pin may have been what kept the ring from being used again.
    driver_.touch(stream);
  }
  segments_.clear();
}

/// The frames that were neither sent nor copied go out again, unless the ring loses them first.
void PrimaryLink::cut_segments() {
  std::uint32_t consumed = connection_.frames_consumed();
  for (const Segment& segment : segments_) {
    PrimaryStream& stream = driver_.stream(segment.local_stream);
    const std::uint32_t whole = std::min(consumed, segment.frames);
    consumed -= whole;
    Position sent = segment.begin;
    std::uint64_t hint = 0;
    for (std::uint32_t i = 0; i < whole; ++i) {
      const core::FrameEntry* frame = stream.frames().begins_at(sent, &hint);
      CHECK(frame != nullptr);
      sent = frame->end;
    }
    stream.machine().on_send_cut(replica_, sent, segment.frames - whole);
    if (stream.machine().replica(replica_).state == core::ReplicaState::parked) {
      parked_.push_back(segment.local_stream);
    } else {
      want(segment.local_stream);
    }
    driver_.touch(stream, replica_);
  }
  segments_.clear();
}

void PrimaryLink::resume_parked() {
  for (const std::uint32_t local : parked_) {
    PrimaryStream& stream = driver_.stream(local);
    stream.machine().on_drained(replica_, stream.reclaimed(), stream.effects);
    driver_.perform(stream);
    driver_.touch(stream, replica_);
    want(local);
  }
  parked_.clear();
}

// Time and end.

void PrimaryLink::expire(Instant now) {
  if (gone_) return;
  if (closing()) {
    if (closing_at_ == kNever) closing_at_ = now;
    if (now - closing_at_ >= kCloseTimeout_ns) connection_.shut_down("the peer does not read");
    return;
  }
  if (liveness_.peer_gone(now)) {
    return connection_.shut_down(greeted() ? "nothing heard for the peer timeout"
                                           : "no hello in time");
  }
}

Instant PrimaryLink::next_deadline() const noexcept {
  if (gone_) return kNever;
  if (closing()) return closing_at_ == kNever ? 0 : closing_at_ + kCloseTimeout_ns;
  const bool sending = connection_.sending();
  if (catch_up_ && !sending) {
    return std::min(liveness_.next_deadline(sending), catch_up_->next_deadline());
  }
  return std::min(liveness_.next_deadline(sending), sending ? kNever : commits_due_);
}

void PrimaryLink::say_goodbye(Instant now) {
  if (gone_ || closing()) return;
  if (role_ != Role::replica) return connection_.shut_down("the primary closes");
  for (std::uint32_t local = 0; local < driver_.stream_count(); ++local) {
    want_commit(local, true, now);
  }
  while (!commits_.empty()) add_commits(now);
  connection_.refuse(core::GoodbyeReason::closing, "the primary closes");
}

void PrimaryLink::on_closed(const std::string& why) {
  gone_ = true;
  if (catch_up_) catch_up_->stop();
  if (connection_.malformed()) {
    PrimaryDriver::Counters::add(driver_.counters.connections_refused);
    driver_.shard().trace(TraceLevel::warning, "connection refused: " + why);
  }
  segments_.clear();
  driver_.on_link_closed(*this, why);
}

}  // namespace quorate::shard
