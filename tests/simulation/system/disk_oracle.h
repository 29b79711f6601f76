#pragma once

// The units that a program writes to its disk in order to find them again, and what it was promised
// about them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/system/disk.h"

namespace quorate::simulation {

/// What every (generation, sequence) was written as is a function of the two: each is written once.
struct alignas(4096) LedgerUnit {
  std::uint64_t magic = 0;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  std::array<std::byte, 4096 - 4 * sizeof(std::uint64_t)> filler{};
  std::uint64_t checksum = 0;

  static LedgerUnit make(std::uint64_t generation, std::uint64_t sequence);
  [[nodiscard]] bool whole() const;  ///< its magic and its checksum are right
};

/// What was acknowledged on one disk. Not on that disk, so it survives everything.
class DiskOracle {
 public:
  explicit DiskOracle(const DiskCounts& counts) noexcept : counts_(counts) {}

  /// The generation of a new ledger, never the same twice, whatever the disk forgets. Nothing is
  /// acknowledged of earlier ones from now on.
  [[nodiscard]] std::uint64_t begin_ledger() {
    wipes_ = counts_.wipes;
    return ++last_generation_;
  }
  void acknowledge(std::uint64_t generation, std::uint64_t sequence, std::uint64_t damage);
  /// Its file may be gone from now on.
  void retire(std::uint64_t generation) { ledgers_.erase(generation); }
  /// How often the medium was damaged so far in a way that can harm what is durable.
  [[nodiscard]] std::uint64_t damage() const noexcept;

  void judge_files(const std::vector<std::uint64_t>& found);
  void judge(std::uint64_t generation, std::uint64_t sequence, const LedgerUnit& unit);
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }

  std::uint64_t acknowledged = 0;
  std::uint64_t confirmed = 0;  ///< acknowledged units that were read back
  std::uint64_t excused = 0;    ///< that were damaged, by a fault of the medium, and noticed

 private:
  struct Ledger {
    std::uint64_t wipes = 0;
    std::map<std::uint64_t, std::uint64_t> damage;  ///< by sequence: as it was before the write
  };
  void fail(std::uint64_t generation, std::uint64_t sequence, const char* what);

  const DiskCounts& counts_;
  std::map<std::uint64_t, Ledger> ledgers_;
  std::uint64_t last_generation_ = 0;
  std::uint64_t wipes_ = 0;  ///< when the last ledger began
  std::string violation_;
};

}  // namespace quorate::simulation
