#pragma once

// The loops of one engine: makes their reactors, starts and stops engine-owned threads.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "quorate/error.h"
#include "quorate/options.h"
#include "reactor/reactor.h"
#include "shard/shard.h"

namespace quorate::shard {

class ShardGroup {
 public:
  static Result<std::unique_ptr<ShardGroup>> create(const EngineOptions& options);
  /// On reactors made elsewhere, one per loop, and without threads: who made them turns the loops.
  static std::unique_ptr<ShardGroup> over(
      const EngineOptions& options, std::vector<std::unique_ptr<reactor::Reactor>> reactors);
  ~ShardGroup();

  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(shards_.size());
  }
  [[nodiscard]] Shard& at(std::uint32_t index) noexcept { return *shards_[index]; }
  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool hosted() const noexcept { return options_.hosted; }

 private:
  explicit ShardGroup(const EngineOptions& options) : options_(options) {}
  void start_threads();

  const EngineOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace quorate::shard
