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

  /// An acknowledgement of this epoch has reached the primary. Only the highest counts.
  void count(std::uint32_t replica, Position received, Position applied) noexcept;

  // Questions.

  [[nodiscard]] const Epoch& epoch() const noexcept { return epoch_; }
  [[nodiscard]] bool fenced() const noexcept { return fenced_; }
  [[nodiscard]] Position claimed() const noexcept {
    return records_.empty() ? 0 : records_.back().end;
  }
  /// End of what is claimed without an open claim in it: as much may be sent and released.
  [[nodiscard]] Position written() const noexcept { return written_; }
  [[nodiscard]] const std::vector<ModelRecord>& records() const noexcept { return records_; }
  [[nodiscard]] bool is_released(const ModelRule& rule, Position end) const noexcept;
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

  ModelRecord* find(Position begin) noexcept;
  void advance() noexcept;
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
  Positions received_{};
  Positions applied_{};
};

}  // namespace quorate::simulation
