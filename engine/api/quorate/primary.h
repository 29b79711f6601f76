#pragma once

// The primary handle: append records, wait for their release.
//
// Threads: append, claim, wait, on_released, released, watermark and status may be called from any
// thread at any time between open and close. open, close and the destructor belong to one thread.
// Payload: copied once before append returns, or written in place through claim().

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/engine.h"
#include "quorate/error.h"
#include "quorate/options.h"
#include "quorate/rule.h"
#include "quorate/status.h"
#include "quorate/types.h"

namespace quorate {

namespace shard {
class PrimaryNode;
class PrimaryStream;
}  // namespace shard

/// Space for one record in the stream, to be written in place. publish() makes it a record; a claim
/// destroyed unpublished becomes padding. Everything appended later waits for it, so publish soon.
/// Must not outlive its Primary.
class [[nodiscard]] Claim {
 public:
  Claim() = default;
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;
  ~Claim();

  /// 8-byte aligned, as long as claimed.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  Ticket publish() noexcept;

 private:
  friend class Stream;
  Claim(shard::PrimaryStream* stream, std::span<std::byte> bytes, Position begin) noexcept
      : stream_(stream), bytes_(bytes), begin_(begin) {}

  shard::PrimaryStream* stream_ = nullptr;
  std::span<std::byte> bytes_;
  Position begin_ = 0;
};

/// Runs once, on the loop's thread, never inside the call that registered it. Must not block and
/// must not close the handle; it may append and register.
using ReleaseCallback = std::function<void(const Outcome&)>;

struct PrimaryCounters {
  std::uint64_t frames_sealed = 0;
  std::uint64_t records_sealed = 0;
  std::uint64_t bytes_sealed = 0;
  std::uint64_t sends = 0;
  std::uint64_t acknowledgements = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  ///< closed for bad bytes, wrong cluster, version, name
  std::uint64_t replicas_dropped = 0;
  std::uint64_t turns = 0;
};

/// One stream of a primary: a light reference, valid as long as its Primary.
class Stream {
 public:
  [[nodiscard]] StreamId id() const noexcept;
  [[nodiscard]] Epoch epoch() const noexcept;

  /// Appends a copy. Errors: busy, no_space, log_full (all pass), too_large, fenced, closed.
  Result<Ticket> append(std::span<const std::byte> payload) noexcept;
  Result<Ticket> append(std::string_view payload) noexcept;
  /// Like append without the Result: false when busy, too large, fenced or closed. For hot loops.
  bool try_append(std::span<const std::byte> payload, Position& end) noexcept;
  Result<Claim> claim(std::size_t payload_bytes) noexcept;

  /// Blocks until a record of that size would probably fit. False on timeout or when closed; from a
  /// callback it does not block.
  bool wait_space(std::size_t payload_bytes, std::chrono::nanoseconds timeout = kForever);

  /// The registered id of a rule; registers it when it is new (blocks for one turn of the loop).
  Result<RuleId> rule(const Rule& rule);

  /// End of the prefix released under that rule. Never falls.
  [[nodiscard]] Position watermark(RuleId rule) const noexcept;
  [[nodiscard]] bool released(const Ticket& ticket, RuleId rule) const noexcept;

  /// Blocks until released; on the thread that hosts the loop it turns the loop. Timeout: pending.
  Result<Outcome> wait(const Ticket& ticket, RuleId rule,
                       std::chrono::nanoseconds timeout = kForever);
  Result<Outcome> wait(const Ticket& ticket, const Rule& rule,
                       std::chrono::nanoseconds timeout = kForever);

  /// Errors busy (waiters_max callbacks are waiting) and closed: the callback will not run.
  Status on_released(const Ticket& ticket, RuleId rule, ReleaseCallback callback);

  /// The file at `path` is the program's state after everything up to `position`, a Ticket::end
  /// that is committed; for replicas that lack what the log no longer holds. From any thread;
  /// returns at once. The file is opened, read once and, when status() names it as ready, in place
  /// of the one before; it may then be renamed or removed, but must never be modified. A snapshot
  /// that is ready keeps the log from there on, within the limits of retention.
  /// Errors: unsupported (no directory), invalid_option, busy (not committed yet, or the loop is
  /// far behind), fenced, closed. What fails later is told by the trace and by status().
  Status offer_snapshot(std::string path, Position position);

  [[nodiscard]] StreamStatus status() const;

 private:
  friend class Primary;
  explicit Stream(shard::PrimaryStream* stream) noexcept : stream_(stream) {}

  shard::PrimaryStream* stream_;
};

class Primary {
 public:
  static Result<Primary> open(PrimaryOptions options);
  static Result<Primary> open(Engine& engine, PrimaryOptions options);
  Primary(Primary&&) noexcept;
  Primary& operator=(Primary&&) noexcept;
  ~Primary();

  /// Aborts when there is no such stream: ids are 0 … stream_count() - 1.
  [[nodiscard]] Stream stream(StreamId id = 0) noexcept;
  [[nodiscard]] std::uint32_t stream_count() const noexcept;
  [[nodiscard]] std::string address() const;  ///< where it listens, with the port picked
  [[nodiscard]] Epoch epoch() const noexcept;
  [[nodiscard]] PrimaryCounters counters() const;
  [[nodiscard]] Engine& engine() noexcept;

  // Stream 0, for programs that have one.
  Result<Ticket> append(std::string_view payload) noexcept { return stream().append(payload); }
  Result<Ticket> append(std::span<const std::byte> payload) noexcept {
    return stream().append(payload);
  }
  /// For tickets of any stream.
  Result<Outcome> wait(const Ticket& ticket, const Rule& rule,
                       std::chrono::nanoseconds timeout = kForever);

  /// Stops taking writes, waits up to close_timeout for awaited releases, tells the replicas, and
  /// resolves every waiter that is left to `unknown`. Nothing is called after it returned.
  void close();

 private:
  explicit Primary(std::unique_ptr<shard::PrimaryNode> node);
  std::unique_ptr<shard::PrimaryNode> node_;
};

}  // namespace quorate
