// The claims of a replica's live connection, and what the primary answers to them.

#include <algorithm>
#include <utility>

#include "shard/replica_link.h"
#include "shard/replica_node.h"

namespace quorate::shard {

/// A primary of an older epoch may have been replaced, and not know it.
bool ReplicaLink::may_follow(const Epoch& epoch) const {
  return std::all_of(streams_.begin(), streams_.end(), [&](ReplicaStream* stream) {
    return stream->log() == nullptr || epoch >= stream->log()->promised();
  });
}

void ReplicaLink::claim_later(ReplicaStream& stream) {
  touch(stream);
  if (std::exchange(stream.claim_due, true)) return;
  claiming_.push_back(&stream);
}

/// Of the streams that may: with a log, nothing is claimed before the promise is durable.
void ReplicaLink::send_claims() {
  if (claiming_.empty() || state_ != State::streaming || !connection_->open()) return;
  claims_.clear();
  const auto flush = [&] {
    connection_->queue_control(wire::MessageType::resume, encoder_.resume(claims_));
    claims_.clear();
  };
  std::erase_if(claiming_, [&](ReplicaStream* stream) {
    if (!stream->may_claim(epoch_)) return false;
    stream->claim_due = false;
    // What the applying thread has done since belongs to the claim's credit.
    claims_.push_back(stream->machine().claim());
    if (claims_.size() == transport::kEntriesPerMessage) flush();
    return true;
  });
  if (!claims_.empty()) flush();
}

ReplicaStream* ReplicaLink::stream_of(StreamId id) noexcept {
  const std::uint32_t local = id / loops_;
  return id % loops_ == loop_ && local < streams_.size() ? streams_[local] : nullptr;
}

void ReplicaLink::on_resume_reply(std::span<const std::byte> body) {
  if (!transport::decode_resume_reply(body, verdicts_)) {
    return fail(core::GoodbyeReason::bad_frame, "resume reply is malformed");
  }
  for (const core::ResumeVerdict& verdict : verdicts_) {
    ReplicaStream* stream = stream_of(verdict.stream);
    // While a claim waits to be sent, the one before is no longer answered.
    if (stream == nullptr || stream->claim_due || !on_verdict(*stream, verdict)) {
      return fail(core::GoodbyeReason::protocol_violation, "answer to a claim that was not made");
    }
  }
}

bool ReplicaLink::on_verdict(ReplicaStream& stream, const core::ResumeVerdict& verdict) {
  using Machine = core::ReplicaMachine::State;
  if (!stream.machine().on_verdict(verdict)) return false;
  touch(stream);
  const std::string held = std::to_string(stream.machine().received());
  switch (stream.machine().state()) {
    case Machine::needs_full_copy:
      node_.on_needs_full_copy(verdict.stream,
                               "the primary no longer holds what follows position " + held +
                                   ", or its history is another one");
      if (node_.options().install) want_copy(stream);
      return true;
    case Machine::catching_up:
      if (verdict.verdict == core::Verdict::snapshot && stream.installing()) {
        want_copy(stream);
      } else {
        catch_up_.add(stream);
      }
      break;
    case Machine::truncating:
      shard_.trace(TraceLevel::warning,
                   "stream " + std::to_string(verdict.stream) + ": holds up to " + held +
                       " what this primary never had; cut behind " +
                       std::to_string(verdict.position) + ", which never was committed");
      stream.cut(verdict.position);
      break;
    case Machine::idle:
    case Machine::claiming:
    case Machine::streaming:
      if (verdict.verdict == core::Verdict::resumed && !std::exchange(resumed_, true)) {
        node_.on_resumed();
      }
  }
  copies_backoff_.reset();
  node_.on_copy_found(verdict.stream);
  return true;
}

/// The primary may have a snapshot later, or the program may have taken the one before.
void ReplicaLink::want_copy(ReplicaStream& stream) {
  if (std::find(wanting_.begin(), wanting_.end(), &stream) != wanting_.end()) return;
  wanting_.push_back(&stream);
  if (copies_at_ != kNever) return;
  const Instant now = shard_.now();
  copies_at_ = now + std::max<std::int64_t>(copies_backoff_.on_failure(now), kMillisecond_ns);
}

/// A stream that got on by the catch-up connection meanwhile has claimed since. A frame of it may
/// be half here, and the state that it was accepted in must last until it is whole.
void ReplicaLink::claim_copies() {
  using Machine = core::ReplicaMachine::State;
  copies_at_ = kNever;
  for (ReplicaStream* stream : wanting_) {
    const Machine state = stream->machine().state();
    if (state != Machine::needs_full_copy && state != Machine::catching_up) continue;
    stream->machine().on_claiming_again();
    claim_later(*stream);
  }
  wanting_.clear();
}

}  // namespace quorate::shard
