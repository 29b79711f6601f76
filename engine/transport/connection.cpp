#include "transport/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "transport/codec.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::transport {

namespace {

/// Room for the head of the next frame while a frame's records go straight to their place.
constexpr std::size_t kReadAheadBytes = 8u << 10;
/// How much a peer may still send after it was refused.
constexpr std::size_t kDroppedBytesMax = 1u << 20;
constexpr std::size_t kSendBytesMax = reactor::Operation::kBytesMax / 2;

std::span<std::byte, wire::kEnvelopeBytes> envelope_at(std::byte* bytes) {
  return std::span<std::byte, wire::kEnvelopeBytes>(bytes, wire::kEnvelopeBytes);
}

}  // namespace

Connection::Connection(reactor::Reactor& reactor, reactor::Socket socket, Sink& sink,
                       const Options& options)
    : sink_(sink),
      options_(options),
      channel_(reactor, socket, *this),
      // operator new aligns to 16 bytes; message bodies need 8.
      staging_(std::make_unique_for_overwrite<std::byte[]>(options.staging_bytes)) {}

Connection::~Connection() { CHECK(channel_.idle()); }

void Connection::start() {
  parse();
  if (closing_) return proceed_to_close();
  arm_receive();
}

void Connection::admit(std::uint32_t staging_bytes, std::uint64_t frame_records_max) {
  options_.frame_records_max = frame_records_max;
  if (staging_bytes <= options_.staging_bytes) return;
  // Neither the kernel nor the parser may be inside the buffer that goes away.
  CHECK(!channel_.receiving() && frame_size_ == 0);
  auto larger = std::make_unique_for_overwrite<std::byte[]>(staging_bytes);
  std::memcpy(larger.get(), staging_.get(), staging_end_);
  staging_ = std::move(larger);
  options_.staging_bytes = staging_bytes;
}

void Connection::reserve_control(std::size_t bytes) {
  control_next_.reserve(bytes);
  control_send_.reserve(bytes);
}

void Connection::set_session(std::uint64_t session, const Epoch& sender_epoch) noexcept {
  session_ = session;
  sender_epoch_ = sender_epoch;
}

std::size_t Connection::memory_bytes() const noexcept {
  return options_.staging_bytes + control_next_.capacity() + control_send_.capacity() +
         cut_rest_.capacity() + sizeof(*this);
}

// Receiving.

void Connection::arm_receive() {
  std::uint32_t count = 0;
  const std::size_t room = options_.staging_bytes - staging_end_;
  if (frame_placed_ < frame_size_) {
    receive_vectors_[count++] = {frame_records_ + frame_placed_, frame_size_ - frame_placed_};
    receive_vectors_[count++] = {staging_.get() + staging_end_, std::min(room, kReadAheadBytes)};
  } else {
    receive_vectors_[count++] = {staging_.get() + staging_end_, room};
  }
  channel_.receive({receive_vectors_.data(), count});
}

void Connection::on_bytes(std::int32_t result) {
  if (closing_) return on_dropped(result);
  if (result <= 0) {
    shut_down(result == 0 ? "the peer closed the connection" : std::strerror(-result));
    return;
  }
  bytes_received_ += static_cast<std::uint64_t>(result);
  place(static_cast<std::size_t>(result));
  parse();
  if (closing_) return proceed_to_close();
  if (!paused_) arm_receive();
}

void Connection::resume() {
  if (!paused_ || closing_) return;
  paused_ = false;
  parse();
  if (closing_) return proceed_to_close();
  if (!paused_) arm_receive();
}

void Connection::place(std::size_t received) {
  const std::size_t direct = std::min(received, frame_size_ - frame_placed_);
  frame_placed_ += direct;
  staging_end_ += received - direct;
}

void Connection::parse() {
  parsing_ = true;
  if (frame_size_ != 0 && frame_placed_ == frame_size_) finish_frame();
  while (!closing_ && !released_ && !paused_ && frame_size_ == 0 && parse_unit()) {
  }
  parsing_ = false;
  if (!released_) compact();
}

void Connection::compact() {
  if (staging_begin_ == staging_end_) {
    staging_begin_ = staging_end_ = 0;
    return;
  }
  // Units are multiples of 8 bytes, so a move to the front keeps bodies aligned.
  if (staging_begin_ == 0) return;
  std::memmove(staging_.get(), staging_.get() + staging_begin_, staging_end_ - staging_begin_);
  staging_end_ -= staging_begin_;
  staging_begin_ = 0;
}

