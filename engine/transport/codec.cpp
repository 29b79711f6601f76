#include "transport/codec.h"

#include <cstring>

#include "wire/verify.h"

namespace quorate::transport {

namespace fb = wire::fb;

namespace {
/// So that an answer about 256 streams stays an answer whatever they have to tell.
constexpr std::size_t kStatusErrorBytesMax = 256;
}  // namespace

struct Encoder::Builder {
  flatbuffers::FlatBufferBuilder fbb;

  explicit Builder(std::size_t bytes) : fbb(bytes) {}
};

Encoder::Encoder() : builder_(std::make_unique<Builder>(1024)) {}

void Encoder::reserve(std::size_t streams) {
  builder_ = std::make_unique<Builder>(control_bytes_for(streams));
  bytes_.reserve(control_bytes_for(streams));
}
Encoder::~Encoder() = default;

/// Bodies are padded to 8 bytes, so that every unit on the wire keeps the next one aligned.
std::span<const std::byte> Encoder::finish() {
  auto& fbb = builder_->fbb;
  const std::size_t size = fbb.GetSize();
  bytes_.assign((size + 7) / 8 * 8, std::byte{0});
  std::memcpy(bytes_.data(), fbb.GetBufferPointer(), size);
  fbb.Clear();
  return bytes_;
}

std::vector<std::byte> encode_goodbye(core::GoodbyeReason reason, const std::string& text) {
  flatbuffers::FlatBufferBuilder fbb;
  const auto line = fbb.CreateString(text.substr(0, wire::kTextBytesMax));
  fbb.Finish(fb::CreateGoodbye(fbb, static_cast<fb::GoodbyeReason>(reason), line));
  std::vector<std::byte> bytes((fbb.GetSize() + 7) / 8 * 8, std::byte{0});
  std::memcpy(bytes.data(), fbb.GetBufferPointer(), fbb.GetSize());
  return bytes;
}

std::span<const std::byte> Encoder::hello(const core::Hello& hello) {
  auto& fbb = builder_->fbb;
  const auto cluster = fbb.CreateString(hello.cluster);
  const auto node = fbb.CreateString(hello.node);
  fbb.Finish(fb::CreateHello(fbb, cluster, node, static_cast<fb::Role>(hello.role),
                             hello.version_min, hello.version_max, hello.capabilities, hello.loop,
                             hello.incarnation, hello.heartbeat_ms, hello.ring_bytes));
  return finish();
}

std::span<const std::byte> Encoder::welcome(const core::Welcome& welcome) {
  auto& fbb = builder_->fbb;
  const auto node = fbb.CreateString(welcome.node);
  fbb.Finish(fb::CreateWelcome(fbb, welcome.session, welcome.version, welcome.capabilities,
                               welcome.epoch.number, welcome.epoch.incarnation, welcome.loops,
                               welcome.streams, welcome.ring_bytes, welcome.frame_bytes_max,
                               welcome.heartbeat_ms, welcome.peer_timeout_ms, node));
  return finish();
}

std::span<const std::byte> Encoder::resume(std::span<const core::ResumeClaim> claims) {
  auto& fbb = builder_->fbb;
  fb::ResumeEntry* entries = nullptr;
  const auto vector = fbb.CreateUninitializedVectorOfStructs(claims.size(), &entries);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const core::ResumeClaim& claim = claims[i];
    entries[i] = fb::ResumeEntry(claim.epoch.number, claim.epoch.incarnation, claim.position,
                                 claim.incarnation, claim.credit_limit, claim.checksum,
                                 claim.stream, claim.frames, claim.frame_limit, 0);
  }
  fbb.Finish(fb::CreateResume(fbb, vector));
  return finish();
}

std::span<const std::byte> Encoder::resume_reply(std::span<const core::ResumeVerdict> verdicts) {
  auto& fbb = builder_->fbb;
  fb::ResumeVerdict* entries = nullptr;
  const auto vector = fbb.CreateUninitializedVectorOfStructs(verdicts.size(), &entries);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    entries[i] = fb::ResumeVerdict(verdicts[i].position, verdicts[i].stream,
                                   static_cast<fb::Verdict>(verdicts[i].verdict), 0, 0);
  }
  fbb.Finish(fb::CreateResumeReply(fbb, vector));
  return finish();
}

std::span<const std::byte> Encoder::acknowledgements(std::span<const core::Acknowledgement> acks) {
  auto& fbb = builder_->fbb;
  fb::Acknowledgement* entries = nullptr;
  const auto vector = fbb.CreateUninitializedVectorOfStructs(acks.size(), &entries);
  for (std::size_t i = 0; i < acks.size(); ++i) {
    const core::Acknowledgement& ack = acks[i];
    entries[i] = fb::Acknowledgement(ack.epoch.number, ack.epoch.incarnation, ack.incarnation,
                                     ack.received, ack.durable, ack.applied, ack.credit_limit,
                                     ack.stream, ack.frame_limit);
  }
  fbb.Finish(fb::CreateAcknowledgements(fbb, vector));
  return finish();
}

