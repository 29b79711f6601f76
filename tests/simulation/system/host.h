#pragma once

// A machine of the simulated world: a clock, a disk, and how its kernel treats processes. And a
// process on it: loops (one simulated reactor each) that are turned when something is due.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/simulation/system/clock.h"
#include "tests/simulation/system/disk.h"
#include "tests/simulation/system/draw.h"
#include "tests/simulation/system/scheduler.h"

namespace quorate::simulation {

class Network;
class SimulatedReactor;

using HostId = std::uint32_t;
using ProcessId = std::uint32_t;  ///< of one process from start to end; never used again in a run

/// How a host runs its processes. Times are drawn afresh each time between the two.
struct HostLaw {
  Instant wake_min_ns = 1 * kMicrosecond_ns;   ///< from a completion to the turn that reaps it
  Instant wake_max_ns = 20 * kMicrosecond_ns;
  /// How many of 1000 sends are not performed at once when submitted, but at a random moment of the
  /// following time: their bytes are read then, and not before.
  std::uint32_t late_sends = 100;
  Instant late_max_ns = 200 * kMicrosecond_ns;
};

struct Host {
  Host(HostId host_id, std::uint64_t seed, Scheduler& scheduler, Clock host_clock)
      : id(host_id),
        clock(host_clock),
        disk(scheduler, Draw::of(seed, "disk", host_id)),
        draw(Draw::of(seed, "host", host_id)) {}

  const HostId id;
  Clock clock;
  HostLaw law;
  Disk disk;
  Draw draw;
  std::uint32_t boots = 0;      ///< grows when its power is cut
  bool running = true;          ///< false from then until a process is started on it
};

/// How a process ends.
enum class Ending : std::uint8_t {
  process,  ///< SIGKILL: the kernel closes its sockets, peers hear of it
  machine,  ///< power: peers hear nothing until they send and the machine runs again
};

/// Alive, a process lends its loops to the world: wait() starts what is queued, remembers until
/// when the loop sleeps and returns at once; `turn` is called when something has completed, on a
/// wake(), and when that time has come.
///
/// A call that blocks (close(), wait() of a handle) is made between block() and unblock(): wait()
/// then runs the world until this loop has something to do. The world must not turn this process
/// meanwhile, and does not.
///
/// Dead, it has no part in the world any more: everything in flight completes at once with an
/// error, and wait() returns at once and sets the process's own clock to the deadline, so that
/// handles of the dead process can be destroyed in no time and without anybody hearing of it.
class Process {
 public:
  using Turn = std::function<void()>;

  Process(Network& network, Scheduler& scheduler, Host& host, ProcessId id);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] ProcessId id() const noexcept { return id_; }
  [[nodiscard]] Host& host() noexcept { return host_; }
  [[nodiscard]] Instant local_now() const noexcept;

  /// A reactor of this process. It may be owned by an engine, and must go before its process.
  /// `blocking`: for a call that blocks, perhaps inside of a turn, as long as the reactor lives.
  std::unique_ptr<SimulatedReactor> make_reactor(bool blocking = false);
  /// What to call when the loop of that reactor is due; before its first wait().
  void drive(SimulatedReactor& reactor, Turn turn);

  void block();
  void unblock();
  [[nodiscard]] bool blocked() const noexcept { return blocked_ > 0; }

  /// Stopped like by SIGSTOP: nothing of it runs, its clock goes on.
  void pause();
  void resume();
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  void kill(Ending ending);
  [[nodiscard]] bool dead() const noexcept { return dead_; }

  /// Sockets that it has not closed.
  [[nodiscard]] std::uint32_t open_sockets() const noexcept { return open_sockets_; }

 private:
  friend class Network;
  friend class SimulatedReactor;

  /// What a socket id of the process means.
  struct Slot {
    enum class Kind : std::uint8_t { none, listener, connection };
    Kind kind = Kind::none;
    std::uint32_t index = 0;  ///< of the listener or connection
    std::uint32_t end = 0;    ///< of the connection: 0 the dialer's, 1 the listener's
  };

  [[nodiscard]] bool may_turn() const noexcept { return !paused_ && !dead_ && blocked_ == 0; }
  [[nodiscard]] std::int32_t add_slot(Slot slot);
  void wake_all();

  Network& network_;
  Scheduler& scheduler_;
  Host& host_;
  const ProcessId id_;
  std::vector<SimulatedReactor*> reactors_;
  std::vector<Slot> slots_;
  std::uint32_t open_sockets_ = 0;
  std::uint32_t blocked_ = 0;
  bool paused_ = false;
  bool dead_ = false;
  Instant dead_now_ = 0;  ///< the clock of a dead process
};

}  // namespace quorate::simulation
