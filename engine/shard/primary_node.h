#pragma once

// A whole primary over all loops of an engine: what the handle holds. Opened and closed by one
// thread; everything between may be called from any thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quorate/primary.h"
#include "shard/acceptor.h"
#include "shard/primary_driver.h"
#include "shard/shard_group.h"

namespace quorate::shard {

class PrimaryNode {
 public:
  /// `engine` is given up to the node, or null: then `shards` must outlive it.
  static Result<std::unique_ptr<PrimaryNode>> open(std::unique_ptr<Engine> engine, Engine* shared,
                                                   PrimaryOptions options);
  ~PrimaryNode();

  [[nodiscard]] PrimaryStream* stream(StreamId id) noexcept { return shared_.streams[id]; }
  [[nodiscard]] const PrimaryShared& shared() const noexcept { return shared_; }
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] const std::string& address() const noexcept { return acceptor_->address(); }
  [[nodiscard]] PrimaryCounters counters() const;
  void close();

 private:
  explicit PrimaryNode(std::unique_ptr<Engine> engine, Engine* shared);

  Status start(PrimaryOptions options);
  Status listen();
  Status open_logs();
  Status make_drivers();
  Status register_rules();
  void hand_over(std::uint32_t loop, transport::Connection::Released released);

  std::unique_ptr<Engine> own_engine_;
  Engine* engine_;
  PrimaryShared shared_;
  std::optional<log::DirectoryLock> lock_;
  std::vector<std::unique_ptr<PrimaryDriver>> drivers_;
  std::unique_ptr<Acceptor> acceptor_;
  bool attached_ = false;
  bool closed_ = false;
};

}  // namespace quorate::shard
