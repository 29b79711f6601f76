#pragma once

// The protocol's messages as plain structs. transport/codec translates them to the wire schema; the
// machines of this folder see nothing else of a peer. Strings and vectors occur only in messages of
// a handshake or of status; what flows while streaming is fixed in size.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/frame_credit.h"
#include "quorate/types.h"

namespace quorate::core {

/// A replica's live connection, a client that asks for status, or a replica's connection for what
/// the primary's ring no longer holds.
enum class Role : std::uint8_t { replica, client, catch_up };

enum class GoodbyeReason : std::uint8_t {
  closing,
  wrong_cluster,
  unknown_node,
  incompatible_version,
  bad_frame,
  too_large,
  protocol_violation,
  replaced,  ///< a newer connection of the same node took over
  timeout,
  busy,
  not_primary,
  needs_full_copy,
  fenced,
  internal,
  caught_up,  ///< the rest is in the ring: the stream goes on over the live connection
};
std::string_view to_string(GoodbyeReason reason) noexcept;

struct Hello {
  std::string cluster;
  std::string node;
  Role role = Role::replica;
  std::uint16_t version_min = 0;
  std::uint16_t version_max = 0;
  std::uint64_t capabilities = 0;
  std::uint32_t loop = 0;  ///< which of the primary's loops this connection is for
  std::uint64_t incarnation = 0;
  std::uint32_t heartbeat_ms = 0;
  std::uint64_t ring_bytes = 0;
};

struct Welcome {
  std::uint64_t session = 0;
  std::uint16_t version = 0;
  std::uint64_t capabilities = 0;
  Epoch epoch;
  std::uint32_t loops = 0;
  std::uint32_t streams = 0;  ///< of the whole primary; stream s lives on loop s % loops
  std::uint64_t ring_bytes = 0;
  std::uint32_t frame_bytes_max = 0;  ///< record bytes of the largest frame this primary can seal
  std::uint32_t heartbeat_ms = 0;
  std::uint32_t peer_timeout_ms = 0;
  std::string node;
};

/// What a replica holds of one stream: the end of its last frame, and which frame that was.
struct ResumeClaim {
  StreamId stream = 0;
  Epoch epoch;                 ///< of the last frame held; zero when nothing is held
  Position position = 0;       ///< its end
  std::uint32_t checksum = 0;  ///< its header checksum
  std::uint64_t incarnation = 0;
  Position credit_limit = 0;
  std::uint32_t frames = 0;  ///< received by this process, as Acknowledgement::frame_limit counts
  std::uint32_t frame_limit = kFramesUnlimited;
};

enum class Verdict : std::uint8_t {
  resumed,          ///< goes on after the claimed position
  from_start,       ///< holds nothing and the ring still has the beginning
  needs_full_copy,  ///< nothing holds what is missing any more, or the claim does not match
  catch_up,         ///< the log holds what is missing: over a connection of its own
  truncate,         ///< this primary never had what is held behind the position: cut, claim again
  snapshot,         ///< no log holds what is missing, a snapshot stands for it: behind that, the
                    ///< log begins at the position; over a connection of its own, as catch_up
};

struct ResumeVerdict {
  StreamId stream = 0;
  Verdict verdict = Verdict::resumed;
  /// Where sending goes on; needs_full_copy: where ring and log begin; truncate: what may stay;
  /// snapshot: where the log is to begin anew.
  Position position = 0;
};

/// Up to where a history is of that epoch: the end of its last frame.
struct EpochEnd {
  Epoch epoch;
  Position end = 0;
};

/// Cumulative, per stream. Counted only when epoch and incarnation are those of the session.
struct Acknowledgement {
  StreamId stream = 0;
  Epoch epoch;
  std::uint64_t incarnation = 0;
  Position received = 0;
  Position durable = 0;
  Position applied = 0;
  Position credit_limit = 0;  ///< frames may be sent up to here: the replica's storage has room
  /// And up to that many, of those that this process ever received: see core/frame_credit.h.
  std::uint32_t frame_limit = kFramesUnlimited;
};

struct Commit {
  StreamId stream = 0;
  Position committed = 0;
};

struct Goodbye {
  GoodbyeReason reason = GoodbyeReason::closing;
  std::string text;
};

/// The program's state of a stream as of `program`, and the end of the frame behind which a log
/// goes on from there: the last one that ends at `program` or before.
struct SnapshotHead {
  StreamId stream = 0;
  std::uint64_t id = 0;        ///< of one offer of one primary; never 0
  Position position = 0;       ///< that frame's end
  Epoch epoch;                 ///< its epoch
  std::uint32_t checksum = 0;  ///< its header checksum
  Position program = 0;
  std::uint64_t bytes = 0;     ///< of the file
  std::uint32_t crc = 0;       ///< CRC32C of it
  bool has_file = false;       ///< false: the program has no state but what the log holds

  friend bool operator==(const SnapshotHead&, const SnapshotHead&) = default;
};

struct SnapshotRequest {
  StreamId stream = 0;
  std::uint64_t id = 0;
  std::uint64_t offset = 0;  ///< what is before it is held
};

/// What a machine needs to know of a frame: identity and range. Bytes stay with the driver.
struct FrameInfo {
  StreamId stream = 0;
  Epoch epoch;
  Position begin = 0;
  Position end = 0;
  Epoch previous_epoch;
  std::uint32_t previous_checksum = 0;
  std::uint32_t checksum = 0;  ///< of its header, which covers the body's checksum
};

}  // namespace quorate::core
