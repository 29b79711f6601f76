#pragma once

// Reads what goes over the simulated wire and tells the model: which frames arrived whole, and what
// was acknowledged, claimed and told committed. Knows the layout of wire/README.md, and nothing of
// the engine. What it heard of a connection is there to be read: a forger needs it.

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

  /// Of the units that one side has sent.
  struct HeardWay {
    std::uint64_t session = 0;  ///< 0: none yet
    Epoch epoch;                ///< the sender's
    std::uint64_t units = 0;    ///< the next one has this sequence number
    bool between_units = true;
    bool goodbye = false;
  };
  /// Of a stream. The frame is the last one sent, or the one that the replica claimed to hold.
  struct HeardStream {
    std::uint64_t incarnation = 0;  ///< of the replica's process
    Epoch frame_epoch;
    std::uint32_t frame_checksum = 0;
    Position frame_end = 0;
    bool fed = false;  ///< frames have been sent
    Position received = 0;  ///< as acknowledged
    Position applied = 0;
    Position credit_limit = 0;
    Position committed = 0;  ///< as told on this connection
  };
  struct Heard {
    ProcessId replica = 0;
    HeardWay ways[2];
    std::vector<HeardStream> streams;  ///< by number; as far as there are claims
    bool forged = false;  ///< bytes were put into it
  };

  explicit WireTap(Tell tell) : tell_(std::move(tell)) {}

  /// What this process says from now on is no replica's: its connections are not looked at.
  void ignore(ProcessId dialer) { ignored_.push_back(dialer); }

  void on_connected(ConnectionId connection, ProcessId dialer, ProcessId listener) override;
  void on_sent(ConnectionId connection, Way way, std::span<const std::byte> bytes) override;
  void on_delivered(ConnectionId connection, Way way, std::size_t bytes,
                    std::size_t intact) override;
  /// Only between units. The receiver finds something wrong with it, or with the next unit, which
  /// has the same sequence number: nothing that follows may count.
  void on_injected(ConnectionId connection, Way way, std::size_t bytes) override;
  void on_ended(ConnectionId connection) override;

  [[nodiscard]] std::size_t connections() const noexcept { return wires_.size(); }
  [[nodiscard]] const Heard& heard(ConnectionId connection) const noexcept {
    return wires_[connection].heard;
  }

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
    std::uint64_t sound = ~std::uint64_t{0};  ///< what follows these bytes must never count
    std::deque<Saying> sayings;
  };
  struct Wire {
    Heard heard;
    Direction ways[2];
    bool ignored = false;
  };

  void take(Wire& wire, Way way, std::span<const std::byte> bytes);
  void on_head(Wire& wire, Way way, Direction& direction);
  void on_envelope(HeardWay& way, const std::byte* unit);
  void say(Direction& direction, std::uint64_t end, const HistoryEvent& event);
  void on_frame(Wire& wire, Direction& direction, std::uint64_t end);
  void on_body(Wire& wire, Direction& direction, std::uint64_t end);
  void on_commits(Wire& wire, Direction& direction, std::uint64_t end);
  void on_acknowledgements(Wire& wire, Direction& direction, std::uint64_t end);
  void on_claims(Wire& wire, Direction& direction, std::uint64_t end);
  void on_answers(Wire& wire, Direction& direction);
  static void hear_commit(Heard& heard, const HistoryEvent& event);

  Tell tell_;
  std::vector<Wire> wires_;  ///< by connection
  std::vector<ProcessId> ignored_;
};

}  // namespace quorate::simulation
