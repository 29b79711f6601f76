#pragma once

// Options: plain structs, a default on every field, units in the type or in the name.
// `validate()` is called at open and names the field, the value found and the allowed range.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"
#include "quorate/rule.h"
#include "quorate/types.h"

namespace quorate {

enum class Backend : std::uint8_t {
  automatic,  ///< io_uring, or epoll where the kernel forbids io_uring; one trace line says which
  io_uring,
  epoll,
};

enum class TraceLevel : std::uint8_t { debug, info, warning, error };

/// Makes the program's state of a stream that of a snapshot. See ReplicaOptions::install.
using Install = std::function<Status(const Snapshot&)>;

/// Receives diagnostics, one line without newline each, on the thread that noticed. A library does
/// not print: unset means silent. Must not call back into the handle.
using TraceSink = std::function<void(TraceLevel, std::string_view)>;

/// The loops on which streams live. A loop is one thread at a time; nothing is shared between loops
/// but atomics.
struct EngineOptions {
  std::uint32_t loops = 1;  ///< 1 … 64

  /// true: no thread is started; the embedder lends its own through run_once(), wait() and run().
  /// false: the engine starts `loops` threads named quorate-0, quorate-1, …
  bool hosted = false;

  Backend backend = Backend::automatic;

  /// How long an idle loop polls before it sleeps. A wake-up costs about 20 µs on virtual machines;
  /// leave 0 where runnable threads outnumber cores.
  std::chrono::microseconds spin{0};

  /// Bytes of ring memory all streams of one loop may hold resident together. Idle streams give
  /// theirs back. 0: 256 MiB, or four rings, whichever is more.
  std::uint64_t ring_budget_bytes = 0;

  std::string congestion_control = "cubic";  ///< "" keeps the system's; falls back to reno

  std::uint32_t socket_buffer_bytes = 0;  ///< SO_SNDBUF and SO_RCVBUF; 0: the ring's size

  TraceSink trace;

  [[nodiscard]] Status validate() const;
};

/// What happens when a replica falls behind the ring.
struct LagPolicy {
  enum class Kind : std::uint8_t {
    hold,  ///< a slow replica that a registered rule needs makes append `busy`; when it has made no
           ///< progress for `stall_limit`, it is dropped with an event. One that no rule needs is
           ///< waited for as a courtesy: while it makes progress, and for `stall_limit` at most
    drop,  ///< no replica ever makes append `busy`; who lags beyond the ring is dropped at once
  };
  Kind kind = Kind::hold;
  std::chrono::milliseconds stall_limit{2000};  ///< 1 … 3,600,000
  /// Under hold, how long a connected replica that no rule needs may stand still and still be
  /// waited for; 0 … 3,600,000, 0: not at all. What a stopped replica costs the others, once.
  std::chrono::milliseconds courtesy{50};
};

/// The durable log of a node that has a directory; every stream has its own in it.
struct StorageOptions {
  /// Files are made ahead, of this size and full of zeros, two a stream; 8 MiB … 1 GiB, and at
  /// least twice the largest frame.
  std::uint64_t segment_bytes = 64u << 20;
  bool direct = true;  ///< past the page cache where the file system can; false: through it

  /// Of each stream, what is older than both allow goes, a segment at a time, unless a replica or
  /// the program still needs it. What somebody needs is kept up to the hard limit. There a primary
  /// goes on without replicas that are away, and what they lack is lost to them: the log never
  /// fills the disk for their sake. A replica waits there for its own program, as told below.
  ///
  /// What is not committed, so held durably by fewer nodes than PrimaryOptions::protected_copies,
  /// is never given up: no snapshot could stand for it, and no replica could come back. A primary
  /// whose log is at the hard limit with it refuses writes (Errc::log_full, RetentionState::full).
  /// What it has taken is sent, and written when it is closed at last; it takes writes again by
  /// itself as replicas get on. Who wants writes to go on without replicas sets protected_copies to
  /// 1: what is durable on the primary is committed then, and nothing is ever refused for this.
  /// That is also the way out when those that had it died for good: see protected_copies.
  ///
  /// On a replica the hard limit gives way to what is not committed: of that it holds no more than
  /// its primary, which is bounded by its own limit, and a ring. Were it to stop instead, it could
  /// be what keeps others' writes from being released, and not hear that they are committed. At the
  /// limit with what is committed it waits for its own program, which has not read that yet: it
  /// fills its last segment, receives another ring at most, and acknowledges none of that as
  /// durable, so that rules that need it wait too, until the program reads on. What that has read,
  /// and not yet confirmed, goes there.
  std::uint64_t retain_bytes = 1u << 30;       ///< 0: no limit
  std::chrono::seconds retain_age{0};          ///< 0: no limit; at most 9,223,372,036
  std::uint64_t retain_bytes_hard = 4ull << 30;  ///< 0: no limit; at least retain_bytes and
                                                 ///< four segments, so at least two rings
};

inline constexpr std::uint32_t kLoggedStreamsMax = 256;        ///< of a node with a directory
inline constexpr std::uint64_t kLoggedRingMax_bytes = 128u << 20;

struct PrimaryOptions {
  /// Where the log is kept; made if it does not exist. "": in memory only, level durable cannot be
  /// asked for, and what was written is gone with the process.
  std::string directory;
  StorageOptions storage;            ///< with a directory
  std::string cluster = "quorate";   ///< peers of another cluster are refused; 1 … 64 bytes
  std::string name = "a";            ///< this node; 1 … 64 bytes
  std::string listen = "127.0.0.1:0";///< host:port; [v6]:port; port 0 picks a free one
  std::vector<std::string> replicas; ///< the configuration: names of all replicas, at most 64

