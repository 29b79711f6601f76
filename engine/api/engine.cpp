#include "quorate/engine.h"

#include <utility>

#include "shard/shard_group.h"

namespace quorate {

Result<Engine> Engine::open(EngineOptions options) {
  auto shards = shard::ShardGroup::create(options);
  if (!shards) return shards.error();
  return Engine(std::move(shards).value());
}

Engine::Engine(std::unique_ptr<shard::ShardGroup> shards) : shards_(std::move(shards)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

void Engine::run_once(std::uint32_t loop, std::chrono::nanoseconds timeout) {
  shard::Shard& shard = shards_->at(loop);
  // Engine-owned loops turn by themselves, another thread's loop is not ours to turn, and a
  // callback runs inside a turn.
  if (!shard.host_here() || shard.turning()) return;
  shard.turn(shard.deadline_in(timeout));
}

int Engine::event_fd(std::uint32_t loop) const {
  int fd = -1;
  shards_->at(loop).call([&] { fd = shards_->at(loop).event_fd(); });
  return fd;
}

std::uint32_t Engine::loop_count() const noexcept { return shards_->size(); }

std::string_view Engine::backend() const noexcept { return shards_->at(0).reactor().name(); }

}  // namespace quorate