/// True when a whole unit was consumed and another may follow.
bool Connection::parse_unit() {
  const std::size_t available = staging_end_ - staging_begin_;
  if (available < wire::kEnvelopeBytes) return false;
  wire::Envelope envelope;
  const auto error = wire::decode_envelope(
      std::span<const std::byte, wire::kEnvelopeBytes>(staging_.get() + staging_begin_,
                                                       wire::kEnvelopeBytes),
      envelope);
  if (error != wire::DecodeError::none) {
    return fail(core::GoodbyeReason::bad_frame, wire::to_string(error));
  }
  if (envelope.sequence != receive_sequence_) {
    return fail(core::GoodbyeReason::protocol_violation, "envelope out of sequence");
  }
  return envelope.type == wire::MessageType::batch ? parse_frame(envelope)
                                                   : parse_control(envelope);
}

bool Connection::parse_control(const wire::Envelope& envelope) {
  const std::size_t size = wire::kEnvelopeBytes + envelope.body_bytes;
  if (size > options_.staging_bytes) {
    return fail(core::GoodbyeReason::too_large, "message larger than this peer may send");
  }
  if (staging_end_ - staging_begin_ < size) return false;
  const std::span<const std::byte> body(staging_.get() + staging_begin_ + wire::kEnvelopeBytes,
                                        envelope.body_bytes);
  if (wire::crc32c(body) != envelope.body_crc && !QUORATE_MUTANT(control_unchecked)) {
    return fail(core::GoodbyeReason::bad_frame, "body checksum differs");
  }
  ++receive_sequence_;
  const std::size_t begin = staging_begin_;
  sink_.on_message(envelope, body);
  // A handed-over connection keeps the message for the loop that takes it.
  if (released_) return false;
  staging_begin_ = begin + size;
  return !closing_;
}

bool Connection::parse_frame(const wire::Envelope& envelope) {
  constexpr std::size_t kHead = wire::kEnvelopeBytes + wire::kFramePrologueBytes;
  const std::size_t available = staging_end_ - staging_begin_;
  if (available < kHead) return false;
  const std::byte* head = staging_.get() + staging_begin_ + wire::kEnvelopeBytes;
  const auto error = wire::decode_frame_header(
      std::span<const std::byte, wire::kFrameHeaderBytes>(head, wire::kFrameHeaderBytes),
      options_.frame_records_max, frame_header_);
  if (error != wire::DecodeError::none) {
    return fail(core::GoodbyeReason::bad_frame, wire::to_string(error));
  }
  const std::uint64_t records = frame_header_.end - frame_header_.begin;
  if (envelope.body_bytes != wire::kFramePrologueBytes + records) {
    return fail(core::GoodbyeReason::bad_frame, "envelope and frame disagree on the length");
  }
  frame_records_ = sink_.on_frame_header(envelope, frame_header_);
  CHECK(frame_records_ != nullptr || closing_);
  if (closing_) return false;
  ++receive_sequence_;
  frame_envelope_ = envelope;
  std::memcpy(frame_prologue_.data(), head, frame_prologue_.size());
  frame_size_ = records;
  frame_placed_ = std::min<std::size_t>(records, available - kHead);
  std::memcpy(frame_records_, head + wire::kFramePrologueBytes, frame_placed_);
  staging_begin_ += kHead + frame_placed_;
  if (frame_placed_ < frame_size_) return false;
  finish_frame();
  return !closing_;
}

void Connection::finish_frame() {
  const std::span<const std::byte> records(frame_records_, frame_size_);
  const auto prefix =
      std::span<const std::byte, wire::kFramePrologueBytes>(frame_prologue_)
          .subspan<wire::kFrameHeaderBytes, wire::kBatchPrefixBytes>();
  const std::uint32_t crc = wire::crc32c(records, wire::crc32c(prefix));
  if (crc != frame_header_.body_crc && !QUORATE_MUTANT(body_unchecked)) {
    fail(core::GoodbyeReason::bad_frame, "frame checksum differs");
    return;
  }
  const auto batch = wire::view_batch_prefix(prefix, frame_size_);
  if (!batch.ok || batch.record_count != frame_header_.record_count ||
      wire::count_records(records) != std::int64_t{batch.record_count}) {
    fail(core::GoodbyeReason::bad_frame, "records of the batch are malformed");
    return;
  }
  frame_size_ = frame_placed_ = 0;
  sink_.on_frame(frame_envelope_, frame_header_);
}

bool Connection::fail(core::GoodbyeReason reason, const char* text) {
  malformed_ = true;
  refuse(reason, text);
  return false;
}

