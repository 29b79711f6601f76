#pragma once

// A primary machine with its frame index and a ring that exists only as a number: what a driver
// keeps beside the machine. Frames are named by a checksum derived from their end.

#include <cstdint>
#include <vector>

#include "core/primary_machine.h"

namespace quorate::core {

inline constexpr Epoch kEpoch{5, 77};
inline constexpr std::int64_t kStall_ns = 2 * kSecond_ns;
inline constexpr Position kInfiniteCredit = ~Position{0};

inline std::uint32_t checksum_of(Position end) { return static_cast<std::uint32_t>(end * 31 + 9); }

inline PrimaryConfig primary_config(std::uint32_t replicas, std::uint32_t protected_copies,
                                    LagPolicy::Kind lag = LagPolicy::Kind::hold) {
  return {3, kEpoch, replicas, protected_copies, lag, kStall_ns};
}

inline std::uint64_t incarnation_of(std::uint32_t replica) { return 100 + replica; }

class PrimaryRig {
 public:
  explicit PrimaryRig(const PrimaryConfig& config) : machine(config), frames(entries_) {}
  PrimaryRig(std::uint32_t replicas, std::uint32_t protected_copies)
      : PrimaryRig(primary_config(replicas, protected_copies)) {}

  std::uint32_t rule(std::uint32_t count, std::uint64_t members, Level level = Level::received) {
    machine.on_rule(rules_, {level, count, members}, effects);
    return rules_++;
  }

  void seal(Position bytes) {
    const Position begin = machine.sealed();
    frames.push({begin, begin + bytes, kEpoch, checksum_of(begin + bytes), 0});
    machine.on_sealed(begin + bytes, effects);
  }

  static ResumeClaim claim(std::uint32_t replica, Position position,
                           Position credit = kInfiniteCredit) {
    const Epoch epoch = position == 0 ? Epoch{} : kEpoch;
    const std::uint32_t checksum = position == 0 ? 0 : checksum_of(position);
    return {3, epoch, position, checksum, incarnation_of(replica), credit};
  }
  ResumeVerdict resume(std::uint32_t replica, const ResumeClaim& claim) {
    return machine.on_resume(replica, claim, {frames, reclaimed}, now, effects);
  }
  ResumeVerdict connect(std::uint32_t replica, Position position = 0,
                        Position credit = kInfiniteCredit) {
    return resume(replica, claim(replica, position, credit));
  }

  /// Starts a send of everything that may be sent; it stays in flight.
  void send(std::uint32_t replica) {
    const auto range = machine.sendable(replica);
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < frames.size(); ++i) {
      const FrameEntry& frame = frames.at(i);
      if (frame.begin >= range.begin && frame.end <= range.end) ++count;
    }
    machine.on_send_started(replica, range.end, count);
  }
  void send_whole(std::uint32_t replica) {
    send(replica);
    machine.on_send_finished(replica);
  }

  static Acknowledgement acknowledgement(std::uint32_t replica, Position received,
                                         Position applied = 0) {
    return {3, kEpoch, incarnation_of(replica), received, 0, applied, kInfiniteCredit};
  }
  PrimaryMachine::AckVerdict ack(std::uint32_t replica, Position received, Position applied = 0) {
    return count(replica, acknowledgement(replica, received, applied));
  }
  PrimaryMachine::AckVerdict count(std::uint32_t replica, const Acknowledgement& ack) {
    return machine.on_acknowledgement(replica, ack, now, effects);
  }

  /// As a driver does it: what comes back is rounded down to a frame end and given away.
  Position reclaim(Position wanted) {
    const Position allowed = machine.reclaim(wanted, now, effects);
    const Position until = frames.end_at_or_before(allowed, reclaimed);
    if (until > reclaimed) {
      reclaimed = until;
      frames.pop_until(until);
    }
    return allowed;
  }

  [[nodiscard]] ReplicaState state(std::uint32_t replica) const {
    return machine.replica(replica).state;
  }

  PrimaryMachine machine;
  PrimaryEffects effects;
  Instant now = 1000 * kSecond_ns;
  Position reclaimed = 0;

 private:
  /// A vector, so that the entries stay where they are when the rig is moved.
  std::vector<FrameEntry> entries_ = std::vector<FrameEntry>(256);
  std::uint32_t rules_ = 0;

 public:
  FrameIndex frames;
};

}  // namespace quorate::core
