#pragma once

// The loops of a simulated process: the engine's own, over simulated reactors, turned by the world.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "quorate/engine.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

struct Loops {
  std::unique_ptr<Engine> engine;
  std::vector<SimulatedReactor*> reactors;  ///< the engine's, one for each loop

  void wake() {
    for (SimulatedReactor* reactor : reactors) reactor->wake();
  }
};

/// `after_turn` is called after each turn of a loop.
Loops open_loops(Process& process, std::uint32_t count, EngineOptions options,
                 const std::function<void()>& after_turn);

}  // namespace quorate::simulation
