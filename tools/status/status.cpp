// The verb `quorate status`.

#include "quorate/status.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tools/cli/json.h"
#include "tools/cli/option_set.h"
#include "tools/cli/signals.h"
#include "tools/cli/text.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

constexpr auto kStatusFooter = R"(
Positions are bytes of the stream. appended, own durable, committed: of the primary; own durable is
what its log holds. sent, received, durable, applied: of the replica; durable is what its log holds.
Both are 0 without a log. Lag: bytes appended and not yet received there, and the age of the oldest
of them by the primary's clock. catching_up: is fed from the primary's log.

Exit code: 0 the primary answered; 1 it did not; 2 wrong usage.)";

std::string replica_json(const ReplicaStatus& replica) {
  JsonObject json;
  json.add("name", replica.name)
      .add("state", to_string(replica.state))
      .add("sent", replica.sent)
      .add("received", replica.received)
      .add("durable", replica.durable)
      .add("applied", replica.applied)
      .add("lag_bytes", replica.lag_bytes)
      .add("lag_seconds", replica.lag_seconds)
      .add("catch_up_bytes_per_second", replica.catch_up_bytes_per_second)
      .add("catch_up_seconds_left", replica.catch_up_seconds_left());
  return json.text();
}

std::string node_json(const NodeStatus& node) {
  JsonArray streams;
  for (const StreamStatus& stream : node.streams) {
    JsonArray replicas;
    for (const ReplicaStatus& replica : stream.replicas) replicas.raw(replica_json(replica));
    JsonObject json;
    json.add("stream", stream.stream)
        .add("epoch", stream.epoch.number)
        .add("appended", stream.appended)
        .add("committed", stream.committed)
        .add("durable", stream.durable)
        .add("log_first", stream.log_first)
        .add("log_bytes", stream.log_bytes)
        .add("retention", to_string(stream.retention))
        .add("snapshot_position", stream.snapshot_position)
        .add("snapshot_bytes", stream.snapshot_bytes)
        .add("snapshot_wanted", stream.snapshot_wanted)
        .add("snapshot_error", stream.snapshot_error)
        .raw("replicas", replicas.text());
    streams.raw(json.text());
  }
  JsonObject json;
  json.add("node", node.node)
      .add("streams_total", node.streams_total)
      .raw("streams", streams.text());
  return json.text();
}

std::vector<std::string> replica_row(const StreamStatus& stream, const ReplicaStatus& replica) {
  return {std::to_string(stream.stream),         replica.name,
          std::string(to_string(replica.state)), std::to_string(stream.appended),
          std::to_string(stream.durable),        std::to_string(stream.committed),
          std::to_string(replica.sent),          std::to_string(replica.received),
          std::to_string(replica.durable),       std::to_string(replica.applied),
          byte_text(replica.lag_bytes),          fmt::format("{:.3f}", replica.lag_seconds)};
}

/// Of a primary without replicas.
std::vector<std::string> lonely_row(const StreamStatus& stream) {
  std::vector<std::string> row = replica_row(stream, {});
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i == 1 || i == 2 || i > 5) row[i] = "-";
  }
  return row;
}

/// What came over the network must not reach a terminal as anything but text.
std::string in_one_line(std::string text) {
  std::replace_if(text.begin(), text.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text;
}

std::string snapshot_lines(const StreamStatus& stream) {
  std::string text;
  if (stream.snapshot_position != 0) {
    text += fmt::format("stream {}: snapshot of {} as of position {}\n", stream.stream,
                        byte_text(stream.snapshot_bytes), stream.snapshot_position);
  }
  if (stream.snapshot_wanted) {
    text += fmt::format("stream {}: a replica waits for a snapshot\n", stream.stream);
  }
  if (!stream.snapshot_error.empty()) {
    text += fmt::format("stream {}: no snapshot: {}\n", stream.stream,
                        in_one_line(stream.snapshot_error));
  }
  return text;
}

/// What only a log has to tell.
std::string log_lines(const StreamStatus& stream) {
  if (stream.log_bytes == 0) return {};
  std::string text =
      fmt::format("stream {}: log of {} from position {} on, retention {}\n", stream.stream,
                  byte_text(stream.log_bytes), stream.log_first, to_string(stream.retention));
  for (const ReplicaStatus& replica : stream.replicas) {
    if (replica.catch_up_seconds_left() <= 0) continue;
    text += fmt::format("stream {}: {} catches up with {}/s, at least {:.1f} s are left\n",
                        stream.stream, replica.name, byte_text(replica.catch_up_bytes_per_second),
                        replica.catch_up_seconds_left());
  }
  return text + snapshot_lines(stream);
}

std::string node_table(const NodeStatus& node) {
  std::string text = fmt::format("primary {}, {} stream{}\n", node.node, node.streams_total,
                                 node.streams_total == 1 ? "" : "s");
  Table table(3);
  table.row({"stream", "replica", "state", "appended", "own durable", "committed", "sent",
             "received", "durable", "applied", "lag", "lag s"});
  for (const StreamStatus& stream : node.streams) {
    for (const ReplicaStatus& replica : stream.replicas) table.row(replica_row(stream, replica));
    if (stream.replicas.empty()) table.row(lonely_row(stream));
  }
  text += table.text();
  for (const StreamStatus& stream : node.streams) text += log_lines(stream);
  if (node.streams.size() < node.streams_total) {
    text += fmt::format("{} of {} streams shown; --first and --count show others\n",
                        node.streams.size(), node.streams_total);
  }
  return text;
}

class StatusVerb : public Verb {
 public:
  explicit StatusVerb(CLI::App& app) {
    CLI::App* command = app.add_subcommand("status", "Ask a primary how its replicas are");
    set_.text("address", "HOST:PORT", query_.address, "Where the primary listens");
    set_.text("cluster", "NAME", query_.cluster, "The primary's cluster");
    set_.number("first", "N", query_.first, 0u, kStreamsMax - 1, "First stream to show");
    set_.number("count", "N", query_.count, 1u, kStreamsMax, "Streams to show");
    set_.number("timeout-ms", "N", timeout_ms_, 1u, 3'600'000u, "How long to wait for the answer");
    set_.flag("json", json_, "One JSON object");
    set_.flag("watch", watch_, "Again each second, until Ctrl-C or until there is no answer");
    set_.attach(*command);
    command->footer(kStatusFooter);
  }

  int run() override;

 private:
  int ask();

  OptionSet set_;
  StatusQuery query_;
  std::uint32_t timeout_ms_ = 3000;
  bool json_ = false;
  bool watch_ = false;
};

int StatusVerb::run() {
  if (Status status = set_.problem(); !status) return fail("status", status.error());
  if (query_.address.empty()) {
    return fail("status", Error(Errc::invalid_option,
                                "--address: found nothing, allowed HOST:PORT of a primary"));
  }
  query_.timeout = std::chrono::milliseconds(timeout_ms_);
  if (!watch_) return ask();
  note_interrupts();
  int code = 0;
  while (code == 0 && !interrupted()) {
    if (!json_) fmt::print("\x1b[H\x1b[2J");
    code = ask();
    if (code == 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return code;
}

int StatusVerb::ask() {
  const auto node = query_status(query_);
  if (!node) return fail("status", node.error());
  fmt::print("{}", json_ ? node_json(*node) + '\n' : node_table(*node));
  std::fflush(stdout);
  return 0;
}

}  // namespace

std::unique_ptr<Verb> make_status(CLI::App& app) {
  return std::make_unique<StatusVerb>(app);
}

}  // namespace quorate::tools
