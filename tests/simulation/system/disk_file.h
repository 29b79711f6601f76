#pragma once

// One file of a disk: the sectors on the medium, and over them what was written and is not synced.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "tests/simulation/system/draw.h"

namespace quorate::simulation {

inline constexpr std::size_t kSectorBytes = 512;
inline constexpr std::uint64_t kBlockBytes = 4096;  ///< in which a file system gives space
using SectorBytes = std::array<std::byte, kSectorBytes>;

class DiskFile;

/// Where a write really goes when it reaches the medium: to another place, or nowhere. The page
/// cache never knows.
struct Detour {
  std::weak_ptr<DiskFile> to;  ///< empty or gone: nowhere
  std::int64_t shift = 0;      ///< in sectors
  std::uint64_t* hits = nullptr;  ///< counts sectors that were overwritten by it
};

/// What a loss of power did.
struct PowerLossCounts {
  struct Write {
    bool reached = false;
    bool missed = false;
  };
  std::uint64_t lost = 0;
  std::uint64_t garbled = 0;
  std::map<std::uint64_t, Write> writes;  ///< by number
};

/// Changes are numbered in the order of their time. Nothing is kept for sectors that are zero and
/// synced.
class DiskFile {
 public:
  explicit DiskFile(bool directory) noexcept : directory_(directory) {}

  [[nodiscard]] bool directory() const noexcept { return directory_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Up to which byte space is taken.
  [[nodiscard]] std::uint64_t space() const noexcept { return space_; }

  /// Fills `out`, with zero where nothing was written. `direct`: not from clean pages.
  void read(std::uint64_t offset, std::span<std::byte> out, bool direct) const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t number,
             const std::shared_ptr<const Detour>& detour);
  void preallocate(std::uint64_t end, std::uint64_t number);
  void truncate(std::uint64_t bytes, std::uint64_t number);

  /// A sync has begun that covers what was written up to `number`: that is kept apart from what is
  /// written over it from now on.
  void keep(std::uint64_t number) noexcept { kept_ = number > kept_ ? number : kept_; }
  /// Content and size as they were at `number` go to the medium.
  void sync(std::uint64_t number);
  /// Likewise for a part of the content, and for the size if that part needs it.
  void sync_part(std::uint64_t offset, std::uint64_t bytes, std::uint64_t number);
  /// The same goes wrong: each covered sector reaches the medium, stays unsynced or is forgotten.
  void fail_sync(std::uint64_t offset, std::uint64_t bytes, std::uint64_t number, Draw& draw);

  void power_loss(Draw& draw, PowerLossCounts& counts);
  /// On the medium; false if there is nothing but zeros.
  [[nodiscard]] bool flip_bit(Draw& draw);

 private:
  using Sector = std::unique_ptr<SectorBytes>;  ///< null: zero
  struct Version {
    std::uint64_t number = 0;
    Sector bytes;
    std::shared_ptr<const Detour> detour;
    bool hole = false;  ///< made by truncation: no write that could be torn
  };
  struct SizeVersion {
    std::uint64_t number = 0;
    std::uint64_t size = 0;
  };
  struct Unsynced {
    std::vector<Version> versions;  ///< oldest first, never empty
    /// The page cache believes that the medium has this: it will not be written again.
    bool clean = false;
  };
  using Sectors = std::map<std::uint64_t, Unsynced>;
  using Each = std::function<void(Sectors::iterator)>;

  void put(std::uint64_t sector, Version version);
  [[nodiscard]] const SectorBytes* find(std::uint64_t sector, bool direct) const;
  void set_size(std::uint64_t size, std::uint64_t number);
  void sync_size(std::uint64_t number);
  void reach_medium(std::uint64_t sector, const Version& version);
  void flush(Sectors::iterator at, std::uint64_t number);
  void forget(Sectors::iterator at, std::uint64_t number);
  void each_in(std::uint64_t offset, std::uint64_t bytes, const Each& each);
  void tear(std::uint64_t sector, Unsynced& unsynced, Draw& draw, PowerLossCounts& counts);
  void lose_size(Draw& draw);
  void cut_medium();

  const bool directory_;
  std::map<std::uint64_t, Sector> medium_;
  Sectors unsynced_;
  std::uint64_t size_ = 0;
  std::uint64_t space_ = 0;
  std::uint64_t durable_size_ = 0;
  std::vector<SizeVersion> sizes_;  ///< not synced, oldest first
  std::uint64_t kept_ = 0;
};

}  // namespace quorate::simulation
