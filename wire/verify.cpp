#include "wire/verify.h"

#include "wire/frame.h"

namespace quorate::wire {

namespace {

constexpr flatbuffers::uoffset_t kDepthMax = 8;
constexpr flatbuffers::uoffset_t kStatusTablesMax =
    1 + kStatusStreamsMax * (1 + kStatusReplicasMax);

bool is_aligned(const void* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % 8 == 0;
}

template <typename Table>
const Table* verified(MessageType type, std::span<const std::byte> body,
                      flatbuffers::uoffset_t tables_max = 1) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  if (body.size() < 8 || body.size() > kBodyMax[static_cast<std::uint8_t>(type)]) return nullptr;
  if (!is_aligned(bytes)) return nullptr;
  flatbuffers::Verifier verifier(bytes, body.size(), kDepthMax, tables_max);
  if (!verifier.VerifyBuffer<Table>(nullptr)) return nullptr;
  return flatbuffers::GetRoot<Table>(bytes);
}

/// The verifier checks the alignment of a vector's length, not of the 8-aligned structs behind it.
template <typename Struct>
bool is_list(const flatbuffers::Vector<const Struct*>* entries, std::size_t entries_max) noexcept {
  static_assert(alignof(Struct) == 8);
  return entries->size() <= entries_max && (entries->size() == 0 || is_aligned(entries->Data()));
}

bool is_name(const flatbuffers::String* text) noexcept {
  return text->size() >= 1 && text->size() <= kNameBytesMax;
}

}  // namespace

const fb::Hello* view_hello(std::span<const std::byte> body) noexcept {
  const auto* hello = verified<fb::Hello>(MessageType::hello, body);
  if (hello == nullptr || !is_name(hello->cluster()) || !is_name(hello->node())) return nullptr;
  return hello->role() <= fb::Role::catch_up ? hello : nullptr;
}

const fb::Welcome* view_welcome(std::span<const std::byte> body) noexcept {
  const auto* welcome = verified<fb::Welcome>(MessageType::welcome, body);
  return welcome != nullptr && is_name(welcome->node()) ? welcome : nullptr;
}

const fb::Resume* view_resume(std::span<const std::byte> body) noexcept {
  const auto* resume = verified<fb::Resume>(MessageType::resume, body);
  return resume != nullptr && is_list(resume->entries(), kEntriesMax) ? resume : nullptr;
}

const fb::ResumeReply* view_resume_reply(std::span<const std::byte> body) noexcept {
  const auto* reply = verified<fb::ResumeReply>(MessageType::resume_reply, body);
  if (reply == nullptr || !is_list(reply->entries(), kEntriesMax)) return nullptr;
  for (const auto* entry : *reply->entries()) {
    if (entry->verdict() > fb::Verdict::snapshot) return nullptr;
  }
  return reply;
}

const fb::Acknowledgements* view_acknowledgements(std::span<const std::byte> body) noexcept {
  const auto* acks = verified<fb::Acknowledgements>(MessageType::acknowledgements, body);
  return acks != nullptr && is_list(acks->entries(), kEntriesMax) ? acks : nullptr;
}

const fb::Heartbeat* view_heartbeat(std::span<const std::byte> body) noexcept {
  const auto* heartbeat = verified<fb::Heartbeat>(MessageType::heartbeat, body);
  return heartbeat != nullptr && is_list(heartbeat->commits(), kCommitsMax) ? heartbeat : nullptr;
}

const fb::StatusRequest* view_status_request(std::span<const std::byte> body) noexcept {
  return verified<fb::StatusRequest>(MessageType::status_request, body);
}

const fb::Status* view_status(std::span<const std::byte> body) noexcept {
  const auto* status = verified<fb::Status>(MessageType::status, body, kStatusTablesMax);
  if (status == nullptr || !is_name(status->node())) return nullptr;
  if (status->streams()->size() > kStatusStreamsMax) return nullptr;
  for (const auto* stream : *status->streams()) {
    if (stream->replicas()->size() > kStatusReplicasMax) return nullptr;
    if (stream->retention() > kRetentionStateMax) return nullptr;
    const auto* error = stream->snapshot_error();
    if (error != nullptr && error->size() > kTextBytesMax) return nullptr;
    for (const auto* replica : *stream->replicas()) {
      if (!is_name(replica->name()) || replica->state() > kReplicaStateMax) return nullptr;
    }
  }
  return status;
}

const fb::Goodbye* view_goodbye(std::span<const std::byte> body) noexcept {
  const auto* goodbye = verified<fb::Goodbye>(MessageType::goodbye, body);
  if (goodbye == nullptr || goodbye->text()->size() > kTextBytesMax) return nullptr;
  return goodbye->reason() <= fb::GoodbyeReason::caught_up ? goodbye : nullptr;
}

const fb::SnapshotBegin* view_snapshot_begin(std::span<const std::byte> body) noexcept {
  const auto* begin = verified<fb::SnapshotBegin>(MessageType::snapshot_begin, body);
  if (begin == nullptr || begin->id() == 0 || begin->bytes() > kSnapshotBytesMax) return nullptr;
  if (!begin->has_file() && (begin->bytes() != 0 || begin->crc() != 0)) return nullptr;
  // The program's position is its frame's end, or lies in the frame behind.
  const std::uint64_t position = begin->position();
  const std::uint64_t program = begin->program_position();
  if (program < position || program - position > kFrameRecordsMax) return nullptr;
  // Room for a ring behind it, in 64 bits.
  return position % 8 == 0 && program % 8 == 0 && program < 1ull << 63 ? begin : nullptr;
}

const fb::SnapshotRequest* view_snapshot_request(std::span<const std::byte> body) noexcept {
  const auto* request = verified<fb::SnapshotRequest>(MessageType::snapshot_request, body);
  return request != nullptr && request->offset() <= kSnapshotBytesMax ? request : nullptr;
}

const fb::SnapshotChunk* view_snapshot_chunk(std::span<const std::byte> body) noexcept {
  const auto* chunk = verified<fb::SnapshotChunk>(MessageType::snapshot_chunk, body);
  if (chunk == nullptr || chunk->offset() > kSnapshotBytesMax) return nullptr;
  const std::size_t bytes = chunk->bytes()->size();
  return bytes >= 1 && bytes <= kSnapshotChunkBytesMax ? chunk : nullptr;
}

}  // namespace quorate::wire
