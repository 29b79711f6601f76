#pragma once

// Core messages to and from the wire schema: the one file that knows both. Decoding verifies first
// and answers false on anything that does not hold; it overwrites its output. Encoders reuse their
// memory, so that what flows while streaming does not allocate once warm. Used on one loop.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/message.h"
#include "quorate/status.h"
#include "wire/frame.h"

namespace quorate::transport {

inline constexpr std::size_t kEntriesPerMessage = 1000;

/// Room for the control messages of one turn about that many streams: an entry each, of 64 bytes at
/// most, and what surrounds them. More than one full message is left to grow.
constexpr std::size_t control_bytes_for(std::size_t streams) noexcept {
  return 1024 + 64 * std::min(streams, kEntriesPerMessage);
}

std::vector<std::byte> encode_goodbye(core::GoodbyeReason reason, const std::string& text);

class Encoder {
 public:
  Encoder();
  /// Room for messages about that many streams.
  void reserve(std::size_t streams);
  ~Encoder();

  // Each result is valid until the next call.
  std::span<const std::byte> hello(const core::Hello& hello);
  std::span<const std::byte> welcome(const core::Welcome& welcome);
  std::span<const std::byte> resume(std::span<const core::ResumeClaim> claims);
  std::span<const std::byte> resume_reply(std::span<const core::ResumeVerdict> verdicts);
  std::span<const std::byte> acknowledgements(std::span<const core::Acknowledgement> acks);
  std::span<const std::byte> heartbeat(std::int64_t sent_at_ns,
                                       std::span<const core::Commit> commits,
                                       bool applied_awaited);
  std::span<const std::byte> status_request(std::uint32_t begin, std::uint32_t count);
  std::span<const std::byte> status(const std::string& node, std::uint32_t streams_total,
                                    std::span<const StreamStatus> streams);
  std::span<const std::byte> snapshot_begin(const core::SnapshotHead& head);
  std::span<const std::byte> snapshot_request(const core::SnapshotRequest& request);
  std::span<const std::byte> snapshot_chunk(std::uint64_t id, std::uint64_t offset,
                                            std::span<const std::byte> bytes);

 private:
  std::span<const std::byte> finish();

  struct Builder;
  std::unique_ptr<Builder> builder_;
  std::vector<std::byte> bytes_;
};

bool decode_hello(std::span<const std::byte> body, core::Hello& out);
bool decode_welcome(std::span<const std::byte> body, core::Welcome& out);
bool decode_resume(std::span<const std::byte> body, std::vector<core::ResumeClaim>& out);
bool decode_resume_reply(std::span<const std::byte> body, std::vector<core::ResumeVerdict>& out);
bool decode_acknowledgements(std::span<const std::byte> body,
                             std::vector<core::Acknowledgement>& out);
bool decode_heartbeat(std::span<const std::byte> body, std::vector<core::Commit>& out,
                      bool& applied_awaited);
bool decode_status_request(std::span<const std::byte> body, std::uint32_t& begin,
                           std::uint32_t& count);
/// Appends, so that the answers to several requests make one list.
bool decode_status(std::span<const std::byte> body, std::uint32_t& streams_total,
                   std::vector<StreamStatus>& out);
bool decode_goodbye(std::span<const std::byte> body, core::Goodbye& out);
bool decode_snapshot_begin(std::span<const std::byte> body, core::SnapshotHead& out);
bool decode_snapshot_request(std::span<const std::byte> body, core::SnapshotRequest& out);
/// A piece of a snapshot; its bytes stay in the message.
struct SnapshotChunk {
  std::uint64_t id = 0;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};
bool decode_snapshot_chunk(std::span<const std::byte> body, SnapshotChunk& out);

core::FrameInfo frame_info(const wire::FrameHeader& header);

}  // namespace quorate::transport
