#pragma once

// A durable cluster in one thread: a primary host and replica hosts with disks, an operator who
// starts what has ended again on its directory, the load, and faults at drawn moments.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/durable/nodes.h"

namespace quorate::simulation::durable {

struct DurableResult {
  std::string failure;  ///< empty: nothing was wrong
  Instant failed_at = 0;
  Instant simulated_ns = 0;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Counts counts;
};

class DurableWorld final : private Scheduler::Target, private Watcher {
 public:
  DurableWorld(const Settings& settings, bool trace);
  ~DurableWorld();

  DurableResult run();

 private:
  struct Place {
    std::unique_ptr<Node> node;  ///< null while it is down
    Instant down_until = 0;
    std::vector<std::uint64_t> segments;  ///< by stream: the highest number seen
    std::vector<std::uint64_t> oldest;    ///< by stream
  };

  // Watcher
  void trace(const std::string& who, const std::string& text) override;
  [[nodiscard]] bool tracing() const override { return trace_; }
  void fail(const std::string& what) override;
  Counts& counts() override { return result_.counts; }
  void look_at_primary() override;

  void fire(std::uint64_t what) override;
  void later(Instant delay_ns, std::function<void()> what);
  void run_until(Instant time);

  // The operator and the load.
  void look();
  void tend(std::uint32_t host);
  void start(std::uint32_t host);
  void note_segments(Place& place);
  void write();
  void begin_load();
  void offer();

  // Faults.
  void strike();
  void strike_nodes();
  void strike_disk();
  void strike_link();
  void end_node(std::uint32_t host, bool power);
  void leave_alone();
  void close_node(std::uint32_t host);
  void die_in_open(std::uint32_t host, std::uint32_t times);
  void wipe(std::uint32_t host);
  void slow_down(std::uint32_t host);
  void pause(std::uint32_t host);
  void wear(HostId host, Instant lasts_ns);
  void heal_host(HostId host);
  [[nodiscard]] bool catching_up() const;
  [[nodiscard]] Instant draw_pause();

  // The end.
  void heal();
  [[nodiscard]] bool converged();
  [[nodiscard]] Position progress();
  void converge();
  void finish();
  [[nodiscard]] PrimaryNode* primary() const {
    return static_cast<PrimaryNode*>(places_[kPrimaryHost].node.get());
  }
  [[nodiscard]] ReplicaNode* replica(std::uint32_t host) const {
    return static_cast<ReplicaNode*>(places_[host].node.get());
  }
  [[nodiscard]] std::uint32_t hosts() const {
    return static_cast<std::uint32_t>(places_.size());
  }
  [[nodiscard]] std::string state();

  const Settings settings_;
  const bool trace_;
  Scheduler scheduler_;
  Network network_;
  Oracle oracle_;
  std::string root_;
  Draw load_;
  Draw dice_;
  DurableResult result_;
  std::vector<Place> places_;  ///< by host; the first is the primary's
  std::vector<std::unique_ptr<Node>> past_;
  std::deque<std::function<void()>> tasks_;  ///< what the scheduler's events do
  std::uint64_t key_ = 0;
  std::uint64_t lives_ = 0;
  Instant loaded_until_ = 0;
  bool healed_ = false;
  bool writing_ = true;
  bool finished_ = false;
};

}  // namespace quorate::simulation::durable