// Sending.

void Connection::stamp(wire::Envelope& envelope) noexcept {
  envelope.session = session_;
  envelope.sequence = send_sequence_++;
  envelope.epoch_number = sender_epoch_.number;
  envelope.epoch_incarnation = sender_epoch_.incarnation;
}

void Connection::queue_control(wire::MessageType type, std::span<const std::byte> body) {
  if (closing_) return;
  CHECK(body.size() % 8 == 0 && body.size() <= wire::kBodyMax[static_cast<std::size_t>(type)]);
  wire::Envelope envelope;
  envelope.type = type;
  envelope.body_bytes = static_cast<std::uint32_t>(body.size());
  envelope.body_crc = wire::crc32c(body);
  const std::size_t begin = control_next_.size();
  control_next_.resize(begin + wire::kEnvelopeBytes + body.size());
  std::byte* unit = control_next_.data() + begin;
  std::memcpy(unit, &envelope, wire::kEnvelopeBytes);  // encoded when it is stamped
  if (!body.empty()) std::memcpy(unit + wire::kEnvelopeBytes, body.data(), body.size());
}

bool Connection::add_frame(std::span<const std::byte> prologue, std::span<const std::byte> records,
                           Position committed, std::uint8_t envelope_flags) noexcept {
  if (frames_in_send_ == kFramesPerSend || closing_) return false;
  CHECK(!send_active_);
  const std::size_t size = wire::kEnvelopeBytes + prologue.size() + records.size();
  if (frames_in_send_ > 0 && frame_bytes_ + size > kSendBytesMax) return false;
  wire::Envelope envelope;
  envelope.type = wire::MessageType::batch;
  envelope.flags = envelope_flags;
  envelope.body_bytes = static_cast<std::uint32_t>(prologue.size() + records.size());
  envelope.committed = committed;
  frame_envelopes_[frames_in_send_] = envelope;
  auto& encoded = envelopes_[frames_in_send_];
  vectors_[vector_count_++] = {encoded.data(), encoded.size()};
  vectors_[vector_count_++] = {const_cast<std::byte*>(prologue.data()), prologue.size()};
  vectors_[vector_count_++] = {const_cast<std::byte*>(records.data()), records.size()};
  frame_bytes_ += size;
  frame_ends_[frames_in_send_++] = frame_bytes_;
  return true;
}

/// Sequence numbers are given when a send starts, so that what was queued behind a cut send keeps
/// its place.
void Connection::stamp_send() noexcept {
  for (std::size_t at = 0; at < control_send_.size();) {
    wire::Envelope envelope;
    const auto encoded = envelope_at(control_send_.data() + at);
    std::memcpy(&envelope, encoded.data(), wire::kEnvelopeBytes);
    stamp(envelope);
    wire::encode_envelope(envelope, encoded);
    at += wire::kEnvelopeBytes + envelope.body_bytes;
  }
  for (std::uint32_t frame = 0; frame < frames_in_send_; ++frame) {
    stamp(frame_envelopes_[frame]);
    wire::encode_envelope(frame_envelopes_[frame], envelopes_[frame]);
  }
}

bool Connection::submit() {
  if (send_active_ || (closing_ && !goodbye_)) return false;
  if (control_next_.empty() && frames_in_send_ == 0) return false;
  std::swap(control_next_, control_send_);
  control_next_.clear();
  stamp_send();
  vectors_[0] = {control_send_.data(), control_send_.size()};
  vector_next_ = control_send_.empty() ? 1 : 0;
  sent_bytes_ = 0;
  frames_consumed_ = 0;
  cut_asked_ = cut_done_ = draining_ = false;
  send_active_ = true;
  send_remaining();
  return true;
}

void Connection::send_remaining() {
  channel_.send({vectors_.data() + vector_next_, vector_count_ - vector_next_});
}

void Connection::on_consumed(std::int32_t result) {
  if (result < 0 && result != -ECANCELED) {
    send_active_ = false;
    return shut_down(std::strerror(-result));
  }
  std::size_t consumed = static_cast<std::size_t>(std::max(result, 0));
  sent_bytes_ += consumed;
  while (vector_next_ < vector_count_ && consumed >= vectors_[vector_next_].iov_len) {
    consumed -= vectors_[vector_next_++].iov_len;
  }
  if (vector_next_ < vector_count_) {
    auto& vector = vectors_[vector_next_];
    vector = {static_cast<std::byte*>(vector.iov_base) + consumed, vector.iov_len - consumed};
  }
  if (closing_ && !goodbye_) {
    send_active_ = false;
    return proceed_to_close();
  }
  if (vector_next_ == vector_count_) return finish_send();
  if (cut_asked_ && !draining_) return finish_cut();
  send_remaining();
}

