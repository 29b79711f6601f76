#pragma once

// The simulated network: hosts, the laws of the links between them, and connections whose bytes
// travel in pieces. Behaves as TCP over a kernel may: in order and whole, late, in any pieces, or
// broken; and, where a law says so, with a flipped bit that no checksum of TCP noticed.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reactor/operation.h"
#include "tests/simulation/system/host.h"
#include "tests/simulation/system/scheduler.h"

namespace quorate::simulation {

using ConnectionId = std::uint32_t;  ///< from 0, never used again in a run

/// One direction between two hosts.
struct LinkLaw {
  Instant latency_min_ns = 20 * kMicrosecond_ns;
  Instant latency_max_ns = 200 * kMicrosecond_ns;
  std::uint64_t bytes_per_s = 0;   ///< 0: no limit
  std::uint32_t cuts_of_1000 = 50; ///< how many of 1000 pieces are cut in two at a random byte
  std::uint32_t flips_of_million = 0;  ///< pieces in which one bit arrives flipped
};

/// Which way bytes of a connection go.
enum class Way : std::uint8_t { from_dialer, to_dialer };

/// Told what happens on the wire, at once. `process` is whose end it is.
class WireObserver {
 public:
  virtual void on_connected(ConnectionId connection, ProcessId dialer, ProcessId listener) = 0;
  /// The sender's kernel has read these bytes out of the buffers of a send: from here on they are
  /// as they are, whatever happens to the buffers.
  virtual void on_sent(ConnectionId connection, Way way, std::span<const std::byte> bytes) = 0;
  /// A receive of the other end completed with so many more bytes, of which the first `intact`
  /// are as they were sent; if there are more, the next one is the first that is not. Called
  /// before the receiver's program sees them. Nothing behind a damaged byte counts as intact.
  virtual void on_delivered(ConnectionId connection, Way way, std::size_t bytes,
                            std::size_t intact) = 0;
  /// Bytes that nobody sent follow what was sent so far.
  virtual void on_injected(ConnectionId, Way, std::size_t) {}
  /// No byte of it will be sent or delivered any more.
  virtual void on_ended(ConnectionId connection) = 0;

 protected:
  ~WireObserver() = default;
};

/// Sockets of the run, for assertions and statistics.
struct NetworkCounts {
  std::uint64_t connections = 0;
  std::uint64_t pieces_held_by_cuts = 0;  ///< pieces that waited for a cut link to heal
  std::uint64_t resets = 0;               ///< connections broken by reset()
  std::uint64_t bits_flipped = 0;
  std::uint64_t half_open = 0;            ///< ends that were left behind by the death of a machine
  std::uint64_t pieces_limited = 0;       ///< pieces that waited for bandwidth
};

class Network final : private Scheduler::Target {
 public:
  Network(Scheduler& scheduler, std::uint64_t seed);
  ~Network();

  /// `drift_ppm` of its clock; clocks start at different times.
  Host& add_host(std::int64_t drift_ppm);
  [[nodiscard]] Host& host(HostId id) { return *hosts_[id]; }
  [[nodiscard]] std::uint32_t hosts() const { return static_cast<std::uint32_t>(hosts_.size()); }
  std::unique_ptr<Process> start_process(HostId host);

  /// Both ends and everything in flight, of one host to itself too.
  [[nodiscard]] LinkLaw& law(HostId from, HostId to);
  /// A cut direction delivers nothing; TCP repeats what was sent, so it comes after the healing,
  /// not before a retransmission time of 0.2…1 s. Connecting likewise.
  void cut(HostId from, HostId to, bool on);
  [[nodiscard]] bool is_cut(HostId from, HostId to) const;
  /// The link has all the bandwidth again: what lies in front of it is under way now.
  void widen(HostId from, HostId to);
  /// Breaks the connections between two hosts at whatever byte they are: each end gets ECONNRESET,
  /// one of them perhaps only after some of what was still under way. Returns how many.
  std::uint32_t reset(HostId a, HostId b);
  /// Puts bytes behind those that the kernel of that end has taken, as if it had sent them. False
  /// when it could not: its end is closed or broken, or there is no room.
  bool inject(ConnectionId connection, Way way, std::span<const std::byte> bytes);

  void observe(WireObserver* observer) noexcept { observer_ = observer; }
  [[nodiscard]] const NetworkCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] Scheduler& scheduler() noexcept { return scheduler_; }
  /// Bytes that lie in simulated socket buffers and under way.
  [[nodiscard]] std::uint64_t bytes_in_flight() const noexcept;

  /// The address of a host as programs write it: "10.0.0.<id + 1>".
  static std::string address_of(HostId host);

 private:
  friend class Process;
  friend class SimulatedReactor;

