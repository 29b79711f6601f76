#include "shard/replica_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "shard/replica_node.h"
#include "wire/frame.h"
#include "wire/version.h"

namespace quorate::shard {

namespace {

/// The largest control message of a primary and its envelope.
constexpr std::uint32_t kStagingBytes = 64u << 10;
constexpr std::int64_t kHouse_ns = kSecond_ns;
constexpr std::int64_t kLogHouse_ns = kSecond_ns / 4;

std::int64_t ns(std::chrono::milliseconds time) { return time.count() * kMillisecond_ns; }

}  // namespace

ReplicaLink::ReplicaLink(ReplicaNode& node, Shard& shard, std::uint32_t loop)
    : node_(node),
      shard_(shard),
      loop_(loop),
      liveness_(ns(node.options().heartbeat), ns(node.options().peer_timeout), 0),
      backoff_(ns(node.options().backoff_min), ns(node.options().backoff_max),
               shard.reactor().random_seed()),
      copies_backoff_(ns(node.options().backoff_min), ns(node.options().backoff_max),
                      shard.reactor().random_seed()),
      catch_up_(node, *this, shard) {
  connect_.owner = this;
  connect_.complete = &ReplicaLink::on_connected;
}

// Dialing.

void ReplicaLink::dial() {
  if (QUORATE_MUTANT_AFTER(gives_up_dialing, 6)) return;
  state_ = State::dialing;
  dial_at_ = kNever;
  dial_until_ = shard_.now() + ns(node_.options().peer_timeout);
  shard_.reactor().connect(connect_, node_.primary());
}

void ReplicaLink::on_connected(reactor::Operation& operation, std::int32_t result) {
  auto& self = *static_cast<ReplicaLink*>(operation.owner);
  if (result < 0) {
    const bool late = std::exchange(self.dial_until_, kNever) == kNever;
    const std::string why = late ? "no answer within the peer timeout" : std::strerror(-result);
    if (self.state_ != State::stopped) self.retry("connect: " + why);
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

core::Hello ReplicaLink::hello() const {
  const ReplicaOptions& options = node_.options();
  core::Hello hello;
  hello.cluster = options.cluster;
  hello.node = options.name;
  hello.role = core::Role::replica;
  hello.version_min = wire::kVersionMin;
  hello.version_max = wire::kVersionMax;
  if (options.install) hello.capabilities = wire::kTakesSnapshots;
  hello.loop = loop_;
  hello.incarnation = node_.incarnation();
  hello.heartbeat_ms = static_cast<std::uint32_t>(options.heartbeat.count());
  hello.ring_bytes = options.ring_bytes;
  return hello;
}

void ReplicaLink::say_hello() {
  state_ = State::greeting;
  const ReplicaOptions& options = node_.options();
  liveness_ = core::Liveness(ns(options.heartbeat), ns(options.peer_timeout), shard_.now());
  connection_->queue_control(wire::MessageType::hello, encoder_.hello(hello()));
}

void ReplicaLink::retry(const std::string& why) {
  state_ = State::waiting;
  const std::int64_t pause_ns = backoff_.on_failure(shard_.now());
  const bool replaced = std::exchange(replaced_, false);
  dial_at_ = shard_.now() + (replaced ? ns(node_.options().backoff_max) : pause_ns);
  if (node_.log_failed()) dial_at_ = kNever;
  node_.on_state(ReplicaReport::State::connecting, why);
}

// Receiving.

void ReplicaLink::fail(core::GoodbyeReason reason, const std::string& text) {
  if (!connection_->open()) return;
  node_.count_refused();
  connection_->refuse(reason, text);
}

void ReplicaLink::on_message(const wire::Envelope& envelope, std::span<const std::byte> body) {
  liveness_.on_heard(shard_.now());
  using Type = wire::MessageType;
  if (envelope.type == Type::goodbye) return on_goodbye(body);
  if (state_ == State::greeting) {
    if (envelope.type == Type::welcome) return on_welcome(body);
    return fail(core::GoodbyeReason::protocol_violation, "the first answer must be welcome");
  }
  const Epoch epoch{envelope.epoch_number, envelope.epoch_incarnation};
  if ((envelope.session != session_ && !QUORATE_MUTANT(session_unchecked)) ||
      (epoch != epoch_ && !QUORATE_MUTANT(sender_unchecked))) {
    return fail(core::GoodbyeReason::protocol_violation, "message of another session or epoch");
  }
  if (envelope.type == Type::heartbeat) return on_heartbeat(body);
  if (envelope.type == Type::resume_reply) return on_resume_reply(body);
  fail(core::GoodbyeReason::protocol_violation, "message that a primary does not send");
}

void ReplicaLink::on_welcome(std::span<const std::byte> body) {
  core::Welcome welcome;
  if (!transport::decode_welcome(body, welcome)) {
    return fail(core::GoodbyeReason::bad_frame, "welcome is malformed");
  }
  if (auto fits = node_.on_welcome(welcome); !fits) {
    node_.on_state(ReplicaReport::State::refused, fits.error().text);
    return fail(core::GoodbyeReason::incompatible_version, fits.error().text);
  }
  streams_ = node_.streams_of(loop_);
  if (!may_follow(welcome.epoch)) {
    const std::string why = "fenced: this replica has promised to follow a newer epoch than " +
                            std::to_string(welcome.epoch.number);
    node_.on_state(ReplicaReport::State::refused, why);
    return fail(core::GoodbyeReason::fenced, why);
  }
  session_ = welcome.session;
  epoch_ = welcome.epoch;
  loops_ = welcome.loops;
  connection_->set_session(session_, epoch_);
  connection_->admit(kStagingBytes, welcome.frame_bytes_max);
  const std::int64_t timeout_ns =
      std::max<std::int64_t>(node_.options().peer_timeout.count(), 3ll * welcome.heartbeat_ms) *
      kMillisecond_ns;
  liveness_ = core::Liveness(ns(node_.options().heartbeat), timeout_ns, shard_.now());
  backoff_.on_session_began(shard_.now());
  state_ = State::streaming;
  resumed_ = false;
  encoder_.reserve(streams_.size());
  connection_->reserve_control(transport::control_bytes_for(streams_.size()));
  for (auto* list : {&touched_, &telling_, &repeating_, &storing_, &claiming_, &wanting_}) {
    list->reserve(streams_.size());
  }
  acknowledgements_.reserve(transport::kEntriesPerMessage);
  commits_.reserve(transport::kEntriesPerMessage);
  house_at_ = shard_.now();
  node_.on_session(loop_);
  for (ReplicaStream* stream : streams_) {
    stream->link = this;
    stream->start_log();
    stream->machine().on_session(epoch_);
    if (stream->log() != nullptr) stream->log()->promise(epoch_);
    claim_later(*stream);
  }
  send_claims();
}

void ReplicaLink::on_heartbeat(std::span<const std::byte> body) {
  bool applied_awaited = false;
  if (!transport::decode_heartbeat(body, commits_, applied_awaited)) {
    return fail(core::GoodbyeReason::bad_frame, "heartbeat is malformed");
  }
  for (const core::Commit& commit : commits_) {
    ReplicaStream* stream = stream_of(commit.stream);
    if (stream == nullptr) {
      return fail(core::GoodbyeReason::protocol_violation, "commit of a stream of another loop");
    }
    stream->machine().on_committed(commit.committed);
    stream->awaited.applied = stream->awaited.applied || applied_awaited;
    on_received(*stream);
  }
}

void ReplicaLink::on_goodbye(std::span<const std::byte> body) {
  core::Goodbye goodbye;
  if (!transport::decode_goodbye(body, goodbye)) goodbye = {core::GoodbyeReason::internal, ""};
  // A peer's text must not reach a terminal as anything but text.
  std::replace_if(goodbye.text.begin(), goodbye.text.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  const std::string why = std::string(core::to_string(goodbye.reason)) + ": " + goodbye.text;
  switch (goodbye.reason) {
    case core::GoodbyeReason::closing:
      // What it told before is there to be applied when the applying thread hears of the end.
      publish(shard_.now());
      node_.on_primary_closed(loop_, why);
      break;
    case core::GoodbyeReason::busy:
    case core::GoodbyeReason::timeout:
      break;
    case core::GoodbyeReason::replaced:
      // Two processes of one name must not throw each other out as fast as they can.
      replaced_ = true;
      node_.on_state(ReplicaReport::State::refused, why);
      break;
    default:
      node_.on_state(ReplicaReport::State::refused, why);
  }
  connection_->shut_down(why);
}

std::byte* ReplicaLink::on_frame_header(const wire::Envelope& envelope,
                                        const wire::FrameHeader& header) {
  liveness_.on_heard(shard_.now());
  const Epoch epoch{envelope.epoch_number, envelope.epoch_incarnation};
  if (state_ != State::streaming || envelope.session != session_ || epoch != epoch_) {
    fail(core::GoodbyeReason::protocol_violation, "frame of another session or epoch");
    return nullptr;
  }
  ReplicaStream* stream = stream_of(header.stream);
  if (stream == nullptr) {
    fail(core::GoodbyeReason::protocol_violation, "frame of a stream of another loop");
    return nullptr;
  }
  const auto verdict = stream->machine().check_frame(transport::frame_info(header));
  if (verdict != core::FrameVerdict::accept) {
    fail(core::GoodbyeReason::bad_frame, std::string(core::to_string(verdict)));
    return nullptr;
  }
  receiving_ = stream;
  if (QUORATE_MUTANT(received_before_it_came)) {
    stream->machine().on_frame(transport::frame_info(header));
    touch(*stream);
  }
  return stream->place(header.begin, header.end, envelope.committed, shard_.now());
}

void ReplicaLink::on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) {
  ReplicaStream& stream = *std::exchange(receiving_, nullptr);
  if (QUORATE_MUTANT(received_before_it_came)) {
    stream.receiving = false;
  } else {
    stream.on_frame(header, connection_->frame_prologue());
  }
  if (stream.log() != nullptr) on_log_progress(stream);
  stream.machine().on_committed(envelope.committed);
  stream.awaited = {(envelope.flags & wire::kReceivedNotAwaited) == 0,
                    (envelope.flags & wire::kAppliedAwaited) != 0};
  touch(stream);
  node_.count_frame();
}

void ReplicaLink::on_log_progress(ReplicaStream& stream) {
  touch(stream);
  if (std::exchange(stream.storing, true)) return;
  storing_.push_back(&stream);
}

void ReplicaLink::on_received(ReplicaStream& stream) {
  if (stream.log() != nullptr) return on_log_progress(stream);
  touch(stream);
}

void ReplicaLink::on_log_changed(ReplicaStream& stream) {
  touch(stream);
  StreamLog& log = *stream.log();
  const std::string id = std::to_string(stream.machine().config().stream);
  if (log.failed()) {
    node_.on_log_failed("stream " + id + ": its log has ended: " + log.error().text);
    if (connection_ && !connection_gone_) connection_->shut_down("the log has ended");
  } else if (log.lacks_space()) {
    shard_.trace(TraceLevel::warning, "stream " + id + ": " + log.error().text +
                                          "; nothing more is received until there is space");
  } else if (log.stalled()) {
    shard_.trace(TraceLevel::warning, "stream " + id + ": the disk has not ended a write for 2 s");
  }
}

void ReplicaLink::on_log_cut(ReplicaStream& stream) {
  touch(stream);
  if (stream.machine().state() != core::ReplicaMachine::State::truncating) return;
  stream.machine().on_claiming_again();
  claim_later(stream);
}

void ReplicaLink::on_feed_failed(ReplicaStream& stream, const std::string& why) {
  node_.on_log_failed("stream " + std::to_string(stream.machine().config().stream) + ": " + why);
  if (connection_ && !connection_gone_) connection_->shut_down("the log cannot be read");
}

void ReplicaLink::store_frames() {
  std::erase_if(storing_, [](ReplicaStream* stream) {
    stream->storing = stream->store();
    return !stream->storing;
  });
}

void ReplicaLink::touch(ReplicaStream& stream) {
  if (!stream.touched) {
    stream.touched = true;
    touched_.push_back(&stream);
  }
  if (!stream.telling) {
    stream.telling = true;
    telling_.push_back(&stream);
  }
}

// Acknowledging.

void ReplicaLink::send(Instant now) {
  catch_up_.send(now);
  if (!connection_ || !connection_->open() || connection_->sending()) return;
  if (state_ == State::streaming) acknowledge(now);
  if (connection_->submit()) liveness_.on_sent(now);
}

void ReplicaLink::acknowledge(Instant now) {
  acknowledgements_.clear();
  for (ReplicaStream* stream : telling_) {
    stream->telling = false;
    const bool due = stream->machine().acknowledgement_due(stream->awaited);
    if (due) add_acknowledgement(*stream);
    if (due || stream->machine().behind_on_telling()) repeat_later(*stream, now);
  }
  telling_.clear();
  if (now >= repeat_at_) {
    for (ReplicaStream* stream : repeating_) {
      stream->repeating = false;
      if (stream->machine().state() == core::ReplicaMachine::State::streaming) {
        add_acknowledgement(*stream);
      }
    }
    repeating_.clear();
    repeat_at_ = kNever;
  }
  if (!acknowledgements_.empty() || liveness_.heartbeat_due(now)) send_acknowledgements();
}

void ReplicaLink::add_acknowledgement(ReplicaStream& stream) {
  acknowledgements_.push_back(stream.machine().acknowledgement());
  stream.machine().on_acknowledged();
  if (acknowledgements_.size() == transport::kEntriesPerMessage) send_acknowledgements();
}

void ReplicaLink::repeat_later(ReplicaStream& stream, Instant now) {
  if (stream.repeating) return;
  stream.repeating = true;
  repeating_.push_back(&stream);
  repeat_at_ = std::min(repeat_at_, now + ns(node_.options().heartbeat));
}

/// Without entries it is the heartbeat of a replica that has nothing new.
void ReplicaLink::send_acknowledgements() {
  if (QUORATE_MUTANT_AFTER(acknowledgement_lost, 500)) acknowledgements_.clear();
  connection_->queue_control(wire::MessageType::acknowledgements,
                             encoder_.acknowledgements(acknowledgements_));
  acknowledgements_.clear();
}

void ReplicaLink::step(Instant now) {
  if (now >= copies_at_) claim_copies();
  send_claims();
  if (!storing_.empty()) store_frames();
}

void ReplicaLink::publish(Instant) {
  bool exposed = false;
  for (ReplicaStream* stream : touched_) {
    stream->touched = false;
    exposed = stream->publish() || exposed;
  }
  touched_.clear();
  if (exposed) node_.ring();
}

// Time and end.

void ReplicaLink::expire(Instant now) {
  catch_up_.expire(now);
  if (connection_gone_) {
    connection_gone_ = false;
    connection_.reset();
  }
  if (state_ == State::waiting && now >= dial_at_) dial();
  if (state_ == State::dialing && now >= dial_until_) {
    dial_until_ = kNever;
    shard_.reactor().cancel(connect_);
  }
  // A large frame may take longer than the peer timeout: its bytes are heard as well.
  if (state_ == State::streaming && heard_bytes_ != connection_->bytes_received()) {
    heard_bytes_ = connection_->bytes_received();
    liveness_.on_heard(now);
  }
  if (connection_ && liveness_.peer_gone(now)) {
    connection_->shut_down("nothing heard from the primary for the peer timeout");
  }
  if (now >= house_at_) keep_house(now);
}

void ReplicaLink::keep_house(Instant now) {
  for (ReplicaStream* stream : streams_) {
    stream->keep_house(now);
  }
  house_at_ = now + (node_.options().directory.empty() ? kHouse_ns : kLogHouse_ns);
}

Instant ReplicaLink::next_deadline(Instant now) const {
  if (connection_gone_ || !touched_.empty()) return now;
  Instant next = state_ == State::waiting ? dial_at_ : kNever;
  if (state_ == State::dialing) next = dial_until_;
  next = std::min({next, house_at_, copies_at_, catch_up_.next_deadline()});
  if (!connection_) return next;
  // Only a session owes heartbeats and repetitions, and nothing goes out behind a send in flight.
  const bool mute =
      connection_->sending() || !connection_->open() || state_ != State::streaming;
  next = std::min(next, liveness_.next_deadline(mute));
  return mute ? next : std::min(next, repeat_at_);
}

void ReplicaLink::end_session(const std::string& why) {
  if (receiving_ != nullptr) std::exchange(receiving_, nullptr)->receiving = false;
  for (ReplicaStream* stream : streams_) {
    stream->machine().on_disconnected();
    touch(*stream);
  }
  if (node_.options().directory.empty()) house_at_ = kNever;
  catch_up_.abandon();
  wanting_.clear();
  copies_at_ = kNever;
  shard_.trace(TraceLevel::warning, "connection to the primary ended: " + why);
}

void ReplicaLink::on_closed(const std::string& why) {
  connection_gone_ = true;
  if (connection_->malformed()) node_.count_refused();
  if (state_ == State::streaming) end_session(why);
  if (state_ != State::stopped) retry(why);
}

void ReplicaLink::stop() {
  if (state_ == State::stopped) return;
  const bool in_session = state_ == State::streaming;
  state_ = State::stopped;
  catch_up_.stop();
  if (in_session) end_session("stopped");
  if (connect_.in_flight()) shard_.reactor().cancel(connect_);
  if (connection_ && !connection_gone_) connection_->shut_down("stopped");
}

bool ReplicaLink::stopped() const noexcept {
  return state_ == State::stopped && !connect_.in_flight() &&
         (!connection_ || connection_gone_) && catch_up_.stopped();
}

}  // namespace quorate::shard
