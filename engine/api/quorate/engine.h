#pragma once

// The loops that streams live on. A Primary or Replica opened without an Engine makes its own.
// Threads: run_once binds a hosted loop to the calling thread at its first call; later calls for
// that loop come from the same thread, and handles are closed on it or while it still turns. An
// engine must outlive the handles opened on it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "quorate/error.h"
#include "quorate/options.h"

namespace quorate {

namespace shard {
class ShardGroup;
}

class Engine {
 public:
  static Result<Engine> open(EngineOptions options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// Hosted engines: one turn of that loop, sleeping at most `timeout` for something to do.
  void run_once(std::uint32_t loop = 0,
                std::chrono::nanoseconds timeout = std::chrono::nanoseconds{0});

  /// Hosted engines: readable when run_once has something to do, deadlines included; for the host's
  /// own epoll or poll. To be watched, not read. -1 when the system has no descriptor left.
  [[nodiscard]] int event_fd(std::uint32_t loop = 0) const;

  [[nodiscard]] std::uint32_t loop_count() const noexcept;
  [[nodiscard]] std::string_view backend() const noexcept;  ///< "io_uring" or "epoll"
  [[nodiscard]] shard::ShardGroup& shards() noexcept { return *shards_; }

  explicit Engine(std::unique_ptr<shard::ShardGroup> shards);

 private:
  std::unique_ptr<shard::ShardGroup> shards_;
};

}  // namespace quorate
