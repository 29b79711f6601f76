#pragma once

// A primary's part on one loop: its streams and the connections that carry them. It performs what
// the machines of the streams decide. Everything belongs to the loop unless marked otherwise.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ring_memory.h"
#include "core/message.h"
#include "core/session.h"
#include "quorate/options.h"
#include "quorate/primary.h"
#include "shard/primary_link.h"
#include "shard/primary_stream.h"
#include "shard/release_waiters.h"
#include "shard/shard.h"
#include "transport/codec.h"

namespace quorate::shard {

/// What all loops of one primary have in common; read-only once the loops run.
struct PrimaryShared {
  PrimaryOptions options;
  Epoch epoch;
  std::uint32_t loops = 1;
  std::uint64_t frame_bytes_max = 0;  ///< record bytes of the largest frame
  std::vector<OpenedLog> logs;  ///< by stream, until the streams are made; none without a directory
  /// Streams of all loops, for status. Written before the loops run.
  std::vector<PrimaryStream*> streams;
  /// Hands an accepted connection to the loop that its hello names.
  std::function<void(std::uint32_t loop, transport::Connection::Released released)> hand_over;
};

class PrimaryDriver final : public Driver {
 public:
  PrimaryDriver(PrimaryShared& shared, Shard& shard, std::uint32_t loop);
  ~PrimaryDriver() override;

  /// Makes the streams of this loop. Before the driver is attached.
  Status make_streams();

  // Driver
  void expire(Instant now) override;
  void step(Instant now) override;
  void send(Instant now) override;
  void publish(Instant now) override;
  [[nodiscard]] Instant next_deadline(Instant now) const override;

  // Called by streams, links and the acceptor.

  void on_published(PrimaryStream& stream);
  void add_link(reactor::Socket socket, std::span<const std::byte> read_ahead);
  /// The link speaks for a replica from now on; an older link of the same replica is replaced.
  void on_admitted(PrimaryLink& link);
  void on_link_closed(PrimaryLink& link, const std::string& why);
  /// On the loop, when nothing can prevent the primary from opening any more.
  void start_logs();
  void on_log_progress(PrimaryStream& stream);
  void on_log_changed(PrimaryStream& stream);
  void touch(PrimaryStream& stream);
  void touch(PrimaryStream& stream, std::uint32_t replica);
  /// Performs what the stream's machine asked for besides publishing.
  void perform(PrimaryStream& stream);
  [[nodiscard]] std::uint32_t strangers() const noexcept;
  [[nodiscard]] std::uint32_t clients() const noexcept;
  [[nodiscard]] std::uint32_t catch_ups() const noexcept;
  /// Of all streams of this loop, since it began.
  [[nodiscard]] std::uint64_t bytes_written() const noexcept {
    return counters.bytes_sealed.load(std::memory_order_relaxed);
  }
  /// Somebody was told that as many are being fed as may be.
  void on_catch_up_refused(Instant now) noexcept { catch_up_refused_at_ = now; }
  [[nodiscard]] Instant catch_up_refused_at() const noexcept { return catch_up_refused_at_; }

  [[nodiscard]] const PrimaryShared& shared() const noexcept { return shared_; }
  [[nodiscard]] Shard& shard() noexcept { return shard_; }
  [[nodiscard]] std::uint32_t loop() const noexcept { return loop_; }
  [[nodiscard]] std::uint32_t stream_count() const noexcept {
    return static_cast<std::uint32_t>(streams_.size());
  }
  [[nodiscard]] PrimaryStream& stream(std::uint32_t local) noexcept { return *streams_[local]; }
  [[nodiscard]] transport::Encoder& encoder() noexcept { return encoder_; }
  std::uint64_t next_session() noexcept { return ++sessions_; }

  /// Buffers for decoding, reused by all links of the loop.
  std::vector<core::ResumeClaim> claims;
  std::vector<core::ResumeVerdict> verdicts;
  std::vector<core::Acknowledgement> acknowledgements;
  std::vector<core::Commit> commits;

  /// Written by the loop, readable by any thread.
  struct Counters {
    std::atomic<std::uint64_t> frames_sealed{0};
    std::atomic<std::uint64_t> records_sealed{0};
    std::atomic<std::uint64_t> bytes_sealed{0};
    std::atomic<std::uint64_t> sends{0};
    std::atomic<std::uint64_t> acknowledgements{0};
    std::atomic<std::uint64_t> connections_accepted{0};
    std::atomic<std::uint64_t> connections_refused{0};
    std::atomic<std::uint64_t> replicas_dropped{0};

    static void add(std::atomic<std::uint64_t>& counter, std::uint64_t count = 1) noexcept {
      counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
  };
  Counters counters;

  // Any thread.

  [[nodiscard]] ReleaseWaiters& waiters() noexcept { return *waiters_; }
  /// On the loop: takes no more writes, delivers what is there until `until`, says goodbye.
  void begin_close(Instant until);
  [[nodiscard]] const std::atomic<bool>& closed() const noexcept { return closed_; }

 private:
  enum class Phase : std::uint8_t { open, draining, leaving, closed };

  void seal(PrimaryStream& stream, Instant now);
  [[nodiscard]] bool worth_sealing(PrimaryStream& stream, Instant now);
  void reclaim(PrimaryStream& stream, Instant now);
  void after_seal(PrimaryStream& stream, Position begin);
  bool settle(PrimaryStream& stream, Instant now);
  [[nodiscard]] bool looks_on(PrimaryStream& stream, Instant now);
  [[nodiscard]] bool awaits_claim(PrimaryStream& stream, Instant now);
  void write_logs();
  void keep_house(Instant now);
  void drop_oldest_stranger();
  void bury_links();
  void fence(PrimaryStream& stream, const std::string& why);
  void close_step(Instant now);
  [[nodiscard]] bool drained() const noexcept;
  void leave(Instant now);
  void finish_close();

  PrimaryShared& shared_;
  Shard& shard_;
  const std::uint32_t loop_;
  std::unique_ptr<base::RingArena> arena_;
  std::byte* frame_memory_ = nullptr;  ///< encoded frame headers of all streams
  std::size_t frame_memory_bytes_ = 0;
  std::vector<std::unique_ptr<PrimaryStream>> streams_;
  std::vector<PrimaryStream*> active_;
  std::vector<PrimaryStream*> touched_;
  std::vector<PrimaryStream*> resident_;
  std::vector<PrimaryStream*> logging_;
  std::vector<std::unique_ptr<PrimaryLink>> links_;
  std::array<PrimaryLink*, kReplicasMax> by_replica_{};
  std::unique_ptr<ReleaseWaiters> waiters_;
  transport::Encoder encoder_;
  std::uint64_t sessions_;
  Instant catch_up_refused_at_ = 0;
  Instant house_at_ = kNever;
  Instant seal_at_ = kNever;  ///< when a stream that waits or is stuck must be looked at again
  bool links_gone_ = false;
  bool links_linger_ = false;  ///< something of one that is gone is still in flight
  Phase phase_ = Phase::open;
  Instant phase_ends_ = kNever;
  std::atomic<bool> closed_{false};
};

}  // namespace quorate::shard