  struct Piece {
    std::uint64_t end = 0;  ///< in bytes of its pipe
    Instant arrival = 0;
  };
  /// One way of a connection. Counts are bytes since its beginning.
  struct Pipe {
    std::vector<std::byte> bytes;  ///< from `read` on, behind `consumed` bytes of no use any more
    std::size_t consumed = 0;
    std::uint64_t taken = 0;
    std::uint64_t arrived = 0;
    std::uint64_t read = 0;
    std::vector<Piece> pieces;
    std::size_t first_piece = 0;
    std::uint64_t damaged_at = ~std::uint64_t{0};
    Instant last_arrival = 0;
    Instant held_until = 0;  ///< kNever: something waits for a cut to heal
    bool fin_sent = false;
    bool fin_arrived = false;
    Instant fin_arrival = 0;
  };
  struct End {
    Process* process = nullptr;  ///< null: closed, or its process is gone
    SimulatedReactor* reactor = nullptr;
    reactor::Operation* receiving = nullptr;
    reactor::Operation* sending = nullptr;
    std::uint64_t send_done = 0;
    std::uint64_t send_bytes = 0;
    HostId host = 0;
    std::uint16_t port = 0;
    bool vanished = false;  ///< its machine lost power: it neither hears nor answers
    bool was_reset = false;
    bool read_shut = false;
    bool write_shut = false;
    bool take_due = false;
  };
  struct Connection {
    Pipe pipes[2];  ///< by way
    End ends[2];    ///< the dialer's, the listener's
    std::uint64_t capacity = 0;
    bool six = false;  ///< of the internet protocol
    bool ended = false;
  };
  struct Listener {
    Process* process = nullptr;
    SimulatedReactor* reactor = nullptr;
    HostId host = 0;
    std::uint16_t port = 0;
    std::uint64_t capacity = 0;
    std::size_t backlog_max = 0;
    reactor::Address address;  ///< as it was asked for, with the port that it got
    reactor::Operation* accepting = nullptr;
    std::vector<ConnectionId> backlog;
  };
  struct Dial {
    reactor::Operation* operation = nullptr;
    SimulatedReactor* reactor = nullptr;
    HostId from = 0;
    HostId to = 0;
    std::uint16_t port = 0;
    bool six = false;
    std::uint32_t number = 0;  ///< places are used again, and answers to an old dial come late
  };
  enum class What : std::uint64_t { turn, arrive, take, reset, syn, nothing };

  void fire(std::uint64_t what) override;
  void later(Instant time, What what, std::uint32_t index, std::uint32_t low);
  [[nodiscard]] Instant latency(HostId from, HostId to);
  [[nodiscard]] Instant retry_time();
  void repeat(ConnectionId id, std::uint32_t way);

  // Operations, as they are submitted.
  void submit_receive(std::uint32_t connection, std::uint32_t end, reactor::Operation& operation);
  void submit_send(std::uint32_t connection, std::uint32_t end, reactor::Operation& operation);
  void submit_accept(std::uint32_t listener, reactor::Operation& operation);
  void submit_connect(SimulatedReactor& reactor, reactor::Operation& operation);
  void cancel(reactor::Operation& operation, Process& process);

  void take(std::uint32_t connection, std::uint32_t end);
  [[nodiscard]] std::size_t read_buffers(ConnectionId id, std::uint32_t end);
  void add_pieces(Connection& connection, ConnectionId id, std::uint32_t way, std::size_t bytes);
  void flip_perhaps(Pipe& pipe, std::size_t bytes, const LinkLaw& law);
  void send_fin(ConnectionId id, std::uint32_t end);
  void send_reset(ConnectionId id, std::uint32_t to_end);
  void arrive(ConnectionId id, std::uint32_t way);
  void advance(Pipe& pipe);
  void deliver(ConnectionId id, std::uint32_t way);
  [[nodiscard]] std::size_t fill_buffers(ConnectionId id, std::uint32_t way);
  void break_end(ConnectionId id, std::uint32_t end);
  void finish_send(End& end, std::int32_t result);
  void shut(std::uint32_t connection, std::uint32_t end, bool both);
  void close_end(std::uint32_t connection, std::uint32_t end);
  void drop_end(std::uint32_t connection, std::uint32_t end, Ending ending);
  void end_if_over(ConnectionId id);
  void on_syn(std::uint32_t index, std::uint32_t number);
  [[nodiscard]] ConnectionId join(const Dial& dial, const Listener& listener);
  void accept_from(Listener& listener);
  void close_listener(std::uint32_t listener);
  void drop_listener(std::uint32_t listener, Ending ending);
  void forget_dials(Process& process);
  [[nodiscard]] Listener* listener_at(HostId host, std::uint16_t port);
  [[nodiscard]] LinkLaw& law_of(HostId from, HostId to) { return laws_[from][to].law; }

  struct Link {
    LinkLaw law;
    bool cut = false;
  };

  Scheduler& scheduler_;
  const std::uint64_t seed_;
  Draw draw_;
  WireObserver* observer_ = nullptr;
  NetworkCounts counts_;
  std::deque<std::unique_ptr<Host>> hosts_;
  std::vector<std::vector<Link>> laws_;  ///< by sender and receiver
  std::deque<Connection> connections_;
  std::vector<ConnectionId> live_;       ///< that have not ended
  std::vector<Listener> listeners_;
  std::vector<Dial> dials_;
  std::vector<SimulatedReactor*> reactors_;  ///< null: destroyed
  ProcessId processes_ = 0;
  std::uint32_t last_dial_ = 0;
  std::uint16_t next_port_ = 30000;
};

}  // namespace quorate::simulation
