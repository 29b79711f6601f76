#pragma once

// The processes of the replicas: which there are, and the copy that each has of each stream.

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/simulation/model/copy.h"
#include "tests/simulation/model/history.h"
#include "tests/simulation/model/reigns.h"

namespace quorate::simulation {

class Processes {
 public:
  Processes(const ModelConfig& config, Reigns& reigns) noexcept
      : config_(config), reigns_(reigns) {}

  void begin(const HistoryEvent& event, Violation& violation);
  void end(const HistoryEvent& event, Violation& violation);

  // What reached a process or was done by it. Only while it lives.

  void on_frame(const HistoryEvent& event, Violation& violation);
  /// Said too early, it would be right by the time it arrives.
  void on_commit_sent(const HistoryEvent& event, Violation& violation);
  void on_commit(const HistoryEvent& event, Violation& violation);
  void on_claim(const HistoryEvent& event, Violation& violation);
  void on_acknowledgement(const HistoryEvent& event, Violation& violation);
  /// True when a record was rightly applied.
  bool on_applied(const HistoryEvent& event, Violation& violation);
  void on_shown(const HistoryEvent& event, Violation& violation);

  // What reached the primary. It may have been under way when its sender ended.

  void on_told(const HistoryEvent& event, Violation& violation);
  void on_answered(const HistoryEvent& event, Violation& violation);
  void on_session_ended(const HistoryEvent& event, Violation& violation);

  /// Of many that came back with nearly everything, some were taken.
  void check_resumes(Violation& violation) const;
  /// Every replica of the set has a process that has all.
  void check_converged(std::uint64_t replicas, Violation& violation);
  /// Lets go of what was written in reigns that no process can need.
  void forget_reigns();

 private:
  struct Process {
    std::uint32_t replica = 0;
    bool alive = true;
    std::size_t born_in = 0;  ///< the oldest reign whose bytes may reach it
    std::vector<Copy> copies;  ///< by stream
  };

  Process* known(const HistoryEvent& event, Violation& violation) const;
  Process* living(const HistoryEvent& event, Violation& violation) const;
  /// The first reason why this process has not converged; empty when it has.
  std::string lacks(Process& process);

  const ModelConfig& config_;
  Reigns& reigns_;
  std::vector<std::unique_ptr<Process>> processes_;  ///< by number; null for those unused
  std::uint64_t near_refused_ = 0;  ///< claims of the current epoch that lacked little
  std::uint64_t resumed_ = 0;
};

}  // namespace quorate::simulation
