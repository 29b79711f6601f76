#include "tests/simulation/world/loops.h"

#include <utility>

#include "shard/shard_group.h"
#include "tests/simulation/system/heap.h"

namespace quorate::simulation {

Loops open_loops(Process& process, std::uint32_t count, EngineOptions options,
                 const std::function<void()>& after_turn) {
  const HeapScope memory(process.id());
  Loops loops;
  options.loops = count;
  std::vector<std::unique_ptr<reactor::Reactor>> reactors;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto reactor = process.make_reactor();
    loops.reactors.push_back(reactor.get());
    reactors.push_back(std::move(reactor));
  }
  auto shards = shard::ShardGroup::over(options, std::move(reactors));
  for (std::uint32_t i = 0; i < count; ++i) {
    shard::Shard& shard = shards->at(i);
    shard.bind_here();
    process.drive(*loops.reactors[i], [after_turn, &shard, id = process.id()] {
      {
        const HeapScope turning(id);
        shard.turn(kNever);
      }
      after_turn();
    });
  }
  loops.engine = std::make_unique<Engine>(std::move(shards));
  return loops;
}

}  // namespace quorate::simulation