  std::uint32_t streams = 1;                    ///< 1 … 65,536, spread over the loops
  std::uint64_t ring_bytes = 4u << 20;          ///< per stream; power of two, 64 KiB … 1 GiB
  std::uint32_t max_record_bytes = 0;           ///< largest payload; 0: the limit, a quarter of
                                                ///< the ring without the record's header
  std::uint32_t max_batch_bytes = 256u << 10;   ///< a frame's record bytes: 4 KiB … 256 KiB; one
                                                ///< record may exceed it
  /// Copies (primary included) of the protected rule: replicas expose a record to their program
  /// once that many nodes have it; with a directory, once it is durable there, so that a replica
  /// without a directory never counts. 0: a majority of the configuration.
  ///
  /// When a primary refuses writes (Errc::log_full) because the only other holders of what is not
  /// committed died for good, one that takes their place and lacks what the log no longer has
  /// cannot join: a snapshot must be of what is committed, and the program's state is ahead of it.
  /// Opened with 1, the primary commits what its own log has. Then a snapshot can be offered, and
  /// when the new replica has caught up, the primary is opened with the old number again.
  std::uint32_t protected_copies = 0;

  /// Rules registered on every stream at open. Others are registered when first used.
  std::vector<Rule> rules;

  /// No write may be awaited by a rule that asks for fewer copies than this (primary included).
  std::uint32_t floor_copies = 1;

  LagPolicy lag;
  std::chrono::milliseconds heartbeat{100};      ///< 1 … 60,000
  std::chrono::milliseconds peer_timeout{3000};  ///< silence after which a peer counts as gone;
                                                 ///< at least 3 heartbeats
  std::chrono::milliseconds claim_deadline{2000};///< a claim open longer makes the primary give up
                                                 ///< its epoch, because everything behind it waits
  std::chrono::milliseconds close_timeout{1000}; ///< how long close() waits for what is awaited
  std::uint32_t waiters_max = 65536;             ///< callbacks waiting at once, per loop

  /// With a directory: replicas and streams that are fed from the log at once, per loop; each takes
  /// two buffers of the largest frame, at least 1 MiB. 1 … 64; others wait.
  std::uint32_t catch_ups_max = 4;
  /// Of each of them; 0: no limit. Beside live writes each takes half as much again as they do, or
  /// 64 MiB a second where they take little, but never more than this.
  std::uint64_t catch_up_bytes_per_second = 0;

  /// The program has no state but what is in the log. A replica that lacks what the log no longer
  /// holds, when no snapshot serves, begins where the log begins: what is before is gone for it.
  bool log_is_state = false;

  EngineOptions engine;  ///< ignored when opened on an existing Engine

  [[nodiscard]] Status validate() const;
};

struct ReplicaOptions {
  /// As for a primary. What is in it is shown to the program again after a start: see resume_after.
  std::string directory;
  StorageOptions storage;           ///< with a directory
  /// With a directory: up to where the program has applied each stream in earlier lives, as its own
  /// storage says, by Record::end; streams not named have begun with nothing applied.
  std::vector<Position> resume_after;
  /// false: a record counts as applied when apply has returned. true: when the program says so, for
  /// instance once its own storage has it: Replica::confirm().
  bool confirmed = false;
  /// With a directory: takes snapshots. Called by run() and poll() between records. When it returns
  /// done, the program's state of that stream is that of `position`, and the records behind it
  /// follow; keeping it is the program's matter, as is naming the position in `resume_after` next
  /// time. An error ends run() or poll() with it, and it is called again in the next one. Without
  /// `install`, a replica that lacks what no log holds any more needs a full copy, and that is
  /// final; with it, the replica waits until the primary has a snapshot to offer.
  Install install;
  std::string cluster = "quorate";
  std::string name = "b";
  std::string primary;              ///< host:port
  std::uint64_t ring_bytes = 4u << 20;  ///< per stream; power of two, 512 KiB … 1 GiB
  std::uint32_t streams_max = 65536;    ///< a primary with more streams is refused
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds peer_timeout{3000};
  std::chrono::milliseconds backoff_min{50};     ///< reconnect: full jitter between 0 and a bound
  std::chrono::milliseconds backoff_max{10000};  ///< that doubles from min to max

  EngineOptions engine;

  [[nodiscard]] Status validate() const;
};

}  // namespace quorate
