#pragma once

// The reigns of the primary. The logs of one that is over are kept as long as a process may hold
// or still be given bytes of it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tests/simulation/model/stream_log.h"

namespace quorate::simulation {

class Reigns {
 public:
  explicit Reigns(const ModelConfig& config) noexcept : config_(config) {}

  void begin(const Epoch& epoch, Violation& violation);
  void close(Violation& violation);
  void end(Violation& violation);

  [[nodiscard]] bool reigning() const noexcept { return reigning_; }
  [[nodiscard]] bool closing() const noexcept { return closing_; }
  [[nodiscard]] std::size_t count() const noexcept { return reigns_.size(); }
  /// The current log of a stream; null between reigns.
  [[nodiscard]] StreamLog* current(StreamId stream) noexcept {
    return reigning_ ? reigns_.back().logs[stream].get() : nullptr;
  }
  /// Null when that reign never was, is older than `oldest`, or has been forgotten.
  [[nodiscard]] StreamLog* find(const Epoch& epoch, StreamId stream, std::size_t oldest) noexcept;
  [[nodiscard]] StreamLog* at(std::size_t reign, StreamId stream) noexcept {
    return reigns_[reign].logs.empty() ? nullptr : reigns_[reign].logs[stream].get();
  }
  /// Drops the logs of ended reigns that nobody needs.
  void forget(const std::function<bool(const StreamLog& log, std::size_t reign)>& needed);

 private:
  struct Reign {
    Epoch epoch;
    std::vector<std::unique_ptr<StreamLog>> logs;  ///< empty once forgotten
  };

  const ModelConfig& config_;
  std::vector<Reign> reigns_;
  bool reigning_ = false;
  bool closing_ = false;
};

}  // namespace quorate::simulation
