#pragma once

// A TCP proxy inside the test that can be cruel: cut connections after a number of bytes, flip a
// bit, forward nothing, forward slowly. One thread; everything public may be called from the test.

#include <poll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace quorate::cluster {

class Proxy {
 public:
  static constexpr std::uint64_t kNever = ~0ull;

  /// From the side that connected to the proxy, and back to it.
  enum Way : std::size_t { there = 0, back = 1 };

  /// What becomes of one connection, in bytes of each way.
  struct Fate {
    std::array<std::uint64_t, 2> cut_at{kNever, kNever};
    std::array<std::uint64_t, 2> flip_at{kNever, kNever};  ///< the byte in which a bit is flipped
    bool reset = false;  ///< the cut is a reset, not an orderly end
  };
  /// Asked for each connection, with its running number; on the proxy's thread.
  using Decide = std::function<Fate(std::uint64_t connection)>;

  explicit Proxy(std::uint16_t upstream_port, Decide decide = {});
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void set_upstream(std::uint16_t port) { upstream_port_ = port; }
  /// Accepts and forwards nothing, in either way.
  void stall(bool on);
  /// Forwards at most so many bytes a second each way; 0: as fast as it can.
  void throttle(std::uint64_t bytes_per_s) { bytes_per_s_ = bytes_per_s; }
  void cut_all();

  [[nodiscard]] std::uint64_t connections() const { return connections_; }
  [[nodiscard]] std::uint64_t cuts() const { return cuts_; }
  [[nodiscard]] std::uint64_t flips(Way way) const { return flips_[way]; }

 private:
  struct Stream;
  struct Pair;

  void run();
  void wake() const;
  void accept();
  void gather(std::vector<pollfd>& fds);
  void serve(Pair& pair, bool stalled);
  void read(Pair& pair, Way way);
  void write(Pair& pair, Way way);
  static void cut(Pair& pair);
  void end(Pair& pair);

  int listener_ = -1;
  int wake_fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::uint16_t> upstream_port_;
  const Decide decide_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stalled_{false};
  std::atomic<bool> cut_all_{false};
  std::atomic<std::uint64_t> bytes_per_s_{0};
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> cuts_{0};
  std::array<std::atomic<std::uint64_t>, 2> flips_{};
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::thread thread_;
};

}  // namespace quorate::cluster
