#pragma once

// Writer threads of cluster_node's primary.

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "node/content.h"
#include "quorate/primary.h"

namespace quorate::cluster {

struct LoadPlan {
  std::uint32_t writers = 1;  ///< each writes to every stream in turn
  std::uint32_t bytes = 64;   ///< payloads of 0 … 2 * bytes, or exactly so many when `fixed`
  bool fixed = false;
  std::uint64_t records = ~0ull;  ///< of each writer
  std::uint32_t pause_us = 0;     ///< after each record
  std::vector<RuleId> rules;      ///< each record is awaited by one of them in turn; none: flood
  std::uint64_t seed = 1;
};

class Load {
 public:
  Load(Primary& primary, Digest& digest, LoadPlan plan);
  ~Load() { stop(); }

  /// Returns when every writer has ended.
  void stop();
  void join();

  struct Counts {
    std::atomic<std::uint64_t> records{0};
    std::atomic<std::uint64_t> busy{0};
    std::atomic<std::uint64_t> released{0};
    std::atomic<std::uint64_t> pending{0};
    std::atomic<std::uint64_t> unknown{0};
    std::atomic<std::uint64_t> closed{0};  ///< writers that ended because the primary refused
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  void write(std::uint32_t writer);
  /// False when the writer ends.
  bool append(Stream stream, std::span<const std::byte> payload, Ticket& ticket);
  bool await(Stream stream, const Ticket& ticket, RuleId rule);

  Primary& primary_;
  Digest& digest_;
  const LoadPlan plan_;
  Counts counts_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace quorate::cluster
