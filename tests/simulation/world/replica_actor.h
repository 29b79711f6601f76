#pragma once

// One process of a replica and the program on it, which applies what it is given. Tells the model.
// Killed, it gives its memory back and stays: events of the scheduler may still name it.

#include <cstdint>
#include <memory>
#include <string>

#include "quorate/replica.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"
#include "tests/simulation/world/plan.h"
#include "tests/simulation/world/primary_actor.h"

namespace quorate::simulation {

class ReplicaActor final : private Scheduler::Target {
 public:
  /// `ledgers`: null if this world has none.
  ReplicaActor(Network& network, Teller& teller, const Plan& plan, Ledgers* ledgers, HostId host,
               std::uint32_t replica, Draw draw);
  ~ReplicaActor();
  ReplicaActor(const ReplicaActor&) = delete;
  ReplicaActor& operator=(const ReplicaActor&) = delete;

  void kill(Ending ending);
  /// The program pauses between records from now on until then (true time).
  void slow_down(Instant until) noexcept { slow_until_ = until; }
  /// Tells the model what the handle reports.
  void show();

  [[nodiscard]] Process& process() noexcept { return *process_; }
  /// It says that it needs a full copy: this process is of no use any more.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] ReplicaReport report() const { return replica_->report(); }

 private:
  void open(HostId host);
  void fire(std::uint64_t) override;
  void apply_soon();
  void apply(const Record& record);

  Network& network_;
  Teller& teller_;
  const Plan& plan_;
  Ledgers* ledgers_;
  const std::uint32_t index_;
  Draw draw_;
  Apply apply_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<DiskActor> disk_;  ///< runs in the loop of the engine
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Replica> replica_;
  Instant slow_until_ = 0;
  bool apply_due_ = false;
  bool lost_ = false;
  bool ended_ = false;
};

}  // namespace quorate::simulation
