#pragma once

// What must hold, whatever happens: an independent model of replication, told every event of a run.
// It shares no code with the engine but plain types. The first violation is kept; what comes after
// it is ignored. Cost per event is constant or, for a rising watermark, linear in the replicas.

#include <cstdint>
#include <string>
#include <vector>

#include "quorate/types.h"
#include "tests/simulation/model/history.h"
#include "tests/simulation/model/processes.h"
#include "tests/simulation/model/reigns.h"
#include "tests/simulation/model/violation.h"
#include "tests/simulation/model/waiters.h"

namespace quorate::simulation {

/// A release rule in the model's own words.
struct ModelRule {
  Level level = Level::received;
  std::uint32_t count = 0;     ///< replicas needed besides the primary
  std::uint64_t members = 0;   ///< of which replicas, bit by bit
};

struct ModelConfig {
  std::uint32_t replicas = 0;
  std::uint32_t streams = 1;
  std::uint32_t protected_copies = 1;
  std::vector<ModelRule> rules;
  /// A replica that lacks no more than both may be expected back.
  std::uint64_t near_bytes = 0;
  std::uint64_t near_records = 0;
};

class Model {
 public:
  explicit Model(const ModelConfig& config);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void on(const HistoryEvent& event);

  [[nodiscard]] bool violated() const noexcept { return violation_.any(); }
  /// One line that begins with the name of the broken rule (violation.h). Empty at first.
  [[nodiscard]] const std::string& violation() const noexcept { return violation_.text(); }

  // For statistics and for the world's waits.
  [[nodiscard]] std::uint64_t records_published() const noexcept { return published_; }
  [[nodiscard]] std::uint64_t records_applied() const noexcept { return applied_; }
  [[nodiscard]] std::uint64_t waiters_open() const noexcept { return waiters_.open(); }

 private:
  /// False, and a violation, when the event names a stream or rule that there is not.
  bool fits(const HistoryEvent& event);
  void on_reign(const HistoryEvent& event);
  void on_writer(const HistoryEvent& event, StreamLog& log);
  void on_primary(const HistoryEvent& event);
  void on_process(const HistoryEvent& event);
  void on_quiet(const HistoryEvent& event);

  const ModelConfig config_;
  Violation violation_;
  Reigns reigns_;
  Processes processes_;
  Waiters waiters_;
  std::uint64_t published_ = 0;
  std::uint64_t applied_ = 0;
};

}  // namespace quorate::simulation
