#pragma once

// The ledgers that programs keep on the disks of a world's hosts, in the loops of the engine: what
// was acknowledged on each disk, and whether it is still there when someone looks.

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"
#include "tests/simulation/world/disk_actor.h"
#include "tests/simulation/world/effects.h"
#include "tests/simulation/world/plan.h"

namespace quorate::simulation {

class Ledgers {
 public:
  /// One disk for each host of the network.
  Ledgers(Network& network, const Plan& plan);

  /// For a process that has begun on that host: reads back what its predecessors wrote, goes on
  /// writing. The actor lives as long as the reactor.
  std::unique_ptr<DiskActor> open(HostId host, reactor::Reactor& reactor);

  /// A fault of the medium, and its end. What ends a process is the world's business.
  void begin(const Episode& episode, HostId host, Draw& draw);
  void end(const Episode& episode, HostId host);
  void wipe(HostId host) { network_.host(host).disk.wipe(); }

  /// At the end, when no process is left on any host and all faults of disks are over: cuts the
  /// power of all, and reads everything back.
  void read_back();
  /// The first promise that was broken; empty if none was.
  [[nodiscard]] std::string violation() const;
  void add_to(Effects& effects);

 private:
  void calm(HostId host);

  Network& network_;
  Draw draw_;
  Instant latency_max_ns_;
  std::vector<std::unique_ptr<DiskOracle>> oracles_;  ///< by host
};

}  // namespace quorate::simulation
