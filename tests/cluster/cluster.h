#pragma once

// What the cluster tests are written with: nodes in processes of their own and patience instead of
// sleeps. A failure throws, which fails the test and ends its processes.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/process/process.h"

namespace quorate::cluster {

/// How long anything may take before the test is given up. Generous: machines are busy.
inline constexpr double kPatience_s = 60;

/// Sanitizers keep what was freed and a shadow of the rest, so memory says nothing under them.
#ifdef QUORATE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Asks again and again until the condition holds; `what` names it when it never does.
void eventually(const std::string& what, const std::function<bool()>& condition);

/// A port below those that the kernel gives out by itself, free a moment ago.
std::uint16_t free_port();

/// One child process that answers each command with one line.
class Node {
 public:
  /// `words`: the arguments of cluster_node, such as "primary replicas=b,c".
  explicit Node(const std::string& words);

  tools::Line ask(const std::string& command, const std::string& answer);
  /// The next line with that verb.
  tools::Line hear(const std::string& verb);
  void signal(int number) { process_.signal(number); }
  void kill();  ///< SIGKILL, and reaped
  [[nodiscard]] bool running() { return process_.pid() > 0 && !process_.ended(); }
  [[nodiscard]] const std::string& backend() const { return backend_; }

  /// Resident memory, and the most it has been since forget_peak().
  [[nodiscard]] std::uint64_t resident_bytes() const { return memory("VmRSS:"); }
  [[nodiscard]] std::uint64_t peak_bytes() const { return memory("VmHWM:"); }
  void forget_peak() const;
  /// Processor time used so far.
  [[nodiscard]] double processor_s() const;

 protected:
  tools::Line ready_;

 private:
  [[nodiscard]] std::uint64_t memory(const std::string& key) const;

  std::string who_;
  tools::Process process_;
  std::vector<tools::Line> unheard_;
  std::string backend_;
};

/// What a primary says of one replica.
struct Seen {
  std::string state;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t applied = 0;
  std::uint64_t lag = 0;
};

struct Digest {
  std::uint64_t records = 0;
  std::string sum;
  std::uint64_t disorders = 0;  ///< records that came twice or out of order

  friend bool operator==(const Digest&, const Digest&) = default;
};
void PrintTo(const Digest& digest, std::ostream* out);

class PrimaryNode : public Node {
 public:
  explicit PrimaryNode(const std::string& words) : Node("primary " + words) {}

  [[nodiscard]] std::string address() const { return ready_.value("address"); }
  [[nodiscard]] std::uint16_t port() const;

  std::uint64_t number(const std::string& key);  ///< of its status
  Seen seen(const std::string& replica, std::uint32_t stream = 0);
  void until_seen(const std::string& replica, const std::string& state);
  void append(std::uint64_t count, std::uint64_t bytes, const std::string& more = "");
  std::string await(const std::string& rule, std::uint64_t timeout_ms = 30'000);
  std::uint64_t progress(const std::string& key = "records");
  /// Until the load has made so much progress from now on.
  void until_progress(std::uint64_t more, const std::string& key = "records");
  Digest digest();
};

class ReplicaNode : public Node {
 public:
  explicit ReplicaNode(const std::string& words) : Node("replica " + words) {}

  std::string text(const std::string& key);      ///< of its status
  std::uint64_t number(const std::string& key);
  void until(const std::string& key, const std::string& value);
  void until_at_least(const std::string& key, std::uint64_t value);
  std::string reason();
  Digest digest();
};

/// Waits until the replica has applied as many records as the primary has appended, then compares.
void expect_same_content(PrimaryNode& primary, ReplicaNode& replica);

/// The tests of a suite run with each backend of the reactor.
class OnEachBackend : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string on() const { return std::string(" backend=") + GetParam() + ' '; }
  [[nodiscard]] std::string other() const {
    const bool uring = std::string(GetParam()) == "io_uring";
    return uring ? " backend=epoll " : " backend=io_uring ";
  }
};

#define CLUSTER_SUITE(name)                                                                 \
  class name : public OnEachBackend {};                                                     \
  INSTANTIATE_TEST_SUITE_P(Backends, name, testing::Values("io_uring", "epoll"),            \
                           [](const auto& parameter) { return std::string(parameter.param); })

}  // namespace quorate::cluster
