#pragma once

// Histories in which no rule is broken, made without any engine: what the model has to accept, and
// what its tests then spoil.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/model/model.h"

namespace quorate::simulation {

struct History {
  ModelConfig config;
  std::vector<HistoryEvent> events;
};

/// Several replicas, streams, rules and reigns; faults of processes, sessions and writers. Ends
/// quiet. The same seed makes the same history.
History right_history(std::uint64_t seed, std::uint32_t steps = 600);

/// What the model says about a history: empty when it accepts it.
std::string judge(const History& history);

}  // namespace quorate::simulation
