// cluster_node as a replica: one thread applies, the other listens to the test.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "node/content.h"
#include "node/roles.h"
#include "quorate/replica.h"

namespace quorate::cluster {

namespace {

class ReplicaRole {
 public:
  explicit ReplicaRole(const Words& arguments);

  int run();

 private:
  void apply(const Record& record);
  void pause(bool on);
  void apply_all();
  Status take_records();
  void answer(const Words& command);
  void say_status() const;
  void stop();

  Replica replica_;
  const bool polls_;
  Digest digest_;
  std::vector<Position> ends_;  ///< of the applying thread
  std::atomic<std::uint64_t> disorders_{0};
  std::atomic<std::uint64_t> delay_us_{0};
  std::atomic<bool> paused_{false};
  std::atomic<bool> stopping_{false};
};

Replica open_replica(const Words& arguments) {
  ReplicaOptions options;
  options.name = arguments.text("name", "b");
  options.cluster = arguments.text("cluster", "quorate");
  options.primary = arguments.text("primary");
  options.ring_bytes = arguments.number("ring", 4u << 20);
  options.heartbeat = std::chrono::milliseconds(arguments.number("heartbeat", 50));
  options.peer_timeout = std::chrono::milliseconds(arguments.number("peer_timeout", 3000));
  options.backoff_min = std::chrono::milliseconds(arguments.number("backoff_min", 5));
  options.backoff_max = std::chrono::milliseconds(arguments.number("backoff_max", 100));
  options.engine = engine_options(arguments);
  auto replica = Replica::open(std::move(options));
  if (!replica) fail(replica.error().text);
  return std::move(replica).value();
}

ReplicaRole::ReplicaRole(const Words& arguments)
    : replica_(open_replica(arguments)), polls_(arguments.number("polls", 0) != 0) {
  delay_us_ = arguments.number("delay_us", 0);
  say("ready backend=" + std::string(replica_.engine().backend()));
}

void ReplicaRole::apply(const Record& record) {
  if (ends_.size() <= record.stream) ends_.resize(record.stream + 1);
  // Padding may lie between two records, nothing may come twice or backwards.
  if (record.begin < ends_[record.stream] || record.end <= record.begin) ++disorders_;
  ends_[record.stream] = record.end;
  digest_.add(record.stream, record.end, record.payload);
  paused_.wait(true);
  if (const auto delay_us = delay_us_.load(); delay_us != 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
  }
}

void ReplicaRole::pause(bool on) {
  paused_ = on;
  paused_.notify_all();
}

Status ReplicaRole::take_records() {
  const auto function = [this](const Record& record) { apply(record); };
  if (!polls_) return replica_.run(function);
  for (;;) {
    const auto count = replica_.poll(function, 64, std::chrono::milliseconds(20));
    if (!count) return count.error();
    if (*count == 0 && (stopping_ || replica_.report().primary_closed)) return Done{};
  }
}

/// With a hosted engine this thread turns the loops, so it closes the replica as well.
void ReplicaRole::apply_all() {
  const Status status = take_records();
  std::string text = status ? "ok" : std::string(to_string(status.error().code));
  if (!status) text += " " + status.error().text;
  say("ended result=" + text);
}

void ReplicaRole::say_status() const {
  const ReplicaReport report = replica_.report();
  Position received = 0;
  Position applied = 0;
  Position committed = 0;
  for (const ReplicaStreamStatus& stream : report.streams) {
    received += stream.received;
    applied += stream.applied;
    committed += stream.committed;
  }
  say("status state=" + std::string(to_string(report.state)) +
      " closed=" + std::to_string(int{report.primary_closed}) +
      " connects=" + std::to_string(report.connects) +
      " resumes=" + std::to_string(report.resumes) +
      " frames=" + std::to_string(report.frames_received) +
      " refused=" + std::to_string(report.frames_refused) +
      " received=" + std::to_string(received) + " committed=" + std::to_string(committed) +
      " applied=" + std::to_string(applied) + " reason=" + report.reason);
}

void ReplicaRole::answer(const Words& command) {
  if (command.verb() == "status") return say_status();
  if (command.verb() == "digest") {
    return say("digest records=" + std::to_string(digest_.records()) +
               " sum=" + std::to_string(digest_.sum()) +
               " disorders=" + std::to_string(disorders_.load()));
  }
  if (command.verb() == "pause") pause(true);
  if (command.verb() == "go_on") pause(false);
  if (command.verb() == "delay") delay_us_ = command.number("us", 0);
  if (command.verb() == "stop") stop();
  say("done");
}

void ReplicaRole::stop() {
  pause(false);
  stopping_ = true;
  replica_.stop();
}

int ReplicaRole::run() {
  std::thread applying([this] {
    apply_all();
    replica_.close();
    say("closed");
  });
  for (std::string line; next_command(line);) answer(Words(line));
  stop();
  applying.join();
  return 0;
}

}  // namespace

int run_replica(const Words& arguments) { return ReplicaRole(arguments).run(); }

}  // namespace quorate::cluster
