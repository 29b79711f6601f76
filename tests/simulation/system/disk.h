#pragma once

// A host's disk: files of 512-byte sectors, each with what is on the medium and what was written
// and not synced yet. Directory entries and sizes become durable apart from contents, as on ext4.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reactor/files.h"
#include "tests/simulation/system/disk_file.h"
#include "tests/simulation/system/disk_names.h"
#include "tests/simulation/system/draw.h"
#include "tests/simulation/system/scheduler.h"

namespace quorate::simulation {

/// Rates are parts of a million operations of the kind that can have the fault.
struct DiskLaw {
  Instant latency_min_ns = 20 * kMicrosecond_ns;
  Instant latency_max_ns = 2 * kMillisecond_ns;
  std::uint32_t short_results = 0;      ///< reads and writes that do only a part
  std::uint32_t errors = 0;             ///< EIO once; unsynced writes of the file may be lost
  std::uint32_t stalls = 0;             ///< operations that take stall_ns
  Instant stall_ns = kSecond_ns;
  std::uint32_t misdirected_writes = 0; ///< go to another sector of the disk, and say success
  std::uint32_t lost_writes = 0;        ///< say success and leave what was there: a stale sector
  std::uint32_t bit_flips = 0;          ///< of a durable sector, noticed at no time
  std::uint64_t capacity_bytes = 0;     ///< ENOSPC beyond; 0: no limit
};

struct DiskCounts {
  std::uint64_t operations = 0;
  std::uint64_t unsynced_sectors_lost = 0;
  std::uint64_t torn_writes = 0;  ///< writes of which a power loss left some sectors new, some old
  std::uint64_t garbled_sectors = 0;
  std::uint64_t short_results = 0;
  std::uint64_t errors = 0;
  std::uint64_t sticky_errors = 0;
  std::uint64_t stalls = 0;
  std::uint64_t misdirected_writes = 0;
  std::uint64_t misdirected_sectors = 0;  ///< of other data, overwritten when those got there
  std::uint64_t lost_writes = 0;
  std::uint64_t bit_flips = 0;
  std::uint64_t full = 0;
  std::uint64_t wipes = 0;
};

/// Whoever is told that a file operation has ended: a reactor.
struct FileCompletion {
  virtual void on_file_done(reactor::Operation& operation, std::int32_t result) = 0;

 protected:
  ~FileCompletion() = default;
};

class SimulatedFiles;

/// Survives the processes that use it. Operations take effect at drawn moments and complete out of
/// order: a write reads its buffers and reaches the page cache at any moment until it completes, a
/// read fills its buffers at completion, everything else happens at completion. Unless an operation
/// is durable or synced, only the page cache knows of it.
///
/// Space is counted up to the end of each file: holes cost as much as data.
class Disk final : private Scheduler::Target {
 public:
  Disk(Scheduler& scheduler, Draw draw);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  DiskLaw law;
  [[nodiscard]] const DiskCounts& counts() const noexcept { return counts_; }

  /// For one reactor, which is told how each operation ended: never inside the call that started
  /// it, unless the reactor was abandoned. The disk lives longer than what this returns.
  std::unique_ptr<reactor::Files> make_files(FileCompletion& completion, Draw draw);

  /// Asks an operation to end. False: it is not in flight here. Otherwise it completes as usual or
  /// soon with -ECANCELED, and in the latter case has done nothing.
  bool cancel(reactor::Operation& operation);

  /// The process has died. What it had in flight completes now with -EIO, whether or not it still
  /// takes effect, and so does at once what is started later. The page cache stays as it is.
  void abandon(FileCompletion& completion);

  /// Abandons everybody. Each unsynced sector is old, new or garbage; each unsynced size and entry
  /// is old or new; the page cache is gone.
  void power_loss();

  /// A new, empty disk in place of this one; abandons everybody.
  void wipe();

  /// The content of one file takes the place of that of another, durably and at once: as if a
  /// program had renamed it. False, and nothing is done: they are not files of one size, or the
  /// first block of the other one is not zero.
  bool take_over(const std::string& from, const std::string& to);

  /// A file with that content is there, durably and at once, as if a program had written it. False:
  /// its directory is not there.
  bool put(const std::string& path, std::span<const std::byte> bytes);
  /// As a program would read it; none: there is no such file.
  [[nodiscard]] std::optional<std::vector<std::byte>> content(const std::string& path) const;

  /// The next sync to complete answers -EIO, and what it covered is on the medium, lost or still
  /// unsynced, sector by sector. Lost sectors look as if they were there until the page cache goes.
  void fail_next_sync() noexcept { fail_next_sync_ = true; }
  /// Everything answers -EIO until switched off.
  void fail_always(bool on) noexcept { fail_always_ = on; }

 private:
  friend class SimulatedFiles;

  enum class Phase : std::uint8_t { perform, complete };
  struct Request {
    reactor::Operation* operation = nullptr;
    SimulatedFiles* client = nullptr;
    std::shared_ptr<DiskFile> file;  ///< null: none, or the descriptor is bad
    std::uint64_t start = 0;         ///< what was written up to this number is what a sync covers
    std::uint64_t number = 0;        ///< under which a write went to the page cache
    std::int32_t result = 0;
    bool performed = false;
    bool cancelled = false;
  };

  void fire(std::uint64_t what) override;
  void add(SimulatedFiles& client) { clients_.push_back(&client); }
  void remove(const SimulatedFiles& client);
  void submit(SimulatedFiles& client, reactor::Operation& operation);
  void schedule(Instant time, std::uint64_t id, Phase phase);
  void let_go(SimulatedFiles& client, bool power);
  void settle(Request& request, bool power);
  void perform(Request& request);
  void complete(Request& request);
  void finish_write(Request& request);
  [[nodiscard]] bool happens(std::uint32_t per_million);
  [[nodiscard]] bool fails(const Request& request);
  void fail(Request& request);
  [[nodiscard]] std::int32_t act(Request& request);
  [[nodiscard]] std::int32_t open(Request& request);
  [[nodiscard]] std::int32_t read(Request& request);
  [[nodiscard]] std::int32_t write(Request& request);
  [[nodiscard]] std::int32_t preallocate(Request& request);
  [[nodiscard]] std::int32_t sync(Request& request);
  [[nodiscard]] std::size_t shortened(std::size_t bytes, bool direct);
  [[nodiscard]] std::uint64_t room_until(const DiskFile& file);
  [[nodiscard]] std::shared_ptr<const Detour> draw_detour(const DiskFile& file,
                                                          std::uint64_t offset);
  [[nodiscard]] std::shared_ptr<DiskFile> any_file();

  Scheduler& scheduler_;
  Draw draw_;
  DiskCounts counts_;
  DiskNames names_;
  std::vector<SimulatedFiles*> clients_;
  std::map<std::uint64_t, Request> requests_;  ///< in flight, oldest first
  std::uint64_t last_request_ = 0;
  std::uint64_t number_ = 0;  ///< of the latest change to any file or entry
  bool fail_next_sync_ = false;
  bool fail_always_ = false;
};

}  // namespace quorate::simulation
