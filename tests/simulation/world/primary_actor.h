#pragma once

// One reign: a process with a primary, its writers, and what they wait for. Tells the model what
// the program on the primary does and sees. Killed, it gives its memory back and stays.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quorate/primary.h"
#include "tests/simulation/model/model.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"
#include "tests/simulation/world/effects.h"
#include "tests/simulation/world/ledgers.h"
#include "tests/simulation/world/loops.h"
#include "tests/simulation/world/plan.h"

namespace quorate::simulation {

/// What the world knows of its actors' doings.
struct Teller {
  virtual void tell(const HistoryEvent& event) = 0;
  virtual void trace(const char* who, const std::string& text) = 0;
  [[nodiscard]] virtual bool tracing() const = 0;
  /// Something failed that must not.
  virtual void fail(const std::string& what) = 0;
  virtual void count(Effect effect) = 0;

 protected:
  ~Teller() = default;
};

class PrimaryActor {
 public:
  /// `ledgers`: null if this world has none.
  PrimaryActor(Network& network, Teller& teller, const Plan& plan, Ledgers* ledgers, HostId host,
               Draw draw);
  ~PrimaryActor();
  PrimaryActor(const PrimaryActor&) = delete;
  PrimaryActor& operator=(const PrimaryActor&) = delete;

  /// Appends so many records to streams drawn at random. Returns how many were taken.
  std::uint32_t write(std::uint32_t records);
  /// From now on claims are held, or their writers die with them.
  void hold_claims(Instant until) noexcept { hold_until_ = until; }
  /// False: it got no claim.
  bool die_with_claim();
  /// Publishes or abandons what is held long enough.
  void tend_claims(Instant now);

  /// Asks the engine to close and waits for it, while the world goes on.
  /// Tells the model what the handle reports.
  void show();
  void close();
  void kill(Ending ending);

  [[nodiscard]] Process& process() noexcept { return *process_; }
  [[nodiscard]] bool fenced() const noexcept { return fenced_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] const Epoch& epoch() const noexcept { return epoch_; }
  [[nodiscard]] StreamStatus status(StreamId stream) { return primary_->stream(stream).status(); }
  [[nodiscard]] Position claimed(StreamId stream) const { return claimed_[stream]; }

 private:
  struct Held {
    StreamId stream = 0;
    Position begin = 0;
    Instant since = 0;
    Instant until = 0;
    Claim claim;
  };

  void open(HostId host);
  void after_turn();
  void bury();
  [[nodiscard]] std::size_t draw_size();
  void on_busy(StreamId stream);
  bool write_one(StreamId stream);
  void await(const Ticket& ticket);
  void block_for_release(const Ticket& ticket);
  void block_for_space(StreamId stream, std::size_t payload_bytes);
  void on_trace(TraceLevel level, std::string_view text);
  void on_fence(StreamId stream);
  /// A claim or a wait was refused. True: as it may be.
  [[nodiscard]] bool may_refuse(Errc code) const noexcept;
  [[nodiscard]] bool end_call(Instant latest);
  [[nodiscard]] Instant latest_return(Instant limit_ns) const noexcept;

  Network& network_;
  Teller& teller_;
  const Plan& plan_;
  Ledgers* ledgers_;
  Draw draw_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<DiskActor> disk_;  ///< runs in a loop of the engine
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Primary> primary_;
  Epoch epoch_;
  std::vector<RuleId> rules_;
  std::vector<Position> claimed_;            ///< by stream: where the next claim begins
  std::vector<Position> watermarks_;         ///< by stream and rule: as last told
  struct Refusal {
    Instant last = kNever;  ///< kNever: the last claim was taken
    Instant sum_ns = 0;     ///< for how long claims have been refused, at least
  };
  std::vector<Refusal> refusals_;            ///< by stream
  std::vector<Held> held_;
  Instant hold_until_ = 0;
  std::uint64_t keys_ = 0;
  std::uint64_t waiters_ = 0;
  std::uint64_t waiting_ = 0;  ///< callbacks that have not been called
  bool fenced_ = false;
  bool ended_ = false;
};

}  // namespace quorate::simulation
