#pragma once

// The only way from the bytes of a control message to a view of it: one function per table that
// verifies with tight limits (size, depth 8, tables, string lengths, entry counts, enum ranges) and
// returns the view, or null. `body` must be 8-byte aligned and stay unchanged while the view is
// used.

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/limits.h"
#include "wire/quorate_generated.h"

namespace quorate::wire {

inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kTextBytesMax = 512;
inline constexpr std::size_t kEntriesMax = 1000;  ///< of one resume, reply, acknowledgement message
inline constexpr std::size_t kCommitsMax = 4000;
inline constexpr std::size_t kStatusStreamsMax = 256;
inline constexpr std::size_t kStatusReplicasMax = 64;  ///< of one stream
inline constexpr std::uint8_t kReplicaStateMax = 4;
inline constexpr std::uint8_t kRetentionStateMax = 4;

const fb::Hello* view_hello(std::span<const std::byte> body) noexcept;
const fb::Welcome* view_welcome(std::span<const std::byte> body) noexcept;
const fb::Resume* view_resume(std::span<const std::byte> body) noexcept;
const fb::ResumeReply* view_resume_reply(std::span<const std::byte> body) noexcept;
const fb::Acknowledgements* view_acknowledgements(std::span<const std::byte> body) noexcept;
const fb::Heartbeat* view_heartbeat(std::span<const std::byte> body) noexcept;
const fb::StatusRequest* view_status_request(std::span<const std::byte> body) noexcept;
const fb::Status* view_status(std::span<const std::byte> body) noexcept;
const fb::Goodbye* view_goodbye(std::span<const std::byte> body) noexcept;
const fb::SnapshotBegin* view_snapshot_begin(std::span<const std::byte> body) noexcept;
const fb::SnapshotRequest* view_snapshot_request(std::span<const std::byte> body) noexcept;
const fb::SnapshotChunk* view_snapshot_chunk(std::span<const std::byte> body) noexcept;

}  // namespace quorate::wire
