#pragma once

// What a replica does about a snapshot that is offered to it: whether it is the one asked for, from
// where on it is still needed, which piece may come next, when it is whole. Sans-I/O, as
// core/primary_machine.h. What lies on the disk outlives connections and offers, so one machine
// serves a stream for its whole life.

#include <cstdint>
#include <optional>

#include "core/message.h"

namespace quorate::core {

/// What the disk holds of a snapshot.
struct HeldSnapshot {
  SnapshotHead head;
  std::uint64_t bytes = 0;  ///< from its beginning on
  bool whole = false;       ///< all of it, and its checksum was found to be right
};

class SnapshotMachine {
 public:
  enum class Step : std::uint8_t {
    idle,
    prepare,  ///< make the disk ready: nothing of it is there, or of another one; then on_prepared
    receive,  ///< ask for what follows received(), and take it
    check,    ///< all is there: compute its checksum from what the disk gives back
    done,     ///< it is whole: the log may begin anew
  };

  explicit SnapshotMachine(StreamId stream) noexcept : stream_(stream) {}

  /// At open: what an earlier life left.
  void on_found(const HeldSnapshot& held) noexcept { held_ = held; }
  /// The primary's offer. `expected`: the position of its verdict; `held`: the end of this log.
  /// False: it is not what the verdict promised, and the connection is to be closed.
  bool on_begin(const SnapshotHead& head, Position expected, Position held) noexcept;
  void on_prepared() noexcept;
  /// May this piece be taken? It must follow the one before, and not exceed the whole.
  bool on_chunk(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) noexcept;
  /// So much lies in the file, from its beginning on.
  void on_written(std::uint64_t bytes) noexcept;
  /// False: the bytes are not those that were offered. They are worth nothing, and it begins anew
  /// with the next offer.
  bool on_checked(std::uint32_t crc) noexcept;
  /// The disk refused: nothing is known about what lies there.
  void on_failed() noexcept;
  /// The log has begun anew behind what is held, or does without it.
  void on_used() noexcept;
  /// The connection has ended; what is written stays, for the next one.
  void on_ended() noexcept;

  [[nodiscard]] Step step() const noexcept { return step_; }
  [[nodiscard]] const SnapshotHead& head() const noexcept { return head_; }
  /// End of what was taken, some of which is not yet in the file.
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] SnapshotRequest request() const noexcept { return {stream_, head_.id, received_}; }
  /// What is on the disk, of this offer or an older one.
  [[nodiscard]] const std::optional<HeldSnapshot>& held() const noexcept { return held_; }

 private:
  void receive_from(std::uint64_t offset) noexcept;

  const StreamId stream_;
  Step step_ = Step::idle;
  SnapshotHead head_;
  std::uint64_t received_ = 0;
  std::optional<HeldSnapshot> held_;
};

}  // namespace quorate::core
