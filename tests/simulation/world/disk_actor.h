#pragma once

// A small program that keeps ledgers on a disk as a log would, and reads them back after a crash: a
// unit that was acknowledged as durable must be there, and damage of the medium must be noticed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "reactor/reactor.h"
#include "tests/simulation/system/disk_oracle.h"
#include "tests/simulation/system/draw.h"

namespace quorate::simulation {

/// One per process: after a crash, a new one with the same oracle. Everything after start() and
/// recover() happens in reactor.reap(). It lives until nothing is in flight; whoever kills its
/// process stops it first, because it tries again whatever fails.
class DiskActor {
 public:
  DiskActor(reactor::Reactor& reactor, DiskOracle& oracle, Draw draw);
  DiskActor(const DiskActor&) = delete;
  DiskActor& operator=(const DiskActor&) = delete;

  void start();
  /// Starts nothing new.
  void stop() noexcept {
    running_ = false;
    recovering_ = false;
  }
  /// Nothing is in flight, and nothing will be before the next call.
  [[nodiscard]] bool idle() const noexcept;
  /// Before start(): reads everything back. Done when idle(), or followed by what start() asks for.
  void recover();
  [[nodiscard]] bool recovering() const noexcept { return recovering_; }
  [[nodiscard]] const std::string& violation() const noexcept { return oracle_.violation(); }

 private:
  static constexpr std::uint64_t kUnits = 24;  ///< of a ledger
  static constexpr std::size_t kWrites = 4;    ///< in flight
  static constexpr std::size_t kKept = 2;      ///< ledgers
  static constexpr int kTries = 4;             ///< of reading something back

  enum class Step : std::uint8_t {
    none,
    open_root,
    sync_root,
    open_directory,
    create,
    clear,
    preallocate,
    sync_file,
    rename,
    sync_directory,
    remove_oldest,
    sync_removal,
    open_found,
    read_found,
  };
  enum class State : std::uint8_t { free, writing, written, covered };
  struct Write {
    DiskActor* actor = nullptr;
    reactor::Operation operation;
    LedgerUnit unit;
    iovec vector{};
    State state = State::free;
    bool durable = false;
    std::size_t done = 0;
    std::uint64_t damage = 0;
  };

  static std::string path_of(std::uint64_t generation);
  void next(Step step);
  void on_step(std::int32_t result);
  void step_done(std::int32_t result);
  void step_failed(std::int32_t result);
  void live();
  void begin_again();
  void close(reactor::File& file) noexcept;

  void pump();
  void write_rest(Write& write);
  void on_write(Write& write, std::int32_t result);
  void start_sync();
  void on_sync(std::int32_t result);
  void end_ledger();
  [[nodiscard]] bool any(State state) const noexcept;

  void read_found();
  void on_found(std::int32_t result);
  void next_found();

  reactor::Files& files_;
  DiskOracle& oracle_;
  Draw draw_;
  bool running_ = false;

  Step step_ = Step::none;  ///< what control_ is busy with
  reactor::Operation control_;
  std::string path_, new_path_;
  reactor::File root_, directory_;
  std::vector<std::uint64_t> kept_;  ///< generations that have files, oldest first

  std::uint64_t generation_ = 0;
  reactor::File file_;
  bool live_ = false;    ///< the ledger is there for good and takes units
  bool broken_ = false;  ///< an error: nothing more is written to it or believed of it
  std::uint64_t next_sequence_ = 0;
  std::array<Write, kWrites> writes_;
  reactor::Operation sync_;
  bool syncing_ = false;

  bool recovering_ = false;
  std::size_t found_ = 0;  ///< index in kept_
  int tries_ = 0;
};

}  // namespace quorate::simulation
