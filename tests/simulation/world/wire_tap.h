#pragma once

// Reads what goes over the simulated wire and tells the model: which frames arrived whole, and what
// was acknowledged, claimed and told committed. Knows the layout of wire/README.md, and nothing of
// the engine.

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "tests/simulation/model/model.h"
#include "tests/simulation/system/network.h"

namespace quorate::simulation {

class WireTap final : public WireObserver {
 public:
  using Tell = std::function<void(const HistoryEvent&)>;

  explicit WireTap(Tell tell) : tell_(std::move(tell)) {}

  void on_connected(ConnectionId connection, ProcessId dialer, ProcessId listener) override;
  void on_sent(ConnectionId connection, Way way, std::span<const std::byte> bytes) override;
  void on_delivered(ConnectionId connection, Way way, std::size_t bytes,
                    std::size_t intact) override;
  void on_ended(ConnectionId connection) override;

 private:
  /// What a unit says, told when its last byte has arrived.
  struct Saying {
    std::uint64_t end = 0;  ///< of the unit, in bytes of its way
    HistoryEvent event;
  };
  struct Direction {
    std::vector<std::byte> head;  ///< the unit that is being sent, as far as it is looked at
    std::uint64_t need = 0;       ///< how much of it is looked at
    std::uint64_t skip = 0;       ///< bytes of it that are not
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    bool damaged = false;
    std::deque<Saying> sayings;
  };
  struct Wire {
    ProcessId replica = 0;
    Direction ways[2];
  };

  void take(Wire& wire, Way way, std::span<const std::byte> bytes);
  void on_head(Wire& wire, Way way, Direction& direction);
  void say(Direction& direction, std::uint64_t end, const HistoryEvent& event);
  void on_frame(Wire& wire, Direction& direction, std::uint64_t end);
  void on_body(Wire& wire, Direction& direction, std::uint64_t end);

  Tell tell_;
  std::vector<Wire> wires_;  ///< by connection
};

}  // namespace quorate::simulation
