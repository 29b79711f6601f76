#pragma once

// One stream in one reign: what was written, and which replicas are known to have it. The truth
// that everything else is measured against.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "quorate/types.h"
#include "tests/simulation/model/violation.h"

namespace quorate::simulation {

struct ModelConfig;
struct ModelRule;

struct ModelRecord {
  enum class State : std::uint8_t { open, published, abandoned };

  Position begin = 0;
  Position end = 0;
  std::uint64_t content = 0;
  State state = State::open;
};

class StreamLog {
 public:
  StreamLog(const ModelConfig& config, const Epoch& epoch, StreamId stream);

  // Writers.

  void claim(Position begin, Position end, std::uint64_t content, Violation& violation);
  /// Published or abandoned. True when it was an open claim.
  bool settle(Position begin, ModelRecord::State state, Violation& violation);
  /// What is open now stays open for ever, as far as replicas and releases are concerned.
  void fence(Violation& violation);

  // What the primary shows.

  void show_watermark(std::uint8_t rule, Position end, Violation& violation);
  void show_committed(Position end, Violation& violation);

  // Replicas.

  /// A claim has reached the primary, which may see it soon, or never on a connection that it
  /// gives up. `received`: what it says the process holds of this epoch.
  void take_claim(std::uint32_t replica, std::uint32_t process, Position received) noexcept;
  /// What it says it holds, as long as it has no answer; 0: nothing of this epoch, or no claim.
  [[nodiscard]] Position claim_of(std::uint32_t replica, std::uint32_t process) const noexcept {
    return claims_[replica].process == process ? claims_[replica].received : 0;
  }
  /// The primary has seen it: that alone counts for the replica from now on, less than before if
  /// the process before it had more. What was released stays so.
  void answer_claim(std::uint32_t replica, std::uint32_t process) noexcept;
  /// An acknowledgement of this epoch has reached the primary. The highest counts, and only those
  /// of the process that resumed last: what its predecessor had is gone.
  void count(std::uint32_t replica, std::uint32_t process, Position received,
             Position applied) noexcept;

  // Questions.

  [[nodiscard]] const Epoch& epoch() const noexcept { return epoch_; }
  [[nodiscard]] bool fenced() const noexcept { return fenced_; }
  [[nodiscard]] Position claimed() const noexcept {
    return records_.empty() ? 0 : records_.back().end;
  }
  /// End of what is claimed without an open claim in it: as much may be sent and released.
  [[nodiscard]] Position written() const noexcept { return written_; }
  [[nodiscard]] std::uint64_t records_behind(Position position) const noexcept;
  [[nodiscard]] const std::vector<ModelRecord>& records() const noexcept { return records_; }
  /// Whether it is or once was: who was right to release need not take it back.
  [[nodiscard]] bool is_released(std::uint8_t rule, Position end) const noexcept;
  [[nodiscard]] bool is_committed(Position end) noexcept;
  /// The highest committed position. Slow: for the end of a run and for texts.
  [[nodiscard]] Position committed() noexcept;
  /// Replicas known to have reached `end`.
  [[nodiscard]] std::uint32_t copies(Level level, std::uint64_t members,
                                     Position end) const noexcept;
  [[nodiscard]] Position received(std::uint32_t replica) const noexcept {
    return received_[replica];
  }
  [[nodiscard]] Position applied(std::uint32_t replica) const noexcept {
    return applied_[replica];
  }

 private:
  using Positions = std::array<Position, kReplicasMax>;
  static constexpr std::uint32_t kNobody = ~0u;
  struct Claimant {
    std::uint32_t process = kNobody;
    Position received = 0;
  };

  ModelRecord* find(Position begin) noexcept;
  void advance() noexcept;
  [[nodiscard]] bool meets(const ModelRule& rule, Position end) const noexcept;
  void keep_proved() noexcept;
  [[nodiscard]] std::uint64_t everybody() const noexcept;

  const ModelConfig& config_;
  const Epoch epoch_;
  const StreamId stream_;
  bool fenced_ = false;
  std::vector<ModelRecord> records_;
  std::size_t written_records_ = 0;  ///< how many of them make up written_
  Position written_ = 0;
  Position committed_ = 0;  ///< proved so far
  Position shown_committed_ = 0;
  std::vector<Position> shown_watermarks_;  ///< by rule
  std::vector<Position> proved_;            ///< by rule: released before counts last fell
  Positions received_{};
  Positions applied_{};
  std::array<Claimant, kReplicasMax> claims_{};  ///< delivered and not answered
  std::array<std::uint32_t, kReplicasMax> resumed_;  ///< the process that did so last
};

}  // namespace quorate::simulation
