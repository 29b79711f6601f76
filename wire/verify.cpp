#include "wire/verify.h"

namespace quorate::wire {

namespace {

constexpr flatbuffers::uoffset_t kDepthMax = 8;

template <typename Table>
const Table* verified(std::span<const std::byte> body, flatbuffers::uoffset_t tables_max) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  if (body.size() < 8 || reinterpret_cast<std::uintptr_t>(bytes) % 8 != 0) return nullptr;
  flatbuffers::Verifier verifier(bytes, body.size(), kDepthMax, tables_max);
  if (!verifier.VerifyBuffer<Table>(nullptr)) return nullptr;
  return flatbuffers::GetRoot<Table>(bytes);
}

bool is_name(const flatbuffers::String* text) noexcept {
  return text->size() >= 1 && text->size() <= kNameBytesMax;
}

}  // namespace

const fb::Hello* view_hello(std::span<const std::byte> body) noexcept {
  const auto* hello = verified<fb::Hello>(body, 1);
  if (hello == nullptr || !is_name(hello->cluster()) || !is_name(hello->node())) return nullptr;
  return hello->role() <= fb::Role::client ? hello : nullptr;
}

const fb::Welcome* view_welcome(std::span<const std::byte> body) noexcept {
  const auto* welcome = verified<fb::Welcome>(body, 1);
  return welcome != nullptr && is_name(welcome->node()) ? welcome : nullptr;
}

const fb::Resume* view_resume(std::span<const std::byte> body) noexcept {
  const auto* resume = verified<fb::Resume>(body, 1);
  return resume != nullptr && resume->entries()->size() <= kEntriesMax ? resume : nullptr;
}

const fb::ResumeReply* view_resume_reply(std::span<const std::byte> body) noexcept {
  const auto* reply = verified<fb::ResumeReply>(body, 1);
  if (reply == nullptr || reply->entries()->size() > kEntriesMax) return nullptr;
  for (const auto* entry : *reply->entries()) {
    if (entry->verdict() > fb::Verdict::needs_full_copy) return nullptr;
  }
  return reply;
}

const fb::Acknowledgements* view_acknowledgements(std::span<const std::byte> body) noexcept {
  const auto* acks = verified<fb::Acknowledgements>(body, 1);
  return acks != nullptr && acks->entries()->size() <= kEntriesMax ? acks : nullptr;
}

const fb::Heartbeat* view_heartbeat(std::span<const std::byte> body) noexcept {
  const auto* heartbeat = verified<fb::Heartbeat>(body, 1);
  return heartbeat != nullptr && heartbeat->commits()->size() <= kCommitsMax ? heartbeat : nullptr;
}

const fb::StatusRequest* view_status_request(std::span<const std::byte> body) noexcept {
  return verified<fb::StatusRequest>(body, 1);
}

const fb::Status* view_status(std::span<const std::byte> body) noexcept {
  const auto* status = verified<fb::Status>(body, 1 + kStatusStreamsMax * 65);
  if (status == nullptr || !is_name(status->node())) return nullptr;
  if (status->streams()->size() > kStatusStreamsMax) return nullptr;
  for (const auto* stream : *status->streams()) {
    for (const auto* replica : *stream->replicas()) {
      if (!is_name(replica->name())) return nullptr;
    }
  }
  return status;
}

const fb::Goodbye* view_goodbye(std::span<const std::byte> body) noexcept {
  const auto* goodbye = verified<fb::Goodbye>(body, 1);
  if (goodbye == nullptr || goodbye->text()->size() > kTextBytesMax) return nullptr;
  return goodbye->reason() <= fb::GoodbyeReason::internal ? goodbye : nullptr;
}

}  // namespace quorate::wire
