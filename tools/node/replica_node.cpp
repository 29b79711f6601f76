// A replica whose program keeps a digest of what it applies and may write it to a file.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "quorate/replica.h"
#include "tools/cli/signals.h"
#include "tools/load/content_check.h"
#include "tools/load/snapshots.h"
#include "tools/node/options.h"
#include "tools/process/process.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

using State = ReplicaReport::State;

constexpr std::size_t kRecordsAtOnce = 16384;
constexpr double kLook_s = 0.1;

/// Tells on stderr how the connection fares, once for each change.
class Notices {
 public:
  explicit Notices(const NodeOptions& options) : options_(options) {}

  void look(const ReplicaReport& report) {
    if (report.connects > connects_ && how_it_goes_on_is_known(report)) {
      say_session(report);
      connects_ = report.connects;
    }
    const bool news = report.state != state_ || report.reason != reason_;
    if (news && !report.reason.empty() && !report.primary_closed) say_trouble(report);
    resumes_ = report.resumes;
    state_ = report.state;
    reason_ = report.reason;
  }

  void say(const std::string& text) const {
    fmt::print(stderr, "replica {}: {}\n", options_.name, text);
  }

 private:
  /// With a log a session begins with something held, and the primary has yet to judge that.
  [[nodiscard]] bool how_it_goes_on_is_known(const ReplicaReport& report) const {
    const bool from_start = connects_ == 0 && report.frames_received > 0;
    if (report.resumes > resumes_ || from_start) return true;
    return std::all_of(report.streams.begin(), report.streams.end(),
                       [](const ReplicaStreamStatus& stream) { return stream.received == 0; });
  }

  void say_trouble(const ReplicaReport& report) const {
    if (report.state == State::refused) say("refused: " + report.reason + "; trying again");
    if (report.state != State::connecting) return;
    const char* what = state_ == State::streaming ? "lost the primary: " : "no connection: ";
    say(what + report.reason + "; trying again");
  }

  void say_session(const ReplicaReport& report) const {
    if (report.resumes > resumes_) {
      const Position position = report.streams.empty() ? 0 : report.streams[0].received;
      say(report.streams.size() == 1 ? fmt::format("resumed at position {}", position)
                                     : "resumed where it was");
    } else if (!options_.quiet && report.state == State::streaming) {
      say("holds nothing yet, follows from the first position");
    }
  }

  const NodeOptions& options_;
  std::uint64_t connects_ = 0;
  std::uint64_t resumes_ = 0;
  State state_ = State::connecting;
  std::string reason_;
};

class ReplicaNode {
 public:
  ReplicaNode(const NodeOptions& options, std::FILE* output)
      : options_(options), output_(output), check_(options.load_sink), notices_(options) {}

  Status open();
  int run();

 private:
  void apply(const Record& record);
  Status install(const Snapshot& snapshot);
  bool flush();
  void say_compared();
  int end_full_copy(const Error& error);
  int end_log_failed(const std::string& why);
  int end_goodbye();
  void summarize();

  const NodeOptions& options_;
  std::optional<Replica> replica_;
  std::FILE* output_;
  ContentCheck check_;
  Notices notices_;
};

void ReplicaNode::apply(const Record& record) {
  if (output_ != nullptr) {
    std::fwrite(record.payload.data(), 1, record.payload.size(), output_);
    std::fputc('\n', output_);
  }
  if (options_.no_digest) return;
  if (check_.on_record(record)) say_compared();
}

Status ReplicaNode::open() {
  ReplicaOptions options = replica_options(options_);
  if (!options.directory.empty()) {
    options.install = [this](const Snapshot& snapshot) { return install(snapshot); };
  }
  auto replica = Replica::open(std::move(options));
  if (!replica) return replica.error();
  replica_.emplace(std::move(*replica));
  return Done{};
}

