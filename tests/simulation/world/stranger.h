#pragma once

// A process that connects to the primary and is no replica: it says nothing, or noise, or the
// beginning of something right, or as much of it as it can, and leaves whenever it likes.

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

class Stranger {
 public:
  /// Dials the primary `connections` times at once. `names`: who it may pretend to be.
  Stranger(Network& network, HostId host, HostId primary, std::uint32_t connections,
           std::uint32_t replicas, Draw draw);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  void leave(Ending ending);
  [[nodiscard]] ProcessId process() const noexcept { return process_->id(); }

 private:
  struct Caller {
    Stranger* stranger = nullptr;
    reactor::Operation dialing, sending, receiving;
    reactor::Socket socket;
    std::vector<std::byte> says;
    std::array<std::byte, 512> hears{};
    iovec out{}, in{};
    bool over = false;  ///< the other side is gone
  };

  static void on_connected(reactor::Operation& operation, std::int32_t result);
  static void on_sent(reactor::Operation& operation, std::int32_t result);
  static void on_received(reactor::Operation& operation, std::int32_t result);
  void hear(Caller& caller);
  void hang_up(Caller& caller);
  [[nodiscard]] std::vector<std::byte> words(std::uint32_t replicas);
  [[nodiscard]] std::vector<std::byte> noise(std::size_t bytes_max);
  [[nodiscard]] std::vector<std::byte> hello(std::uint32_t replicas);

  Draw draw_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<SimulatedReactor> reactor_;
  std::vector<std::unique_ptr<Caller>> callers_;
};

}  // namespace quorate::simulation
