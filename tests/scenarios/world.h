#pragma once

// One primary machine, replica machines, and between them connections that are two queues: frames
// down, acknowledgements up. Nothing moves unless it is told to; time is a number. It does what the
// drivers do around the machines, and no more.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/primary_machine.h"
#include "core/replica_machine.h"

namespace quorate::scenarios {

struct Settings {
  std::vector<std::string> replicas;
  std::uint32_t protected_copies = 0;  ///< 0: a majority
  std::uint32_t floor_copies = 1;
  LagPolicy::Kind lag = LagPolicy::Kind::hold;
  std::int64_t stall_ns = 2 * kSecond_ns;
  std::uint64_t ring_bytes = 1000;
  std::uint64_t replica_ring_bytes = 1000;
};

struct Replica {
  std::string name;
  std::unique_ptr<core::ReplicaMachine> machine;
  bool connected = false;
  std::deque<core::FrameInfo> frames;              ///< on their way to the replica
  std::deque<core::Acknowledgement> acknowledgements;  ///< on their way back, or overtaken
};

struct RegisteredRule {
  std::string text;
  std::uint32_t index = 0;
};

class World {
 public:
  explicit World(const Settings& settings);

  // The primary.

  /// Another reign: nothing of the last one is in the ring, no replica is connected.
  void begin_epoch();
  Result<std::uint32_t> add_rule(const std::string& text, const Rule& rule);
  [[nodiscard]] bool append(std::uint64_t bytes);  ///< false: busy
  /// Seals what was appended; the frame, or nothing when there is nothing to seal.
  const core::FrameInfo* seal();
  /// What the loop does in every turn: gives ring space back, as far as it is allowed.
  void turn();

  // Replicas, by index.

  core::ResumeVerdict connect(std::uint32_t i, const core::ResumeClaim& claim);
  void disconnect(std::uint32_t i);
  void restart(std::uint32_t i);  ///< empty, with a new incarnation
  /// Puts all frames that may be sent on the wire; returns how many. The send stays in flight.
  std::size_t start_send(std::uint32_t i);
  /// Keeps the first `frames` of the send in flight; the others were not sent.
  void cut_send(std::uint32_t i, std::size_t frames);
  core::FrameVerdict deliver(std::uint32_t i, const core::FrameInfo& frame);

  [[nodiscard]] std::uint32_t find(const std::string& name) const;  ///< size when unknown
  [[nodiscard]] Replica& replica(std::uint32_t i) { return replicas_[i]; }
  [[nodiscard]] const Replica& replica(std::uint32_t i) const { return replicas_[i]; }
  [[nodiscard]] core::PrimaryMachine& primary() { return *primary_; }
  [[nodiscard]] const core::PrimaryMachine& primary() const { return *primary_; }
  [[nodiscard]] const std::vector<RegisteredRule>& rules() const { return rules_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Position appended() const { return appended_; }
  [[nodiscard]] Position reclaimed() const { return reclaimed_; }

  core::PrimaryEffects effects;
  Instant now = 0;

 private:
  static constexpr std::size_t kFrames = 256;

  Settings settings_;
  std::unique_ptr<core::PrimaryMachine> primary_;
  std::vector<core::FrameEntry> memory_;
  std::unique_ptr<core::FrameIndex> frames_;
  std::deque<core::FrameInfo> sealed_;  ///< every frame of this epoch
  std::vector<Replica> replicas_;
  std::vector<RegisteredRule> rules_;
  Epoch epoch_;
  Position appended_ = 0;
  Position reclaimed_ = 0;
  std::uint64_t incarnations_ = 0;
};

}  // namespace quorate::scenarios
