// cluster_node as a primary: does what the test commands, answers each command with one line.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "node/content.h"
#include "node/load.h"
#include "node/roles.h"
#include "quorate/primary.h"

namespace quorate::cluster {

namespace {

std::string pair(const char* key, std::uint64_t value) {
  return ' ' + std::string(key) + '=' + std::to_string(value);
}

class PrimaryRole {
 public:
  explicit PrimaryRole(const Words& arguments);

  int run();

 private:
  void answer(const Words& command);
  void append(const Words& command);
  void await(const Words& command);
  void say_status(const Words& command);
  void say_load(const char* verb) const;
  void start_load(const Words& command);
  void start_waiters(const Words& command);
  void register_callbacks(const Words& command);
  void hold_claim(const Words& command);
  void close();
  [[nodiscard]] RuleId rule(Stream stream, const std::string& text) const;
  [[nodiscard]] Ticket& last(StreamId stream) { return last_[stream]; }

  const bool hosted_;
  Primary primary_;
  Digest digest_;
  std::vector<Ticket> last_;
  std::unique_ptr<Load> load_;
  std::vector<std::thread> waiters_;
  Claim claim_;
  std::uint64_t appended_ = 0;
  /// By kind of outcome.
  std::atomic<std::uint64_t> waiters_ended_[4] = {};
  std::atomic<std::uint64_t> callbacks_run_[4] = {};
};

PrimaryOptions primary_options(const Words& arguments) {
  PrimaryOptions options;
  options.name = arguments.text("name", "a");
  options.cluster = arguments.text("cluster", "quorate");
  options.listen = arguments.text("listen", "127.0.0.1:0");
  options.replicas = split(arguments.text("replicas", "b,c"), ',');
  options.streams = static_cast<std::uint32_t>(arguments.number("streams", 1));
  options.ring_bytes = arguments.number("ring", 4u << 20);
  options.max_record_bytes = static_cast<std::uint32_t>(arguments.number("max_record", 0));
  options.protected_copies = static_cast<std::uint32_t>(arguments.number("protected", 0));
  for (const std::string& text : split(arguments.text("rules"), ';')) {
    auto rule = parse_rule(text, Level::received);
    if (!rule) fail(rule.error().text);
    options.rules.push_back(*rule);
  }
  if (arguments.text("lag") == "drop") options.lag.kind = LagPolicy::Kind::drop;
  options.lag.stall_limit = std::chrono::milliseconds(arguments.number("stall", 60'000));
  options.heartbeat = std::chrono::milliseconds(arguments.number("heartbeat", 50));
  options.peer_timeout = std::chrono::milliseconds(arguments.number("peer_timeout", 3000));
  options.claim_deadline = std::chrono::milliseconds(arguments.number("claim_deadline", 60'000));
  options.close_timeout = std::chrono::milliseconds(arguments.number("close_timeout", 1000));
  options.engine = engine_options(arguments);
  return options;
}

Primary open_primary(const Words& arguments) {
  auto primary = Primary::open(primary_options(arguments));
  if (!primary) fail(primary.error().text);
  return std::move(primary).value();
}

PrimaryRole::PrimaryRole(const Words& arguments)
    : hosted_(arguments.number("hosted", 0) != 0),
      primary_(open_primary(arguments)),
      last_(primary_.stream_count()) {
  say("ready address=" + primary_.address() + " backend=" +
      std::string(primary_.engine().backend()));
}

RuleId PrimaryRole::rule(Stream stream, const std::string& text) const {
  const bool applied = text.ends_with("@applied");
  auto parsed = parse_rule(text.substr(0, text.find('@')), applied ? Level::applied
                                                                   : Level::received);
  if (!parsed) fail(parsed.error().text);
  auto id = stream.rule(*parsed);
  if (!id) fail(id.error().text);
  return *id;
}

/// append count=N bytes=B [stream=S] [rule=R]: with a rule each record is awaited before the next.
void PrimaryRole::append(const Words& command) {
  const std::uint64_t count = command.number("count", 1);
  const auto id = static_cast<StreamId>(command.number("stream", 0));
  const std::chrono::milliseconds patience(command.number("timeout_ms", 30'000));
  Stream stream = primary_.stream(id);
  std::vector<std::byte> payload(command.number("bytes", 64));
  std::uint64_t done = 0;
  std::string why = "none";
  while (done < count) {
    fill(payload, mix(appended_));
    auto ticket = stream.append(std::span<const std::byte>(payload));
    if (!ticket) {
      why = to_string(ticket.error().code);
      if (ticket.error().code != Errc::busy || !stream.wait_space(payload.size(), patience)) break;
      continue;
    }
    why = "none";
    last(id) = *ticket;
    digest_.add(id, ticket->end, payload);
    ++appended_;
    ++done;
    if (!command.has("rule")) continue;
    const auto outcome = stream.wait(*ticket, rule(stream, command.text("rule")), patience);
    if (!outcome) fail(outcome.error().text);
    if (!outcome->released()) break;
  }
  say("appended" + pair("count", done) + pair("end", last(id).end) + " why=" + why);
}

/// await rule=R timeout_ms=T [stream=S]: the record appended last.
void PrimaryRole::await(const Words& command) {
  const auto id = static_cast<StreamId>(command.number("stream", 0));
  Stream stream = primary_.stream(id);
  const std::chrono::milliseconds timeout(command.number("timeout_ms", 30'000));
  const auto outcome = stream.wait(last(id), rule(stream, command.text("rule")), timeout);
  if (!outcome) fail(outcome.error().text);
  say("outcome kind=" + std::string(to_string(outcome->kind)) +
      " level=" + std::string(to_string(outcome->level)) + pair("copies", outcome->copies));
}

/// status [stream=S]
void PrimaryRole::say_status(const Words& command) {
  const auto id = static_cast<StreamId>(command.number("stream", 0));
  const StreamStatus status = primary_.stream(id).status();
  const PrimaryCounters counters = primary_.counters();
  std::string line = "status" + pair("appended", status.appended) +
                     pair("committed", status.committed) +
                     pair("accepted", counters.connections_accepted) +
                     pair("refused", counters.connections_refused) +
                     pair("dropped", counters.replicas_dropped) + pair("turns", counters.turns);
  for (const ReplicaStatus& replica : status.replicas) {
    line += ' ' + replica.name + '=' + std::string(to_string(replica.state)) + ':' +
            std::to_string(replica.sent) + ':' + std::to_string(replica.received) + ':' +
            std::to_string(replica.applied) + ':' + std::to_string(replica.lag_bytes);
  }
  say(line);
}

void PrimaryRole::say_load(const char* verb) const {
  if (!load_) return say(verb);
  const Load::Counts& counts = load_->counts();
  say(verb + pair("records", counts.records) + pair("busy", counts.busy) +
      pair("released", counts.released) + pair("pending", counts.pending) +
      pair("unknown", counts.unknown) + pair("closed", counts.closed));
}

/// load writers=W bytes=B [rules=R;R] [records=N] [pause_us=U] [fixed=1]
void PrimaryRole::start_load(const Words& command) {
  LoadPlan plan;
  plan.writers = static_cast<std::uint32_t>(command.number("writers", 1));
  plan.bytes = static_cast<std::uint32_t>(command.number("bytes", 64));
  plan.fixed = command.number("fixed", 0) != 0;
  plan.records = command.number("records", ~0ull);
  plan.pause_us = static_cast<std::uint32_t>(command.number("pause_us", 0));
  plan.seed = command.number("seed", 1);
  for (const std::string& text : split(command.text("rules"), ';')) {
    RuleId id;
    // The same rule has the same number on every stream when all are registered in one order.
    for (StreamId s = 0; s < primary_.stream_count(); ++s) id = rule(primary_.stream(s), text);
    plan.rules.push_back(id);
  }
  load_.reset();
  load_ = std::make_unique<Load>(primary_, digest_, plan);
  say("loading");
}

/// waiters count=N rule=R: threads that wait without limit for the record appended last.
void PrimaryRole::start_waiters(const Words& command) {
  Stream stream = primary_.stream();
  const RuleId id = rule(stream, command.text("rule"));
  for (std::uint64_t i = command.number("count", 1); i > 0; --i) {
    waiters_.emplace_back([this, stream, id, ticket = last(0)]() mutable {
      const auto outcome = stream.wait(ticket, id);
      if (!outcome) fail(outcome.error().text);
      ++waiters_ended_[static_cast<std::size_t>(outcome->kind)];
    });
  }
  say("waiting");
}

/// callbacks count=N rule=R: for the record appended last.
void PrimaryRole::register_callbacks(const Words& command) {
  Stream stream = primary_.stream();
  const RuleId id = rule(stream, command.text("rule"));
  for (std::uint64_t i = command.number("count", 1); i > 0; --i) {
    const Status status = stream.on_released(last(0), id, [this](const Outcome& outcome) {
      ++callbacks_run_[static_cast<std::size_t>(outcome.kind)];
    });
    if (!status) fail(status.error().text);
  }
  say("registered");
}

/// claim bytes=B: a record that is never published.
void PrimaryRole::hold_claim(const Words& command) {
  auto claim = primary_.stream().claim(command.number("bytes", 64));
  if (!claim) fail(claim.error().text);
  claim_ = std::move(claim).value();
  say("claimed");
}

void PrimaryRole::close() {
  primary_.close();
  for (std::thread& waiter : waiters_) waiter.join();
  waiters_.clear();
  if (load_) load_->join();
  const auto count = [](const auto& counts, OutcomeKind kind) {
    return counts[static_cast<std::size_t>(kind)].load();
  };
  say("closed" + pair("waiters_released", count(waiters_ended_, OutcomeKind::released)) +
      pair("waiters_unknown", count(waiters_ended_, OutcomeKind::unknown)) +
      pair("callbacks_released", count(callbacks_run_, OutcomeKind::released)) +
      pair("callbacks_unknown", count(callbacks_run_, OutcomeKind::unknown)));
}

void PrimaryRole::answer(const Words& command) {
  const std::string& verb = command.verb();
  if (verb == "append") return append(command);
  if (verb == "await") return await(command);
  if (verb == "status") return say_status(command);
  if (verb == "load") return start_load(command);
  if (verb == "progress") return say_load("progress");
  if (verb == "stop_load") {
    if (load_) load_->stop();
    return say_load("stopped");
  }
  if (verb == "join_load") {
    if (load_) load_->join();
    return say_load("joined");
  }
  if (verb == "waiters") return start_waiters(command);
  if (verb == "callbacks") return register_callbacks(command);
  if (verb == "claim") return hold_claim(command);
  if (verb == "close") return close();
  if (verb == "watermark") {
    Stream stream = primary_.stream(static_cast<StreamId>(command.number("stream", 0)));
    const RuleId id = rule(stream, command.text("rule"));
    return say("watermark" + pair("position", stream.watermark(id)));
  }
  if (verb == "digest") {
    return say("digest" + pair("records", digest_.records()) + pair("sum", digest_.sum()));
  }
  fail("unknown command " + verb);
}

int PrimaryRole::run() {
  const int event_fd = hosted_ ? primary_.engine().event_fd() : -1;
  for (std::string line;;) {
    // Heartbeats and other deadlines do not show on the descriptor.
    while (hosted_ && !command_waits(event_fd, 2)) primary_.engine().run_once();
    if (!next_command(line)) return 0;
    answer(Words(line));
  }
}

}  // namespace

int run_primary(const Words& arguments) { return PrimaryRole(arguments).run(); }

}  // namespace quorate::cluster
