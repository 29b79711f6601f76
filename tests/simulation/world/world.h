#pragma once

// A whole world in one thread: a primary and its replicas, the operator who starts them again, the
// load, and the faults of a plan. The model judges everything that happens.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/model/model.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/world/forger.h"
#include "tests/simulation/world/plan.h"
#include "tests/simulation/world/primary_actor.h"
#include "tests/simulation/world/replica_actor.h"
#include "tests/simulation/world/stranger.h"
#include "tests/simulation/world/wire_tap.h"

namespace quorate::simulation {

struct WorldResult {
  std::string failure;          ///< empty: nothing was wrong
  Instant failed_at = 0;
  Instant simulated_ns = 0;
  Instant counted_ns = 0;       ///< under at least 100 records/s offered, outside of outages
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t offered = 0;
  std::uint64_t appended = 0;
  std::uint64_t applied = 0;
  std::uint64_t releases = 0;   ///< waiters told so
  std::uint64_t reigns = 0;
  std::int64_t primary_bytes_max = 0;  ///< on the heap of a process
  std::int64_t replica_bytes_max = 0;
  std::array<std::uint64_t, kFaults> faults{};
  Effects effects;
  std::array<std::uint64_t, kForgeries> forged{};
};

class World final : private Scheduler::Target, private Teller {
 public:
  /// `trace`: prints what happens, line by line.
  World(const Plan& plan, bool trace);
  ~World();

  WorldResult run();

 private:
  enum class What : std::uint32_t { write, tend, begin, end, look, forge, flap };
  struct Place {
    std::unique_ptr<ReplicaActor> actor;  ///< null while it is down
    std::unique_ptr<ReplicaActor> twin;   ///< another process of that name, on a host of its own
    Instant down_until = 0;
    Instant unheard_since = 0;    ///< by a primary that runs: for so long nothing reached it
    Instant unhearing_since = 0;  ///< this process runs and nothing reached it
    std::uint64_t refused_in = 0;  ///< the reign that had no use for an empty process of it
    Instant refused_at = 0;
    bool fresh = false;            ///< began after this reign did
  };

  // Teller
  void tell(const HistoryEvent& event) override;
  void trace(const char* who, const std::string& text) override;
  [[nodiscard]] bool tracing() const override { return trace_; }
  void fail(const std::string& what) override;
  void count(Effect effect) override { ++result_.effects[effect]; }

  /// Private bases are not convertible inside of make_unique.
  Teller& teller() noexcept { return *this; }

  void fire(std::uint64_t what) override;
  void later(Instant delay_ns, What what, std::uint32_t index = 0);
  void expect_episode(std::uint32_t index);
  void write();
  void tend();
  void look();
  void count_time();
  void check_bounds();
  void memory_of(Process& process, std::int64_t bound, std::int64_t& most);
  void note_links();
  void check_silence(Place& place, std::uint32_t index);
  void tend_primary(Instant now);
  void tend_replica(Place& place, std::uint32_t index, Instant now);
  void begin_reign();
  void end_reign(Instant down_ns);
  void begin(const Episode& episode);
  void begin_on_link(const Episode& episode);
  bool begin_on_primary(const Episode& episode);
  bool begin_on_replica(const Episode& episode);
  bool begin_elsewhere(const Episode& episode);
  void flap(const Episode& episode);
  void begin_on_disk(const Episode& episode);
  void wipe(HostId host, Instant until);
  void crash(Place& place, Ending ending, Instant until);
  void start_twin(std::uint32_t index);
  void end_twin(Place& place);
  void forge();
  void start_stranger();
  void end_stranger();
  void end(const Episode& episode);
  void heal();
  void run_until(Instant time);
  [[nodiscard]] bool converged();
  void converge();
  void finish();
  void count_effects();
  [[nodiscard]] std::string state();

  const Plan plan_;
  const bool trace_;
  Scheduler scheduler_;
  Network network_;
  Model model_;
  WireTap tap_;
  Forger forger_;
  std::unique_ptr<Ledgers> ledgers_;  ///< null if this world has none
  Draw draw_;       ///< for the load
  Draw dice_;       ///< of the episode that begins
  Draw flapping_;
  Draw forging_;
  Draw strangers_;
  WorldResult result_;
  std::unique_ptr<PrimaryActor> primary_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<PrimaryActor>> past_primaries_;
  std::vector<std::unique_ptr<ReplicaActor>> past_replicas_;
  std::unique_ptr<Stranger> stranger_;  ///< null: there is none now
  std::vector<std::unique_ptr<Stranger>> past_strangers_;
  Instant primary_down_until_ = 0;
  Instant forging_until_ = 0;
  bool writing_ = true;
  bool healed_ = false;
  bool finished_ = false;  ///< nobody writes, looks or starts anything any more
  Instant looked_at_ = 0;
  std::uint64_t looked_offered_ = 0;
  std::uint64_t looked_appended_ = 0;
  bool outage_ = true;
};

}  // namespace quorate::simulation
