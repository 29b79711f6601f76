// A primary whose program is a person or a pipe: each line of stdin is a record.

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "quorate/primary.h"
#include "tools/cli/signals.h"
#include "tools/node/options.h"
#include "tools/process/process.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Lines of stdin, without their newline; the last may lack one.
class StdinLines {
 public:
  std::optional<std::string> next() {
    for (;;) {
      const auto newline = pending_.find('\n', searched_);
      if (newline != std::string::npos) {
        std::string line = pending_.substr(begin_, newline - begin_);
        begin_ = searched_ = newline + 1;
        return line;
      }
      searched_ = pending_.size();
      if (!fill()) break;
    }
    if (begin_ == pending_.size()) return std::nullopt;
    std::string line = pending_.substr(begin_);
    begin_ = pending_.size();
    return line;
  }

 private:
  /// False at the end and after an interrupt.
  bool fill() {
    pending_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
    while (!interrupted()) {
      pollfd wanted{STDIN_FILENO, POLLIN, 0};
      if (::poll(&wanted, 1, 100) <= 0) continue;
      std::array<char, 65536> bytes{};
      const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      pending_.append(bytes.data(), static_cast<std::size_t>(count));
      return true;
    }
    return false;
  }

  std::string pending_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;
};

class PrimaryNode {
 public:
  PrimaryNode(const NodeOptions& options, Primary primary, RuleId rule)
      : options_(options),
        primary_(std::move(primary)),
        stream_(primary_.stream()),
        rule_(rule),
        begin_(stream_.status().appended) {}

  int run();

 private:
  void write(const std::string& line);
  Result<Ticket> append(const std::string& line);
  void echo(const Ticket& ticket);
  void await_replicas();
  [[nodiscard]] bool replicas_have_all() const;
  [[nodiscard]] nanoseconds patience() const {
    return duration_cast<nanoseconds>(duration<double>(options_.wait_s));
  }

  const NodeOptions& options_;
  Primary primary_;
  Stream stream_;
  RuleId rule_;
  Position begin_;  ///< above 0 when the log has records of an earlier life
  std::uint64_t lines_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t rejected_ = 0;
  std::optional<Ticket> last_;
};

Result<Ticket> PrimaryNode::append(const std::string& line) {
  auto ticket = stream_.append(line);
  const auto waits = [](Errc code) { return code == Errc::busy || code == Errc::log_full; };
  while (!ticket && waits(ticket.error().code) && !interrupted()) {
    stream_.wait_space(line.size(), milliseconds(100));
    ticket = stream_.append(line);
  }
  return ticket;
}

void PrimaryNode::write(const std::string& line) {
  ++lines_;
  const auto ticket = append(line);
  if (!ticket) {
    ++rejected_;
    fmt::print(stderr, "line {}: rejected: {}\n", lines_, ticket.error().text);
    return;
  }
  bytes_ += line.size();
  last_ = *ticket;
  if (options_.echo) echo(*ticket);
}

void PrimaryNode::echo(const Ticket& ticket) {
  const auto outcome = stream_.wait(ticket, rule_, patience());
  if (!outcome) {
    fmt::print("line={} position={} error={}\n", lines_, ticket.end, outcome.error().text);
  } else {
    fmt::print("line={} position={} {} level={} copies={}\n", lines_, ticket.end,
               to_string(outcome->kind), to_string(outcome->level), outcome->copies);
  }
  std::fflush(stdout);
}

bool PrimaryNode::replicas_have_all() const {
  for (const ReplicaStatus& replica : stream_.status().replicas) {
    const bool fed = replica.state == ReplicaStatus::State::streaming ||
                     replica.state == ReplicaStatus::State::parked ||
                     replica.state == ReplicaStatus::State::catching_up;
    if (fed && replica.received < last_->end) return false;
  }
  return true;
}

/// Not what the mode asks for, but what the user of a pipe expects.
void PrimaryNode::await_replicas() {
  const double limit_s = now_s() + options_.wait_s;
  while (!replicas_have_all() && now_s() < limit_s && !interrupted()) {
    std::this_thread::sleep_for(milliseconds(5));
  }
}

int PrimaryNode::run() {
  fmt::print(stderr, "listening on {}\n", primary_.address());
  if (begin_ > 0) {
    fmt::print(stderr, "goes on at position {} in epoch {}\n", begin_, stream_.epoch().number);
  }
  StdinLines lines;
  while (auto line = lines.next()) write(*line);
  bool released = true;
  if (last_) {
    const auto outcome = stream_.wait(*last_, rule_, patience());
    released = outcome && outcome->released();
    await_replicas();
  }
  primary_.close();
  fmt::print(stderr, "lines={} bytes={} position={} rejected={} {}\n", lines_, bytes_,
             last_ ? last_->end : 0, rejected_, released ? "released" : "pending");
  return released && rejected_ == 0 ? 0 : 1;
}

}  // namespace

int run_primary_node(const NodeOptions& options) {
  auto rule = parse_rule(options.mode, options.level);
  if (!rule) return fail("node", Error(rule.error().code, "--" + rule.error().text));
  auto primary = Primary::open(primary_options(options, *rule));
  if (!primary) return fail("node", primary.error());
  auto id = primary->stream().rule(*rule);
  if (!id) return fail("node", id.error());
  return PrimaryNode(options, std::move(*primary), *id).run();
}

}  // namespace quorate::tools
