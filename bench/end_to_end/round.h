#pragma once

// One round: a lead process and its peers started afresh, warmed up, measured once, stopped. Both
// sides run rounds of the same shape: the engine (primary, replicas) and the roofline (sender,
// receivers). Plain values, used by the controller and, passed as arguments, by every role.

#include <cstdint>
#include <string>
#include <vector>

namespace quorate::bench {

inline constexpr double kWarmUp_s = 0.5;

struct RoundSpec {
  enum class Work : std::uint8_t {
    stream,       ///< as much as goes through, one writer thread beside the loop's
    one,          ///< one write outstanding, the writer's thread turns the loop
    one_threads,  ///< one write outstanding, the loop has a thread of its own
  };
  Work work = Work::stream;
  bool sync = true;  ///< false: semi_sync(1)
  bool epoll = false;
  bool stop_second = false;  ///< the second peer streams during warm-up, then gets SIGSTOP
  std::uint32_t peers = 2;   ///< peers that are started; the configuration always names two
  std::uint32_t payload_bytes = 64;
  std::uint64_t ring_bytes = 4u << 20;  ///< also both socket buffers, on both sides
  bool pin = true;                      ///< with one write outstanding; see placement.h
  double seconds = 2;
  std::string directory;     ///< nodes keep logs in a, b, … of it; "": none has a log
  bool durable = false;      ///< the rule's level, with a directory; false: received
  std::uint64_t log_mib = 0; ///< what is written into a log before it is read again
  double live_records_per_s = 0;  ///< of the load beside a catch-up

  [[nodiscard]] bool pinned() const { return pin && work != Work::stream; }
};

struct RoundResult {
  double seconds = 0;
  double released = 0;        ///< records released in the window; roofline: 0
  double bytes = 0;           ///< stream bytes acknowledged as the rule asks, each counted once
  double p50_us = 0;          ///< one write outstanding only
  double cpu_ns = 0;          ///< user and system time of all processes of the round
  double foreign_cores = 0;   ///< CPU that others took meanwhile
  double rss_growth_kib = 0;  ///< of the lead, over the window
  double disk_bytes = 0;      ///< that all processes of the round wrote to disks
  std::string backend;
};

enum class Role : std::uint8_t {
  primary,
  replica,
  sender,
  receiver,
  disk_writer,     ///< as much as a log's writes can be; with one write outstanding: its latency
  disk_reader,     ///< the segments of a log, in order
  log_filler,      ///< a primary alone that writes a log and closes it
  log_opener,      ///< a primary that opens it
  catch_up,        ///< a primary whose replicas come late
};

/// The arguments that make this program play `role`; parsed by add_role in roles.cpp.
std::vector<std::string> role_arguments(Role role, const RoundSpec& spec,
                                        const std::string& address, std::uint32_t index);

// The roles' main functions. They talk to the controller by lines on stdin and stdout, and return
// the exit code.
int run_primary(const RoundSpec& spec);
int run_replica(const RoundSpec& spec, const std::string& address, std::uint32_t index);
int run_sender(const RoundSpec& spec);
int run_receiver(const RoundSpec& spec, const std::string& address);
int run_disk_writer(const RoundSpec& spec, std::uint32_t index);
int run_disk_reader(const RoundSpec& spec);
int run_log_filler(const RoundSpec& spec);
int run_log_opener(const RoundSpec& spec);
int run_catch_up(const RoundSpec& spec);

}  // namespace quorate::bench