/// What it stands for was never here: the digest goes on from it, and the output has a gap.
Status ReplicaNode::install(const Snapshot& snapshot) {
  if (!options_.quiet || output_ != nullptr) {
    notices_.say(fmt::format("stream {} begins with a snapshot as of position {}", snapshot.stream,
                             snapshot.position));
  }
  if (options_.no_digest) return Done{};
  DigestSnapshot begin{snapshot.position, {}};
  if (!snapshot.path.empty()) {
    auto read = read_snapshot(snapshot.path);
    if (!read) return read.error();
    begin = *read;
  }
  check_.begin_with(snapshot.stream, begin.digest, snapshot.position);
  return Done{};
}

/// One line for machines; the first record out of order for people.
void ReplicaNode::say_compared() {
  fmt::print("{}\n", check_.line());
  std::fflush(stdout);
  if (!check_.disorder().empty()) notices_.say(check_.disorder());
}

bool ReplicaNode::flush() {
  if (output_ == nullptr || (std::fflush(output_) == 0 && std::ferror(output_) == 0)) return true;
  notices_.say(fmt::format("--output {}: {}", options_.output, std::strerror(errno)));
  return false;
}

int ReplicaNode::run() {
  const Apply apply_record = [this](const Record& record) { apply(record); };
  double look_s = 0;
  while (!interrupted()) {
    const auto applied =
        replica_->poll(apply_record, kRecordsAtOnce, std::chrono::milliseconds(100));
    if (!flush()) return 1;
    if (!applied && applied.error().code == Errc::needs_full_copy) {
      return end_full_copy(applied.error());
    }
    if (!applied && replica_->report().state == State::log_failed) {
      return end_log_failed(applied.error().text);
    }
    if (!applied && applied.error().code != Errc::closed) return fail("node", applied.error());
    if (applied && *applied > 0 && now_s() < look_s) continue;
    look_s = now_s() + kLook_s;
    const ReplicaReport report = replica_->report();
    notices_.look(report);
    if (report.primary_closed && (!applied || *applied == 0)) return end_goodbye();
    if (!applied) return fail("node", applied.error());
  }
  replica_->close();
  summarize();
  return 0;
}

int ReplicaNode::end_full_copy(const Error& error) {
  // What was applied is a prefix or has a gap behind it: it must not pass for a copy.
  notices_.say("needs a full copy, what it holds is incomplete: " + error.text);
  if (options_.load_sink) {
    fmt::print("needs_full_copy\n");
    std::fflush(stdout);
  }
  return 1;
}

/// Whoever cannot keep what it receives must not go on as if it did.
int ReplicaNode::end_log_failed(const std::string& why) {
  notices_.say("its log failed, it follows no longer: " + why);
  replica_->close();
  summarize();
  return 1;
}

int ReplicaNode::end_goodbye() {
  if (!options_.quiet) notices_.say("the primary said goodbye: " + replica_->report().reason);
  replica_->close();
  summarize();
  return check_.equal() ? 0 : 1;
}

void ReplicaNode::summarize() {
  if (options_.load_sink || options_.no_digest) return;
  std::FILE* out = options_.output == "-" ? stderr : stdout;
  for (StreamId id = 0; id < check_.streams().size(); ++id) {
    const ContentCheck::StreamState& stream = check_.streams()[id];
    if (stream.digest.records == 0) continue;
    fmt::print(out, "stream={} position={} records={} bytes={} digest={:016x}\n", id, stream.end,
               stream.digest.records, stream.digest.bytes, stream.digest.sum);
  }
}

}  // namespace

int run_replica_node(const NodeOptions& options) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, std::fclose);
  std::FILE* output = options.output == "-" ? stdout : nullptr;
  if (!options.output.empty() && options.output != "-") {
    file.reset(std::fopen(options.output.c_str(), "we"));
    if (!file) {
      const int number = errno;
      return fail("node", Error(Errc::io, fmt::format("--output: cannot write {}: {}",
                                                      options.output, std::strerror(number))));
    }
    output = file.get();
  }
  ReplicaNode node(options, output);
  if (Status opened = node.open(); !opened) return fail("node", opened.error());
  return node.run();
}

}  // namespace quorate::tools
