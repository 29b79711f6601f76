#include "tests/unit/wire/messages.h"

#include <algorithm>

#include "transport/codec.h"
#include "wire/verify.h"

namespace quorate::wire {

namespace {

using Bytes = std::span<const std::byte>;
namespace t = quorate::transport;

template <auto kView>
bool viewed(Bytes body) {
  return kView(body) != nullptr;
}
template <typename Out, auto kDecode>
bool decoded(Bytes body) {
  Out out;
  return kDecode(body, out);
}
bool read_heartbeat(Bytes body) {
  std::vector<core::Commit> commits;
  bool applied_awaited = false;
  return t::decode_heartbeat(body, commits, applied_awaited);
}
bool read_status_request(Bytes body) {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
  return t::decode_status_request(body, begin, count);
}
bool read_status(Bytes body) {
  std::uint32_t total = 0;
  std::vector<StreamStatus> streams;
  return t::decode_status(body, total, streams);
}

bool read_chunk(Bytes body) {
  t::SnapshotChunk chunk;
  if (!t::decode_snapshot_chunk(body, chunk)) return false;
  // Whoever is given a piece reads all of it.
  return std::all_of(chunk.bytes.begin(), chunk.bytes.end(), [](std::byte) { return true; });
}

core::SnapshotHead some_snapshot() {
  return {3, 9, 0x3000, {4, 5}, 6, 0x3010, 1u << 20, 7, true};
}

std::vector<StreamStatus> some_streams() {
  ReplicaStatus b;
  b.name = "b";
  b.state = ReplicaStatus::State::streaming;
  b.sent = 64;
  ReplicaStatus c;
  c.name = std::string(64, 'c');
  c.state = ReplicaStatus::State::needs_full_copy;
  StreamStatus first;
  first.appended = 64;
  first.replicas = {b, c};
  StreamStatus second;
  second.stream = 1;
  second.snapshot_position = 8;
  second.snapshot_wanted = true;
  second.snapshot_error = "why";
  return {first, second};
}

core::Hello some_hello() {
  core::Hello hello;
  hello.cluster = "cluster";
  hello.node = std::string(64, 'n');
  hello.role = core::Role::client;
  hello.version_min = 1;
  hello.version_max = 2;
  hello.ring_bytes = 1u << 20;
  return hello;
}

}  // namespace

Exact::Exact(std::span<const std::byte> bytes)
    : memory_(std::make_unique<std::byte[]>(bytes.size())), size_(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), memory_.get());
}

std::vector<Message> valid_messages() {
  t::Encoder encoder;
  const auto kept = [](Bytes body) { return std::vector<std::byte>(body.begin(), body.end()); };
  core::Welcome welcome;
  welcome.session = 5;
  welcome.node = "a";
  const std::vector<core::ResumeClaim> claims(3);
  const std::vector<core::ResumeVerdict> verdicts(3);
  const std::vector<core::Acknowledgement> acks(3);
  const std::vector<core::Commit> commits(3);
  return {
      {"hello", kept(encoder.hello(some_hello())), viewed<view_hello>,
       decoded<core::Hello, t::decode_hello>},
      {"welcome", kept(encoder.welcome(welcome)), viewed<view_welcome>,
       decoded<core::Welcome, t::decode_welcome>},
      {"resume", kept(encoder.resume(claims)), viewed<view_resume>,
       decoded<std::vector<core::ResumeClaim>, t::decode_resume>},
      {"resume_reply", kept(encoder.resume_reply(verdicts)), viewed<view_resume_reply>,
       decoded<std::vector<core::ResumeVerdict>, t::decode_resume_reply>},
      {"acknowledgements", kept(encoder.acknowledgements(acks)), viewed<view_acknowledgements>,
       decoded<std::vector<core::Acknowledgement>, t::decode_acknowledgements>},
      {"heartbeat", kept(encoder.heartbeat(1, commits, true)), viewed<view_heartbeat>,
       read_heartbeat},
      {"status_request", kept(encoder.status_request(2, 3)), viewed<view_status_request>,
       read_status_request},
      {"status", kept(encoder.status("a", 2, some_streams())), viewed<view_status>, read_status},
      {"goodbye", t::encode_goodbye(core::GoodbyeReason::internal, "why"), viewed<view_goodbye>,
       decoded<core::Goodbye, t::decode_goodbye>},
      {"snapshot_begin", kept(encoder.snapshot_begin(some_snapshot())), viewed<view_snapshot_begin>,
       decoded<core::SnapshotHead, t::decode_snapshot_begin>},
      {"snapshot_request", kept(encoder.snapshot_request({3, 9, 4096})),
       viewed<view_snapshot_request>, decoded<core::SnapshotRequest, t::decode_snapshot_request>},
      {"snapshot_chunk", kept(encoder.snapshot_chunk(9, 4096, std::vector<std::byte>(100))),
       viewed<view_snapshot_chunk>, read_chunk},
  };
}

}  // namespace quorate::wire