std::span<const std::byte> Encoder::heartbeat(std::int64_t sent_at_ns,
                                              std::span<const core::Commit> commits,
                                              bool applied_awaited) {
  auto& fbb = builder_->fbb;
  fb::Commit* entries = nullptr;
  const auto vector = fbb.CreateUninitializedVectorOfStructs(commits.size(), &entries);
  for (std::size_t i = 0; i < commits.size(); ++i) {
    entries[i] = fb::Commit(commits[i].committed, commits[i].stream, applied_awaited ? 1 : 0);
  }
  fbb.Finish(fb::CreateHeartbeat(fbb, static_cast<std::uint64_t>(sent_at_ns), vector));
  return finish();
}

std::span<const std::byte> Encoder::status_request(std::uint32_t begin, std::uint32_t count) {
  builder_->fbb.Finish(fb::CreateStatusRequest(builder_->fbb, begin, count));
  return finish();
}

std::span<const std::byte> Encoder::status(const std::string& node, std::uint32_t streams_total,
                                           std::span<const StreamStatus> streams) {
  auto& fbb = builder_->fbb;
  std::vector<flatbuffers::Offset<fb::StreamState>> stream_offsets;
  for (const StreamStatus& stream : streams) {
    std::vector<flatbuffers::Offset<fb::ReplicaState>> replica_offsets;
    for (const ReplicaStatus& replica : stream.replicas) {
      replica_offsets.push_back(fb::CreateReplicaState(
          fbb, fbb.CreateString(replica.name), static_cast<std::uint8_t>(replica.state),
          replica.sent, replica.received, replica.durable, replica.applied, replica.lag_bytes,
          static_cast<std::int64_t>(replica.lag_seconds * 1e9),
          replica.catch_up_bytes_per_second));
    }
    flatbuffers::Offset<flatbuffers::String> error;
    if (!stream.snapshot_error.empty()) {
      error = fbb.CreateString(stream.snapshot_error.substr(0, kStatusErrorBytesMax));
    }
    stream_offsets.push_back(fb::CreateStreamState(
        fbb, stream.stream, stream.epoch.number, stream.epoch.incarnation, stream.appended,
        stream.committed, fbb.CreateVector(replica_offsets), stream.durable, stream.log_first,
        stream.log_bytes, static_cast<std::uint8_t>(stream.retention), stream.snapshot_position,
        stream.snapshot_bytes, stream.snapshot_wanted, error));
  }
  const auto name = fbb.CreateString(node);
  fbb.Finish(fb::CreateStatus(fbb, name, streams_total, fbb.CreateVector(stream_offsets)));
  return finish();
}

std::span<const std::byte> Encoder::snapshot_begin(const core::SnapshotHead& head) {
  auto& fbb = builder_->fbb;
  fbb.Finish(fb::CreateSnapshotBegin(fbb, head.stream, head.id, head.position, head.epoch.number,
                                     head.epoch.incarnation, head.checksum, head.program,
                                     head.bytes, head.crc, head.has_file));
  return finish();
}

std::span<const std::byte> Encoder::snapshot_request(const core::SnapshotRequest& request) {
  auto& fbb = builder_->fbb;
  fbb.Finish(fb::CreateSnapshotRequest(fbb, request.stream, request.id, request.offset));
  return finish();
}

std::span<const std::byte> Encoder::snapshot_chunk(std::uint64_t id, std::uint64_t offset,
                                                   std::span<const std::byte> bytes) {
  auto& fbb = builder_->fbb;
  const auto vector =
      fbb.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  fbb.Finish(fb::CreateSnapshotChunk(fbb, id, offset, vector));
  return finish();
}

bool decode_hello(std::span<const std::byte> body, core::Hello& out) {
  const auto* hello = wire::view_hello(body);
  if (hello == nullptr) return false;
  out = {hello->cluster()->str(),
         hello->node()->str(),
         static_cast<core::Role>(hello->role()),
         hello->version_min(),
         hello->version_max(),
         hello->capabilities(),
         hello->loop(),
         hello->incarnation(),
         hello->heartbeat_ms(),
         hello->ring_bytes()};
  return true;
}

bool decode_welcome(std::span<const std::byte> body, core::Welcome& out) {
  const auto* welcome = wire::view_welcome(body);
  if (welcome == nullptr) return false;
  out = {welcome->session(),
         welcome->version(),
         welcome->capabilities(),
         {welcome->epoch_number(), welcome->epoch_incarnation()},
         welcome->loops(),
         welcome->streams(),
         welcome->ring_bytes(),
         welcome->frame_bytes_max(),
         welcome->heartbeat_ms(),
         welcome->peer_timeout_ms(),
         welcome->node()->str()};
  return true;
}

bool decode_resume(std::span<const std::byte> body, std::vector<core::ResumeClaim>& out) {
  const auto* resume = wire::view_resume(body);
  if (resume == nullptr) return false;
  out.clear();
  for (const auto* entry : *resume->entries()) {
    out.push_back({entry->stream(),
                   {entry->epoch_number(), entry->epoch_incarnation()},
                   entry->position(),
                   entry->checksum(),
                   entry->incarnation(),
                   entry->credit_limit(),
                   entry->frames(),
                   entry->frame_limit()});
  }
  return true;
}