void Connection::finish_send() {
  if (!draining_) frames_consumed_ = frames_in_send_;
  send_active_ = draining_ = false;
  drop_frames();
  cut_rest_ = std::vector<std::byte>();
  if (!closing_) return sink_.on_send_ready();
  if (submit()) return;
  channel_.end_sending();
  proceed_to_close();
}

void Connection::drop_frames() noexcept {
  vector_count_ = 1;
  frames_in_send_ = 0;
  frame_bytes_ = 0;
}

void Connection::cut_send() {
  if (!send_active_ || cut_asked_ || draining_) return;
  cut_asked_ = true;
  channel_.cancel_send();
}

/// The cancelled send stopped somewhere: what belongs to the frame it stopped in is copied, so that
/// the byte stream stays whole, and goes out from the copy; the frames behind were not sent.
void Connection::finish_cut() {
  const std::size_t control = control_send_.size();
  std::size_t keep_until = control;
  while (frames_consumed_ < frames_in_send_ && keep_until < sent_bytes_) {
    keep_until = control + frame_ends_[frames_consumed_++];
  }
  // The sequence numbers of the frames that were not sent are used again.
  if (!QUORATE_MUTANT(sequence_skips)) send_sequence_ -= frames_in_send_ - frames_consumed_;
  cut_rest_.clear();
  cut_rest_.reserve(keep_until - sent_bytes_);
  for (std::uint32_t v = vector_next_; cut_rest_.size() < keep_until - sent_bytes_; ++v) {
    const auto* bytes = static_cast<const std::byte*>(vectors_[v].iov_base);
    cut_rest_.insert(cut_rest_.end(), bytes, bytes + vectors_[v].iov_len);
  }
  vectors_[0] = {cut_rest_.data(), cut_rest_.size()};
  vector_next_ = 0;
  vector_count_ = 1;
  draining_ = cut_done_ = true;
  if (cut_rest_.empty() || QUORATE_MUTANT(rest_dropped)) return finish_send();
  send_remaining();
  if (!closing_) sink_.on_send_ready();
}

// Closing.

void Connection::refuse(core::GoodbyeReason reason, const std::string& text) {
  if (closing_) return;
  queue_control(wire::MessageType::goodbye, encode_goodbye(reason, text));
  why_ = text;
  closing_ = goodbye_ = true;
  if (!send_active_) {
    drop_frames();
    submit();
  }
  proceed_to_close();
}

void Connection::shut_down(const std::string& why) {
  if (closed_) return;
  if (!closing_) why_ = why;
  closing_ = true;
  goodbye_ = false;
  channel_.shut_down();
  proceed_to_close();
}

/// Closing a socket with unread bytes resets the connection, and a reset can destroy the goodbye on
/// its way: so what comes is read, up to a limit, until the peer has closed.
void Connection::on_dropped(std::int32_t result) {
  if (result <= 0) {
    input_ended_ = true;
  } else {
    dropped_bytes_ += static_cast<std::size_t>(result);
  }
  if (result < 0 || dropped_bytes_ > kDroppedBytesMax) return shut_down(why_);
  proceed_to_close();
}

/// Called whenever something has ended while closing.
void Connection::proceed_to_close() {
  if (closed_ || parsing_) return;
  if (goodbye_ && !input_ended_ && !channel_.receiving()) {
    receive_vectors_[0] = {staging_.get(), options_.staging_bytes};
    return channel_.receive({receive_vectors_.data(), 1});
  }
  if (!channel_.idle()) return;
  closed_ = true;
  send_active_ = false;
  channel_.close();
  sink_.on_closed(why_);
}

Connection::Released Connection::release() {
  CHECK(send_sequence_ == 0 && frame_size_ == 0);
  Released released;
  released.read_ahead.assign(staging_.get() + staging_begin_, staging_.get() + staging_end_);
  released.socket = channel_.release();
  released_ = closed_ = closing_ = true;
  return released;
}

void Connection::preload(std::span<const std::byte> bytes) {
  CHECK(staging_end_ + bytes.size() <= options_.staging_bytes);
  std::memcpy(staging_.get() + staging_end_, bytes.data(), bytes.size());
  staging_end_ += bytes.size();
}

}  // namespace quorate::transport
