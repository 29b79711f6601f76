#include "shard/shard_group.h"

#include <pthread.h>

#include <utility>

namespace quorate::shard {

Result<std::unique_ptr<ShardGroup>> ShardGroup::create(const EngineOptions& options) {
  if (auto valid = options.validate(); !valid) return valid.error();
  std::vector<std::unique_ptr<reactor::Reactor>> reactors;
  for (std::uint32_t index = 0; index < options.loops; ++index) {
    std::string why;
    auto reactor = reactor::make_reactor(options.backend, why);
    if (!reactor) return reactor.error();
    if (index == 0 && options.trace) options.trace(TraceLevel::info, "reactor: " + why);
    reactors.push_back(std::move(reactor).value());
  }
  auto group = over(options, std::move(reactors));
  if (!options.hosted) group->start_threads();
  return group;
}

std::unique_ptr<ShardGroup> ShardGroup::over(
    const EngineOptions& options, std::vector<std::unique_ptr<reactor::Reactor>> reactors) {
  std::unique_ptr<ShardGroup> group(new ShardGroup(options));
  for (auto& reactor : reactors) {
    const auto index = static_cast<std::uint32_t>(group->shards_.size());
    group->shards_.push_back(
        std::make_unique<Shard>(index, group->options_, std::move(reactor)));
  }
  return group;
}

void ShardGroup::start_threads() {
  for (auto& shard : shards_) {
    threads_.emplace_back([loop = shard.get()] {
      pthread_setname_np(pthread_self(), ("quorate-" + std::to_string(loop->index())).c_str());
      loop->bind_here();
      while (!loop->stopping()) loop->turn(kNever);
    });
  }
}

ShardGroup::~ShardGroup() {
  for (auto& shard : shards_) shard->stop();
  for (auto& thread : threads_) thread.join();
}

}  // namespace quorate::shard