bool decode_resume_reply(std::span<const std::byte> body, std::vector<core::ResumeVerdict>& out) {
  const auto* reply = wire::view_resume_reply(body);
  if (reply == nullptr) return false;
  out.clear();
  for (const auto* entry : *reply->entries()) {
    out.push_back({entry->stream(), static_cast<core::Verdict>(entry->verdict()),
                   entry->position()});
  }
  return true;
}

bool decode_acknowledgements(std::span<const std::byte> body,
                             std::vector<core::Acknowledgement>& out) {
  const auto* acks = wire::view_acknowledgements(body);
  if (acks == nullptr) return false;
  out.clear();
  for (const auto* entry : *acks->entries()) {
    out.push_back({entry->stream(),
                   {entry->epoch_number(), entry->epoch_incarnation()},
                   entry->incarnation(),
                   entry->received(),
                   entry->durable(),
                   entry->applied(),
                   entry->credit_limit(),
                   entry->frame_limit()});
  }
  return true;
}

bool decode_heartbeat(std::span<const std::byte> body, std::vector<core::Commit>& out,
                      bool& applied_awaited) {
  const auto* heartbeat = wire::view_heartbeat(body);
  if (heartbeat == nullptr) return false;
  out.clear();
  applied_awaited = false;
  for (const auto* commit : *heartbeat->commits()) {
    out.push_back({commit->stream(), commit->committed()});
    applied_awaited = applied_awaited || (commit->flags() & 1) != 0;
  }
  return true;
}

bool decode_status_request(std::span<const std::byte> body, std::uint32_t& begin,
                           std::uint32_t& count) {
  const auto* request = wire::view_status_request(body);
  if (request == nullptr) return false;
  begin = request->stream_begin();
  count = request->stream_count();
  return true;
}

bool decode_status(std::span<const std::byte> body, std::uint32_t& streams_total,
                   std::vector<StreamStatus>& out) {
  const auto* status = wire::view_status(body);
  if (status == nullptr) return false;
  streams_total = status->streams_total();
  for (const auto* entry : *status->streams()) {
    StreamStatus stream;
    stream.stream = entry->stream();
    stream.epoch = {entry->epoch_number(), entry->epoch_incarnation()};
    stream.appended = entry->appended();
    stream.committed = entry->committed();
    stream.durable = entry->durable();
    stream.log_first = entry->log_first();
    stream.log_bytes = entry->log_bytes();
    stream.retention = static_cast<RetentionState>(entry->retention());
    stream.snapshot_position = entry->snapshot_position();
    stream.snapshot_bytes = entry->snapshot_bytes();
    stream.snapshot_wanted = entry->snapshot_wanted();
    if (entry->snapshot_error() != nullptr) stream.snapshot_error = entry->snapshot_error()->str();
    for (const auto* one : *entry->replicas()) {
      stream.replicas.push_back({one->name()->str(),
                                 static_cast<ReplicaStatus::State>(one->state()), one->sent(),
                                 one->received(), one->durable(), one->applied(), one->lag_bytes(),
                                 static_cast<double>(one->lag_ns()) / 1e9,
                                 one->catch_up_bytes_per_second()});
    }
    out.push_back(std::move(stream));
  }
  return true;
}

bool decode_goodbye(std::span<const std::byte> body, core::Goodbye& out) {
  const auto* goodbye = wire::view_goodbye(body);
  if (goodbye == nullptr) return false;
  out = {static_cast<core::GoodbyeReason>(goodbye->reason()), goodbye->text()->str()};
  return true;
}

bool decode_snapshot_begin(std::span<const std::byte> body, core::SnapshotHead& out) {
  const auto* begin = wire::view_snapshot_begin(body);
  if (begin == nullptr) return false;
  out = {begin->stream(),
         begin->id(),
         begin->position(),
         {begin->epoch_number(), begin->epoch_incarnation()},
         begin->checksum(),
         begin->program_position(),
         begin->bytes(),
         begin->crc(),
         begin->has_file()};
  return true;
}

bool decode_snapshot_request(std::span<const std::byte> body, core::SnapshotRequest& out) {
  const auto* request = wire::view_snapshot_request(body);
  if (request == nullptr) return false;
  out = {request->stream(), request->id(), request->offset()};
  return true;
}

bool decode_snapshot_chunk(std::span<const std::byte> body, SnapshotChunk& out) {
  const auto* chunk = wire::view_snapshot_chunk(body);
  if (chunk == nullptr) return false;
  const auto* bytes = reinterpret_cast<const std::byte*>(chunk->bytes()->data());
  out = {chunk->id(), chunk->offset(), {bytes, chunk->bytes()->size()}};
  return true;
}

core::FrameInfo frame_info(const wire::FrameHeader& header) {
  return {header.stream,
          {header.epoch_number, header.epoch_incarnation},
          header.begin,
          header.end,
          {header.previous_epoch_number, header.previous_epoch_incarnation},
          header.previous_checksum,
          header.header_crc};
}

}  // namespace quorate::transport
